"""The cells of a study: its runs, those that differ in the seed alone together. torch is not needed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlp_study.errors import UserError
from mlp_study.runs.result import Damaged, Result, read_history, read_result
from mlp_study.runs.run import run_folders
from mlp_study.runs.table import METRIC_COLUMNS, overrides_that_differ, with_numbers


@dataclass(frozen=True)
class Cell:
    """Runs that differ in the seed alone.

    Attributes:
        settings: what was swept, without the seed, as typed.
        folders: the runs' directories.
        histories: their history.csv.
        results: their result.json.
    """

    settings: dict[str, str]
    folders: list[Path]
    histories: list[pd.DataFrame]
    results: list[Result]

    @property
    def label(self) -> str:
        """What tells this cell from the others."""
        return ", ".join(f"{key}={value}" for key, value in self.settings.items()) or "all runs"

    def curve(self, column: str) -> pd.DataFrame:
        """A column of the histories: a row per epoch, a column per run; empty where no run has it.

        What is not finite, and what a run that ended earlier lacks, is NaN.
        """
        lines = [history.set_index("epoch")[column] for history in self.histories if column in history]
        if not lines:
            return pd.DataFrame()
        return pd.concat(lines, axis=1, keys=range(len(lines))).replace([np.inf, -np.inf], np.nan)

    def metric(self, name: str) -> np.ndarray:
        """A metric of result.json, one per run, in the order of the directories; NaN where a run has none."""
        values = [result.metrics.get(name) for result in self.results]
        return np.array([np.nan if value is None else float(value) for value in values])


def read_cells(folder: Path) -> list[Cell]:
    """The cells of the study in `folder`, in the order of the values typed where they are numbers, else as found.

    Runs that have not ended, or whose record is damaged, are left out, with a warning that names them.

    Raises:
        UserError: there is no run in it that has finished an epoch.
    """
    found: list[tuple[Path, Result, pd.DataFrame]] = []
    unfinished = 0
    for run in run_folders(folder) or [folder]:
        try:
            result = read_result(run)
            if result is not None and result.epochs:
                found.append((run, result, read_history(run)))
            unfinished += result is None
        except Damaged as error:
            warnings.warn(f"{error}; the run is left out", LeftOut, stacklevel=2)
    if not found:
        raise UserError(f"{folder}: holds no finished run; expected the directory of a sweep or of a run")
    if unfinished:
        warnings.warn(f"{folder}: {unfinished} runs that have not ended are left out", LeftOut, stacklevel=2)
    differing = overrides_that_differ([result.overrides for _, result, _ in found])
    cells: dict[str, Cell] = {}
    for (run, result, history), overrides in zip(found, differing, strict=True):
        settings = {key: value for key, value in overrides.items() if key != "seed"}
        cell = cells.setdefault(str(settings), Cell(settings, [], [], []))
        cell.folders.append(run)
        cell.histories.append(history)
        cell.results.append(result)
    return sorted(cells.values(), key=_by_numbers)


class LeftOut(UserWarning):
    """Some run of a study is not in what is shown of it."""


def _by_numbers(cell: Cell) -> tuple[float, ...]:
    """Numbers by size; texts stay as they come, since sorting is stable."""
    return tuple(number if (number := as_number(value)) is not None else 0.0 for value in cell.settings.values())


def as_number(text: str) -> float | None:
    """The number that `text` is, or None."""
    try:
        return float(text)
    except ValueError:
        return None


def values_of(cells: Sequence[Cell], key: str) -> list[str]:
    """The values of one swept setting, numbers by size, texts as they come."""
    values = list(dict.fromkeys(cell.settings[key] for cell in cells if key in cell.settings))
    numbers = {value: as_number(value) for value in values}
    return values if None in numbers.values() else sorted(values, key=float)


def table(cells: Sequence[Cell]) -> pd.DataFrame:
    """One row a cell, best first by the mean: its settings, `n` runs, how many of them diverged or failed, metrics.

    Of each metric its mean over the seeds, and under NAME_std the standard deviation (n - 1), NaN for one run. Best is
    what `mlp_study.runs.table` means by it.
    """
    rows = []
    for cell in cells:
        row: dict[str, Any] = {**cell.settings, "n": len(cell.results)}
        for status in ("diverged", "failed"):
            row[status] = sum(result.status == status for result in cell.results)
        for name in METRIC_COLUMNS:
            values = cell.metric(name)
            found = values[np.isfinite(values)]
            row[name] = found.mean() if len(found) else np.nan
            row[f"{name}_std"] = found.std(ddof=1) if len(found) > 1 else np.nan
        rows.append(row)
    frame = with_numbers(pd.DataFrame(rows))
    accuracy = frame["best_val_acc"].fillna(frame["train_acc"])
    loss = frame["best_val_loss"].fillna(frame["train_loss"])
    order = np.lexsort((loss.fillna(np.inf), -accuracy.fillna(-np.inf), frame["diverged"] + frame["failed"] > 0))
    return frame.iloc[order].reset_index(drop=True)
