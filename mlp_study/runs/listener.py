"""Whoever watches runs while they are carried out: a bar, a table, a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlp_study.runs.result import Result


@dataclass(frozen=True)
class Worker:
    """A process that trains for us, here or elsewhere.

    Attributes:
        name: what it is called: "worker 2", "job 17_3".
        host: the machine.
        pid: its number there.
        device: that it trains on: "cpu", "cuda 3".
    """

    name: str
    host: str
    pid: int
    device: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid} on {self.host})"


class Listener:
    """Is told what happens while runs are carried out. This one does not care."""

    def planned(self, num_runs: int, num_complete: int, num_epochs: int, lines: Sequence[str]) -> None:
        """So many runs, of which so many are complete already; `lines` say how the others are grouped."""

    def remarked(self, line: str) -> None:
        """Something that a person should know, such as a damaged record."""

    def advanced(self, num_epochs: float, num_images: int) -> None:
        """So many epochs, or parts of one, and images more; called many times a second."""

    def said(self, name: str, text: str) -> None:
        """The run `name` has something to say: its summary, an epoch."""

    def epoch(self, name: str, row: dict[str, float]) -> None:
        """The run `name` has finished an epoch."""

    def ended(self, name: str, result: Result) -> None:
        """A run has ended."""

    def saved(self) -> None:
        """Where training has come to is in a snapshot."""

    def taken(self, worker: Worker, names: Sequence[str]) -> None:
        """A worker has begun with these runs."""

    def freed(self, worker: Worker) -> None:
        """A worker is done with what it has taken, or gone."""


class Both(Listener):
    """Tells two."""

    def __init__(self, first: Listener, second: Listener) -> None:
        self._two = first, second

    def planned(self, num_runs: int, num_complete: int, num_epochs: int, lines: Sequence[str]) -> None:
        """Tell both."""
        for listener in self._two:
            listener.planned(num_runs, num_complete, num_epochs, lines)

    def remarked(self, line: str) -> None:
        """Tell both."""
        for listener in self._two:
            listener.remarked(line)

    def advanced(self, num_epochs: float, num_images: int) -> None:
        """Tell both."""
        for listener in self._two:
            listener.advanced(num_epochs, num_images)

    def said(self, name: str, text: str) -> None:
        """Tell both."""
        for listener in self._two:
            listener.said(name, text)

    def epoch(self, name: str, row: dict[str, float]) -> None:
        """Tell both."""
        for listener in self._two:
            listener.epoch(name, row)

    def ended(self, name: str, result: Result) -> None:
        """Tell both."""
        for listener in self._two:
            listener.ended(name, result)

    def saved(self) -> None:
        """Tell both."""
        for listener in self._two:
            listener.saved()

    def taken(self, worker: Worker, names: Sequence[str]) -> None:
        """Tell both."""
        for listener in self._two:
            listener.taken(worker, names)

    def freed(self, worker: Worker) -> None:
        """Tell both."""
        for listener in self._two:
            listener.freed(worker)
