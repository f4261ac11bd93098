"""What carries out tasks elsewhere: worker processes of this machine, Ray, Slurm. What all of them promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from mlp_study.execution.task import Task
from mlp_study.runs.listener import Worker
from mlp_study.runs.result import Result

PATIENCE = 10.0  # seconds for a worker that is lost to let go of its directories


@dataclass(frozen=True)
class Event:
    """Something has happened to a task, known by the number that it was submitted with."""

    task: int


@dataclass(frozen=True)
class Taken(Event):
    """A worker has begun it."""

    worker: Worker


@dataclass(frozen=True)
class Told(Event):
    """It has something to tell a listener: the name of one of its methods, and the arguments."""

    method: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Ended(Event):
    """All its runs have ended; how they did, by their directories, as far as that was not told before."""

    results: Mapping[Path, Result]


@dataclass(frozen=True)
class Lost(Event):
    """Its worker is gone, and the runs that had not ended have not ended."""

    reason: str


class Workers(Protocol):
    """Used as a context manager; its end, by an exception too, ends all that still train, in ten seconds at most.

    Attributes:
        num: tasks that can be trained at the same time; a hint for how many to make of the runs.
        memory: bytes that a task may take.
    """

    num: int
    memory: float

    def submit(self, number: int, task: Task) -> None:
        """Have a task carried out, once a worker is free; the first submitted is begun first."""

    def events(self, seconds: float) -> Sequence[Event]:
        """What has happened since the last call; waits so long for something to happen."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: Any) -> None: ...
