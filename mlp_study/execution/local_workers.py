"""Worker processes on this machine: they start once and take task after task, each on one device.

They are forked from a process that has torch loaded (its import takes seconds), or, where there are CUDA devices,
started anew: CUDA is not made to be forked. Every worker has a pipe to the process that started it, says through it
what happens, and ends when that process does, even if it is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Self

from mlp_study.execution.messages import Outbox, Telling, carried_out
from mlp_study.execution.task import Task
from mlp_study.execution.workers import PATIENCE, Ended, Event, Lost, Taken
from mlp_study.machine import device_names, free_memory, num_cores
from mlp_study.runs.listener import Worker

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["mlp_study.execution.train_task", "mlp_study.engines.stack.trainer", __name__])
STARTED = multiprocessing.get_context("spawn")
LAST_SECONDS = 9.0  # for a worker to save what it trains, once it is asked to end; it tries for one less


@dataclass
class _Process:
    """A worker process, and what it has to do.

    Attributes:
        task: the number of its task; None while it has none.
    """

    process: BaseProcess
    pipe: Connection
    worker: Worker
    task: int | None = None
    events: list[Event] = field(default_factory=list)


class LocalWorkers:
    """Of one machine.

    Args:
        num: worker processes at most; they start when there is something to do for them.
        accelerator: auto, cpu or cuda; with CUDA devices, each worker sees one of them.
    """

    def __init__(self, num: int, accelerator: str = "auto") -> None:
        self.num = num
        self.devices = device_names(accelerator)
        self.memory = 0.5 * free_memory(accelerator) / -(-num // max(1, len(self.devices)))
        self._num_threads = max(1, num_cores() // num)
        self._waiting: deque[tuple[int, Task]] = deque()
        self._processes: dict[int, _Process] = {}  # by their place, from 0

    def submit(self, number: int, task: Task) -> None:
        """Have a task carried out."""
        self._waiting.append((number, task))

    def events(self, seconds: float) -> Sequence[Event]:
        """What has happened."""
        found = self._assign()
        pipes = {process.pipe: place for place, process in self._processes.items()}
        for pipe in wait(list(pipes), 0 if found else seconds):
            found += self._heard(pipes[pipe])  # type: ignore[index]
        return found

    def _assign(self) -> list[Event]:
        """Give waiting tasks to workers that have none."""
        taken: list[Event] = []
        for place in range(self.num):
            if not self._waiting:
                break
            process = self._processes.get(place)
            if process is not None and process.task is not None:
                continue
            if process is None:
                process = self._processes[place] = self._start(place)
            number, task = self._waiting.popleft()
            process.task = number
            taken.append(Taken(number, process.worker))
            with suppress(OSError):  # it is gone: the pipe will say so
                process.pipe.send((number, task))
        return taken

    def _start(self, place: int) -> _Process:
        context = STARTED if self.devices else FORKED
        device = self.devices[place % len(self.devices)] if self.devices else None
        ours, theirs = context.Pipe()
        arguments = (theirs, self._num_threads, device)
        process = context.Process(target=work, args=arguments, name=f"worker {place + 1}", daemon=True)
        process.start()
        theirs.close()
        assert process.pid is not None
        shown = "cpu" if device is None else f"cuda {device}"
        return _Process(process, ours, Worker(f"worker {place + 1}", socket.gethostname(), process.pid, shown))

    def _heard(self, place: int) -> list[Event]:
        """What a worker has said, or that it is gone."""
        process, found = self._processes[place], []
        try:
            while process.pipe.poll():
                event = process.pipe.recv()
                found.append(event)
                if isinstance(event, (Ended, Lost)):
                    process.task = None
        except (EOFError, OSError):
            del self._processes[place]
            process.pipe.close()
            process.process.join()
            if process.task is not None:
                found.append(Lost(process.task, ending(process.process.exitcode or 0)))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        """End them; those that train save what they have come to."""
        processes = [each.process for each in self._processes.values()]
        try:
            for each in self._processes.values():
                with suppress(OSError):
                    each.pipe.send(None)
                if each.task is not None:
                    each.process.terminate()
            until = time.monotonic() + LAST_SECONDS
            for process in processes:
                process.join(max(0.0, until - time.monotonic()))
        finally:
            for process in processes:
                process.kill()
            for process in processes:
                process.join()
            self._processes.clear()


def ending(exit_code: int) -> str:
    """How a process ended, in words."""
    if exit_code == -signal.SIGKILL:
        return "killed by SIGKILL, as for want of memory"
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"


def work(pipe: Connection, num_threads: int, device: str | None) -> None:
    """Be a worker: carry out what comes through the pipe, until None does, or SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's, which asks for the end by SIGTERM
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tasks: queue.SimpleQueue[tuple[int, Task] | None] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, tasks), daemon=True).start()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device  # before the first call of CUDA
    import torch

    torch.set_num_threads(num_threads)
    with suppress(KeyboardInterrupt), Outbox(pipe.send) as outbox:
        while (assigned := tasks.get()) is not None:
            number, task = assigned
            outbox.put(carried_out(task, Telling(number, outbox), PATIENCE))


def _receive(pipe: Connection, tasks: queue.SimpleQueue[tuple[int, Task] | None]) -> None:
    """Hand on what comes."""
    with suppress(EOFError, OSError):
        while True:
            tasks.put(pipe.recv())


def _end_with_parent() -> None:
    """Whoever started this process is gone, killed even: there is nobody to train for."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
