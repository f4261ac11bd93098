"""Hands tasks to workers, tells a listener what comes of them, and gives a lost worker's task to another one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mlp_study.errors import UserError
from mlp_study.execution.task import Task
from mlp_study.execution.workers import PATIENCE, Ended, Event, Lost, Taken, Told, Workers
from mlp_study.files import claimed
from mlp_study.runs.listener import Listener, Worker
from mlp_study.runs.result import Result, read_history
from mlp_study.runs.run import Run

MOST_LOSSES = 2  # of workers that came no further with a task than the one before; then it is split


@dataclass
class _Handed:
    """A task in somebody's hands.

    Attributes:
        task: itself.
        losses: of workers that have come no further with it than the one before.
        has_progressed: whether its worker has saved what it has come to, or a run has ended.
        epochs: that are told of.
        kept: those of runs that have ended since.
        worker: that trains it, once it is known.
    """

    task: Task
    losses: int = 0
    has_progressed: bool = False
    epochs: float = 0.0
    kept: float = 0.0
    worker: Worker | None = None


class Dispatch:
    """Of tasks to workers."""

    def __init__(self, workers: Workers, listener: Listener) -> None:
        self.workers, self.listener = workers, listener
        self.results: dict[Path, Result] = {}
        self._numbers = count()
        self._handed: dict[int, _Handed] = {}

    def carry_out(self, tasks: Sequence[Task]) -> dict[Path, Result]:
        """Have all tasks carried out, the costly ones first; returns how each run ended, by its directory."""
        with self.workers:
            for task in sorted(tasks, key=lambda task: task.cost, reverse=True):
                self._hand_out(_Handed(task))
            try:
                while self._handed:
                    for event in self.workers.events(1.0):
                        self._happened(event)
            except KeyboardInterrupt:
                self.listener.remarked("interrupted: workers save what they have come to; once more ends at once")
                raise
        return self.results

    def _hand_out(self, handed: _Handed) -> None:
        number = next(self._numbers)
        self._handed[number] = handed
        self.workers.submit(number, handed.task)

    def _happened(self, event: Event) -> None:
        handed = self._handed[event.task]
        if isinstance(event, Taken):
            handed.worker = event.worker
            self.listener.taken(event.worker, [run.name for run in handed.task.runs])
        elif isinstance(event, Told):
            self._told(handed, event)
        elif isinstance(event, Ended):
            del self._handed[event.task]
            self.results = {**event.results, **self.results}
            self._freed(handed)
        elif isinstance(event, Lost):
            del self._handed[event.task]
            self._freed(handed)
            self._lost(handed, event.reason)

    def _told(self, handed: _Handed, event: Told) -> None:
        if event.method == "advanced":
            handed.epochs += event.arguments[0]
        elif event.method == "ended":
            name, result = event.arguments
            run = next(run for run in handed.task.runs if run.name == name)
            self.results[run.folder] = result
            handed.kept += run.config.trainer.max_epochs - handed.task.num_before
        handed.has_progressed |= event.method in ("saved", "ended")
        getattr(self.listener, event.method)(*event.arguments)

    def _freed(self, handed: _Handed) -> None:
        if handed.worker is not None:
            self.listener.freed(handed.worker)

    def _lost(self, handed: _Handed, reason: str) -> None:
        """Try again, after some losses in halves; a run alone fails in the end."""
        # Whoever goes on tells of their epochs again.
        self.listener.advanced(handed.kept - handed.epochs, 0)
        task, where = handed.task, handed.worker or "a worker"
        left = tuple(run for run in task.runs if run.folder not in self.results)
        whose = left[0].name if len(left) == 1 else f"{len(left)} runs"
        losses = 1 if handed.has_progressed else handed.losses + 1
        if losses < MOST_LOSSES or not left:
            self.listener.remarked(f"{where}: {reason}; another goes on with {whose}")
            # What has ended is needed beside the others only where these go on.
            again = task if task.snapshot.exists() or not left else task.part(left)
            self._hand_out(_Handed(again, losses))
        elif len(left) > 1:
            self.listener.remarked(f"{where}: {reason}, again; its {whose} are trained in halves")
            from mlp_study.engines.snapshot import split

            middle = len(left) // 2
            halves = (left[:middle], left[middle:])
            if task.snapshot.exists():
                split(task.snapshot, halves)
            for half in halves:
                self._hand_out(_Handed(task.part(half), losses - 1))
        else:
            self.results[left[0].folder] = record_lost(left[0], f"worker lost: {reason}", self.listener)
            task.snapshot.unlink(missing_ok=True)


def record_lost(run: Run, reason: str, listener: Listener) -> Result:
    """Record that a run failed with its worker, and what is known of it."""
    from mlp_study.engines.attempt import Attempt

    attempt = Attempt(run, listener)
    with ExitStack() as claim:
        try:
            claim.enter_context(claimed(run.folder, PATIENCE))
        except UserError as error:
            attempt.fail(UserError(f"{reason}; {error}"), is_held=False)
        else:
            with suppress(UserError):
                rows = read_history(run.folder).to_dict("records")
                attempt.writer.record.history = [{str(key): value for key, value in row.items()} for row in rows]
            listener.advanced(len(attempt.writer.record.history), 0)
            attempt.fail(UserError(reason))
    assert attempt.result is not None
    return attempt.result
