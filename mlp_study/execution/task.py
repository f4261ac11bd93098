"""A task: runs that are trained together. Plain data, so that it can be sent to another process or machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlp_study.execution.cost import seconds
from mlp_study.runs.result import Result
from mlp_study.runs.run import SNAPSHOT, Run


@dataclass(frozen=True)
class Task:
    """Runs that are trained together.

    Attributes:
        runs: in the order in which they train.
        engine: that trains them.
        snapshot: the file that says how far somebody has come with them; it need not be there.
    """

    runs: tuple[Run, ...]
    engine: str
    snapshot: Path

    @classmethod
    def of(cls, runs: Sequence[Run], engine: str) -> Task:
        """A task that nobody has begun."""
        return cls(tuple(runs), engine, runs[0].folder / SNAPSHOT)

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
