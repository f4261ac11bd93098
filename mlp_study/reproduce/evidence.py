"""The files that verdicts are computed from: runs, predictions, inspections. torch is not needed."""

from __future__ import annotations

import json
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from mlp_study.errors import UserError
from mlp_study.runs.cells import Cell, read_cells
from mlp_study.runs.spread import Spread

CHANCE = math.log(10)  # the cross-entropy of ten equal probabilities


class Evidence:
    """Reads what `make reproduce` left in `folder`: a study for each experiment, and what was made of its runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cells = cache(self._cells)

    def _cells(self, experiment: str) -> list[Cell]:
        return read_cells(self.folder / experiment, only_ended=True)

    def cell(self, experiment: str, *settings: str) -> Cell:
        """The one cell of a study with these settings, each "key=value"."""
        wanted = dict(setting.split("=", 1) for setting in settings)
        found = [cell for cell in self.cells(experiment) if wanted.items() <= cell.settings.items()]
        if len(found) != 1:
            raise UserError(f"{self.folder / experiment}: {len(found)} cells with {', '.join(settings)}; expected one")
        return found[0]

    def json(self, path: str) -> Any:
        """A JSON file below the folder."""
        return json.loads((self.folder / path).read_text(encoding="utf-8"))

    def csv(self, path: str) -> pd.DataFrame:
        """A CSV file below the folder."""
        return pd.read_csv(self.folder / path)


def final(cell: Cell, metric: str) -> Spread:
    """A metric of result.json over the seeds."""
    return Spread(cell.metric(metric))


def at_epoch(cell: Cell, column: str, epoch: int) -> Spread:
    """A column of the histories in one epoch, from 1 or from -1, the last; over the seeds."""
    frame = cell.curve(column)
    return Spread(frame.iloc[epoch - 1 if epoch > 0 else epoch])


def over_epochs(cell: Cell, column: str = "train_loss") -> Spread:
    """The mean of a column over the epochs, for each seed: the lower the loss, the faster the training."""
    return Spread(cell.curve(column).mean(axis=0))


def converged(cell: Cell) -> list[bool]:
    """For each seed, whether training converged: no divergence, and a last training loss below half of ln 10 and
    below the first epoch's."""
    losses = cell.curve("train_loss")
    return [
        result.status in ("completed", "stopped")
        and bool(losses[i].iloc[-1] < CHANCE / 2)
        and bool(losses[i].iloc[-1] < losses[i].iloc[0])
        for i, result in enumerate(cell.results)
    ]


def count(flags: list[bool]) -> str:
    """As in "5 of 5 seeds"."""
    return f"{sum(flags)} of {len(flags)} seeds"


def layer_parameters(run: Path) -> dict[str, int]:
    """Number of parameters by layer, from a run's summary.txt."""
    lines = (run / "summary.txt").read_text(encoding="utf-8").splitlines()
    rows = [re.fullmatch(r"(\S+) \((\w+)\)\s+\(None, \d+\)\s+([\d,]+)", line.strip()) for line in lines]
    return {row[1]: int(row[3].replace(",", "")) for row in rows if row}
