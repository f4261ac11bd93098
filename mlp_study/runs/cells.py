"""The cells of a study: its runs, those that differ in the seed alone together. torch is not needed."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlp_study.errors import UserError
from mlp_study.runs.asked import Asked, as_number
from mlp_study.runs.ranking import BEST, STATUS_ORDER, WORSE, accuracy_of, beside_best, loss_of, setting_rank
from mlp_study.runs.result import COMPLETED, DAMAGED, STOPPED, UNFINISHED, Damaged, Result, read_history
from mlp_study.runs.run import CONFIG, run_folders
from mlp_study.runs.spread import Spread
from mlp_study.runs.table import METRIC_COLUMNS, State, overrides_that_differ, state_of, with_numbers


@dataclass(frozen=True)
class Cell:
    """Runs that differ in the seed alone.

    Attributes:
        settings: what was swept, without the seed, as typed.
        folders: the runs' directories.
        histories: their history.csv.
        results: their result.json, or of one that has not ended what it would hold by now (status unfinished).
        place: of its value of each setting among those of the study, in the order typed; -1 where it has none.
    """

    settings: dict[str, str]
    folders: list[Path]
    histories: list[pd.DataFrame]
    results: list[Result]
    place: Mapping[str, int] = field(default_factory=dict)

    @property
    def accuracies(self) -> np.ndarray:
        """What each run is judged by."""
        return np.array([accuracy_of(result.metrics) for result in self.results])

    @property
    def losses(self) -> np.ndarray:
        """What decides where accuracies are the same."""
        return np.array([loss_of(result.metrics) for result in self.results])

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


def read_cells(folder: Path, only_ended: bool = False) -> list[Cell]:
    """The cells of the study in `folder`, in the order of their values as typed.

    Runs that have not finished an epoch, or whose record is damaged, are left out, with a warning that says so.

    Args:
        folder: of the study, or of one run.
        only_ended: leave out runs that have not ended, too.

    Raises:
        UserError: there is no run in it that has finished an epoch.
    """
    found: list[tuple[Path, Result, pd.DataFrame | None]] = []
    num_begun = 0
    asked = Asked.in_folder(folder)
    for run in run_folders(folder) or [folder]:
        try:
            result = state_of(run, asked)
            if isinstance(result, str):
                warnings.warn(f"{result}; the run is left out", LeftOut, stacklevel=2)
            elif result.status == UNFINISHED and (only_ended or not result.epochs):
                num_begun += (run / CONFIG).exists()
            elif result.epochs:
                found.append((run, result, read_history(run)))
        except Damaged as error:
            warnings.warn(f"{error}; the run is left out", LeftOut, stacklevel=2)
    if not found:
        raise UserError(f"{folder}: holds no run with a finished epoch; expected the directory of a sweep or of a run")
    if num_begun:
        what = "that have not ended" if only_ended else "without a finished epoch"
        warnings.warn(f"{folder}: {num_begun} runs {what} are left out", LeftOut, stacklevel=2)
    return cells_of(found, asked)


def cells_of(runs: Sequence[tuple[Path, Result, pd.DataFrame | None]], asked: Asked) -> list[Cell]:
    """The cells of runs that have been read: directory, result, and history if curves are asked for."""
    differing = overrides_that_differ([result.overrides for _, result, _ in runs])
    keys = list(dict.fromkeys(key for overrides in differing for key in overrides if key != "seed"))
    places = {key: _places(key, [overrides[key] for overrides in differing if key in overrides], asked) for key in keys}
    cells: dict[str, Cell] = {}
    for (run, result, history), overrides in zip(runs, differing, strict=True):
        settings = {key: value for key, value in overrides.items() if key != "seed"}
        place = {key: places[key].get(settings.get(key, ""), -1) for key in keys}
        cell = cells.setdefault(str(settings), Cell(settings, [], [], [], place))
        cell.folders.append(run)
        cell.results.append(result)
        if history is not None:
            cell.histories.append(history)
    return sorted(cells.values(), key=lambda cell: list(cell.place.values()))


def _places(key: str, values: Sequence[str], asked: Asked) -> dict[str, int]:
    """The place of each value of a setting: as typed; what nobody typed after that, numbers by size."""
    typed = asked.order(key)
    found = list(dict.fromkeys(values))
    if all(as_number(value) is not None for value in found):
        found.sort(key=float)
    found.sort(key=lambda value: typed.get(value, len(typed)))
    return {value: place for place, value in enumerate(found)}


class LeftOut(UserWarning):
    """Some run of a study is not in what is shown of it."""


def values_of(cells: Sequence[Cell], key: str) -> list[str]:
    """The values of one swept setting, in the order typed; of cells that were put together by hand, as they stand."""
    places = {cell.settings[key]: cell.place.get(key, i) for i, cell in enumerate(cells) if key in cell.settings}
    return sorted(places, key=places.__getitem__)


def settings_table(states: Mapping[Path, State], asked: Asked) -> pd.DataFrame:
    """What `table` returns, of all runs of a study that have finished an epoch or ended; no history is read for it."""
    known = [(run, state, None) for run, state in states.items() if isinstance(state, Result)]
    return table(cells_of([one for one in known if one[1].epochs or one[1].status != UNFINISHED], asked))


def table(cells: Sequence[Cell]) -> pd.DataFrame:
    """One row a cell, best first: its settings, how it stands beside the best, `n` runs, how many ended how, metrics.

    Of each metric its mean over the seeds, and under NAME_std the standard deviation (n - 1), NaN for one run. Best is
    what `mlp_study.runs.ranking` means by it.
    """
    if not cells:
        return pd.DataFrame()
    ranked = best_first(cells)
    rows = []
    for cell in ranked:
        row: dict[str, Any] = {**cell.settings, "beside_best": BEST if cell is ranked[0] else beside(ranked[0], cell)}
        row |= {"n": len(cell.results)}
        for status in STATUS_ORDER:
            if status not in (COMPLETED, STOPPED, DAMAGED):
                row[status] = sum(result.status == status for result in cell.results)
        for name in METRIC_COLUMNS:
            values = cell.metric(name)
            values = values[np.isfinite(values)]
            row[name] = values.mean() if len(values) else np.nan
            row[f"{name}_std"] = values.std(ddof=1) if len(values) > 1 else np.nan
        rows.append(row)
    return with_numbers(pd.DataFrame(rows))


def best_first(cells: Sequence[Cell]) -> list[Cell]:
    """The cells, sorted by `mlp_study.runs.ranking.setting_rank`."""

    def rank(cell: Cell) -> tuple[float, float, float]:
        statuses = Counter(result.status for result in cell.results)
        return setting_rank(statuses, mean(cell.accuracies), mean(cell.losses))

    return sorted(cells, key=rank)


def beside(best: Cell, cell: Cell) -> str:
    """How a cell stands beside the best one."""
    known = [one.accuracies[np.isfinite(one.accuracies)] for one in (best, cell)]
    return beside_best(*map(Spread, known)) if all(map(len, known)) else WORSE


def mean(values: np.ndarray) -> float:
    """Of those that are finite; NaN where none is."""
    found = values[np.isfinite(values)]
    return float(found.mean()) if len(found) else math.nan
