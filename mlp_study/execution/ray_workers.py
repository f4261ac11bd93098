"""Workers on a Ray cluster: each task is a process of its own on one of its nodes, with one device.

The directories of runs are on a file system that all nodes share. What a task has to tell goes through a mailbox, a
small process on the node of the command. Ray tries nothing again by itself: `Dispatch` does.
"""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from mlp_study.errors import UserError
from mlp_study.execution.messages import Outbox, Telling, carried_out
from mlp_study.execution.ray_cluster import Asked, Room, connect, let_go, one_line, see_room
from mlp_study.execution.task import Task
from mlp_study.execution.workers import PATIENCE, Event, Lost, Taken
from mlp_study.runs.listener import Worker
from mlp_study.runs.run import Run

PERIOD = 0.25  # seconds between two looks into the mailbox
LAST_SECONDS = 7.0  # for tasks to save what they train, once they are asked to end; Ray's own end takes seconds, too
LOOK_SECONDS = 60.0  # for nodes to say whether they see a directory


def hire(asked: Asked) -> Callable[[Sequence[Run]], RayWorkers]:
    """What gives the workers of a cluster for some runs.

    Raises:
        UserError: by what is returned: the cluster is not to be had, has no room for a task, or a node does not see
            the runs' directories.
    """

    def reach(runs: Sequence[Run]) -> RayWorkers:
        accelerator = runs[0].config.trainer.accelerator
        ray = connect(asked.address, accelerator)
        try:
            room = see_room(ray.nodes(), asked, accelerator)
            see_shared(ray, room, runs[0].folder)
            return RayWorkers(ray, room, asked, len(runs))
        except BaseException:
            let_go(ray)
            raise

    return reach


class RayWorkers:
    """Of a cluster that is connected; it is let go of at the end.

    Args:
        ray: the module.
        room: what the cluster has room for.
        asked: what is asked of it.
        num_runs: no more workers than that.
    """

    def __init__(self, ray: Any, room: Room, asked: Asked, num_runs: int) -> None:
        self.num = min(room.num if asked.workers == "auto" else asked.workers, num_runs)
        self.memory = room.memory
        self._ray = ray
        # The devices belong to the function: with `.options(num_gpus=1)` Ray hands out a process that has another one.
        self._train = ray.remote(
            num_cpus=asked.cpus, num_gpus=room.gpus, max_retries=0, max_calls=1, scheduling_strategy="SPREAD"
        )(train)
        self._own = (asked.cpus, room.gpus > 0, Path.cwd())
        here = ray.get_runtime_context().get_node_id()
        self._mailbox = ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=_on(here))(Mailbox).remote()
        self._waiting: deque[tuple[int, Task]] = deque()
        self._going: dict[Any, tuple[int, int]] = {}  # number and place, from 1, by what Ray gives for a task

    def submit(self, number: int, task: Task) -> None:
        """Have a task carried out."""
        self._waiting.append((number, task))

    def events(self, seconds: float) -> Sequence[Event]:
        """What has happened."""
        self._assign()
        ended, _ = self._ray.wait(list(self._going), timeout=min(seconds, PERIOD), fetch_local=False)
        # What a task that has ended had to tell is in the mailbox by now. One that is lost may still have a word there.
        numbers = {number for number, _ in self._going.values()}
        found = [event for event in self._told() if event.task in numbers]
        for reference in ended:
            number, _ = self._going.pop(reference)
            found.append(self._end(number, reference))
        return found

    def _assign(self) -> None:
        """Begin as many tasks as may train at the same time."""
        while self._waiting and len(self._going) < self.num:
            number, task = self._waiting.popleft()
            place = min(set(range(1, self.num + 1)) - {place for _, place in self._going.values()})
            reference = self._train.remote(number, f"worker {place}", task, self._mailbox, *self._own)
            self._going[reference] = (number, place)

    def _told(self) -> list[Event]:
        try:
            events: list[Event] = self._ray.get(self._mailbox.take.remote(), timeout=10 * PERIOD)
        except self._ray.exceptions.RayError:  # it was killed and starts again, or has much to do: only words are lost
            return []
        return events

    def _end(self, number: int, reference: Any) -> Event:
        try:
            event: Event = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return Lost(number, reason(error))
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        """End the tasks; those that train save what they have come to."""
        going = list(self._going)
        try:
            for reference in going:
                self._ray.cancel(reference, force=False)  # a KeyboardInterrupt, there
            if going:
                self._ray.wait(going, num_returns=len(going), timeout=LAST_SECONDS, fetch_local=False)
        finally:
            let_go(self._ray)


def reason(error: BaseException) -> str:
    """Why a task did not end, in words."""
    words = {
        "WorkerCrashedError": "killed, as for want of memory",
        "OutOfMemoryError": "killed by Ray, as its node was running out of memory",
        "NodeDiedError": "its node is gone",
        "LocalRayletDiedError": "its node is gone",
        "TaskCancelledError": "cancelled",
    }
    for kind in type(error).__mro__:
        if kind.__name__ in words:
            return words[kind.__name__]
    cause = getattr(error, "cause", None) or error
    return f"{type(cause).__name__}: {one_line(cause)}"


def see_shared(ray: Any, room: Room, folder: Path) -> None:
    """See that the nodes can import this program and see the directory of a run, or what there is of it.

    Raises:
        UserError: one does not.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    look = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(_sees)
    looks = {look.options(scheduling_strategy=_on(node)).remote(there): name for node, name in room.nodes.items()}
    answered, _ = ray.wait(list(looks), num_returns=len(looks), timeout=LOOK_SECONDS)
    for reference in answered:
        try:
            if not ray.get(reference):
                raise UserError(
                    f"{there}: the Ray node {looks[reference]} does not see it; expected a directory that all share"
                )
        except ray.exceptions.RayTaskError as error:
            raise UserError(f"the Ray node {looks[reference]} cannot be used: {reason(error)}") from None
        except ray.exceptions.RayError:  # it is gone, and does not matter
            continue


def _sees(path: Path) -> bool:
    return path.exists()


def _on(node: str) -> Any:
    """The wish to be on a node, and nowhere else."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=False)


class Mailbox:
    """Where tasks put what they have to tell, until somebody takes it."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def put(self, event: Event) -> None:
        """Keep it."""
        self._events.append(event)

    def take(self) -> list[Event]:
        """All that came since the last time."""
        events, self._events = self._events, []
        return events


def train(number: int, name: str, task: Task, mailbox: Any, num_threads: int, has_device: bool, folder: Path) -> Event:
    """Carry out a task, in a process that Ray has started for it; KeyboardInterrupt or SIGTERM ends it.

    Args:
        number: of the task.
        name: of the worker.
        task: itself.
        mailbox: takes what there is to tell.
        num_threads: for torch.
        has_device: whether it has a CUDA device.
        folder: that paths in the settings are relative to.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(OSError):
        os.chdir(folder)
    if not has_device:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before the first call of CUDA
    device = os.environ.get("CUDA_VISIBLE_DEVICES")
    worker = Worker(name, socket.gethostname(), os.getpid(), f"cuda {device}" if device else "cpu")
    import ray

    def send(event: Event) -> None:
        with suppress(ray.exceptions.RayError):
            ray.get(mailbox.put.remote(event))  # so that it is there before the task ends

    with Outbox(send) as outbox:
        outbox.put(Taken(number, worker))
        import torch

        torch.set_num_threads(num_threads)
        return carried_out(task, Telling(number, outbox), PATIENCE)
