"""A task: runs that are trained together. Plain data, so that it can be sent to another process or machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlp_study.execution.cost import seconds
from mlp_study.runs.halving import Halving
from mlp_study.runs.result import Result
from mlp_study.runs.run import SNAPSHOT, Run


@dataclass(frozen=True)
class Rest:
    """What is left of a stack that an earlier command has trained, and goes on for more epochs.

    Attributes:
        num_epochs: that its runs have finished.
        num_members: that it would have begun with, had it been trained for so many from the start.
    """

    num_epochs: int
    num_members: int

    @property
    def common(self) -> dict[str, int]:
        """What its snapshot says of all its runs."""
        return {"num_members": self.num_members}


@dataclass(frozen=True)
class Task:
    """Runs that are trained together.

    Attributes:
        runs: in the order in which they train.
        engine: that trains them.
        snapshot: the file that says how far somebody has come with them; it need not be there.
        rest: where they had finished before.
        halving: how a search judges them on the way.
    """

    runs: tuple[Run, ...]
    engine: str
    snapshot: Path
    rest: Rest | None = None
    halving: Halving | None = None

    @classmethod
    def of(cls, runs: Sequence[Run], engine: str) -> Task:
        """A task that nobody has begun."""
        return cls(tuple(runs), engine, runs[0].folder / SNAPSHOT)

    def part(self, runs: Sequence[Run]) -> Task:
        """The same for some of its runs, which nobody has begun."""
        return replace(self, runs=tuple(runs), snapshot=runs[0].folder / SNAPSHOT)

    @property
    def num_before(self) -> int:
        """Epochs that each of its runs had finished before, which no bar counts."""
        return 0 if self.rest is None else self.rest.num_epochs

    @property
    def cost(self) -> float:
        """Seconds that it may take, roughly: costly tasks are begun first."""
        return sum(map(seconds, self.runs))


def completed(run: Run) -> Result | None:
    """How a run ended that is complete; None for one that is yet to be trained.

    Raises:
        UserError: as `Run.is_complete`.
    """
    return run.result() if run.is_complete() else None
