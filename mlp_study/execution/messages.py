"""What a worker tells of a task while it trains: to a thread that sends it, so that no epoch waits for anybody."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from mlp_study.execution.task import Task
from mlp_study.execution.workers import Ended, Event, Lost, Told
from mlp_study.runs.leader import Leader
from mlp_study.runs.listener import Listener
from mlp_study.runs.result import Result

SECONDS = 0.5  # between two words on how far training has come


class Outbox:
    """Sends events in a thread of its own, in their order; a `with` block ends when all are sent.

    Args:
        send: sends one; whom it does not reach any more does not need it.
    """

    def __init__(self, send: Callable[[Event], None]) -> None:
        self._send = send
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def put(self, event: Event) -> None:
        """Have it sent."""
        self._events.put(event)

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                self._send(event)
            except OSError:
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._events.put(None)
        self._thread.join()


class Telling(Listener):
    """Tells an outbox of one task.

    Args:
        task: its number.
        outbox: takes the events.
    """

    def __init__(self, task: int, outbox: Outbox) -> None:
        self.task, self.outbox = task, outbox
        self._epochs, self._images, self._told = 0.0, 0, time.monotonic()
        self._leader, self._is_new = Leader(), False

    def epoch(self, name: str, row: dict[str, float]) -> None:
        """Keep the best, which is said now and then, with how far training has come."""
        self._is_new |= self._leader.sees(name, row)

    def advanced(self, num_epochs: float, num_images: int) -> None:
        """Add it up, and say it now and then."""
        self._epochs += num_epochs
        self._images += num_images
        if time.monotonic() - self._told > SECONDS:
            self.flush()

    def remarked(self, line: str) -> None:
        """Say it."""
        self._tell("remarked", line)

    def ended(self, name: str, result: Result) -> None:
        """Say it."""
        self.flush()
        self._tell("ended", name, result)

    def saved(self) -> None:
        """Say it."""
        self._tell("saved")

    def flush(self) -> None:
        """Say how far training has come, and what is new of the best."""
        if self._is_new:
            self._tell("epoch", self._leader.name, self._leader.row)
            self._is_new = False
        self._tell("advanced", self._epochs, self._images)
        self._epochs, self._images, self._told = 0.0, 0, time.monotonic()

    def _tell(self, method: str, *arguments: Any) -> None:
        self.outbox.put(Told(self.task, method, arguments))


def carried_out(task: Task, listener: Telling, patience: float) -> Event:
    """Carry out a task in this process; its last word, when all else was said.

    Args:
        task: that `listener` tells of.
        listener: is told what happens.
        patience: seconds to wait for directories that another process holds.
    """
    from mlp_study.execution.train_task import train_task

    last: Event
    try:
        last = Ended(listener.task, train_task(task, listener, patience=patience))
    except Exception as error:
        last = Lost(listener.task, f"{type(error).__name__}: {error}")
    listener.flush()
    return last
