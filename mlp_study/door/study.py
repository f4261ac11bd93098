"""A study and its cells, from its directory."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlp_study.choices.rules import unknown
from mlp_study.diagnosis.verdict import said_of
from mlp_study.door.trained_run import Run
from mlp_study.errors import UserError
from mlp_study.runs import cells as cells_of_study
from mlp_study.runs import table as table_of_study
from mlp_study.runs.run import run_folders

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure


class Study:
    """The runs of one sweep in one directory, as they are there now."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not run_folders(self.folder):
            raise UserError(f"{folder}: not a study: no run in it has a config.yaml")

    def table(self, over_seeds: bool = False) -> pd.DataFrame:
        """One row a run, best first: the columns of study.csv, numbers as numbers.

        Args:
            over_seeds: one row for runs that differ in the seed alone instead: `n` of them, and of each metric the mean
                and the standard deviation (n - 1), e.g. `val_acc` and `val_acc_std`; best first by the mean.
        """
        if over_seeds:
            return cells_of_study.table(self._cells())
        return table_of_study.with_numbers(table_of_study.table(self.folder)).reset_index(drop=True)

    def diagnosis(self) -> pd.DataFrame:
        """One row a run, as in `table`: what `mlp diagnose` says of it, in a line."""
        frame = self.table()
        return frame[["run"]].assign(diagnosis=[said_of(self.folder / name) for name in frame["run"]])

    def runs(self) -> list[Run]:
        """All runs, best first."""
        return [Run.read(self.folder / name) for name in table_of_study.table(self.folder)["run"]]

    def best(self) -> Run:
        """The run with the highest validation accuracy of any epoch; see `mlp_study.runs.table.table`."""
        return self.runs()[0]

    def cells(self) -> list[Cell]:
        """The combinations of settings, each with its runs."""
        return [Cell(cell) for cell in self._cells()]

    def cell(self, settings: Mapping[str, Any] | None = None, **more: Any) -> Cell:
        """The one cell with these settings: `study.cell({"optim.lr": 0.1}, init="glorot")`.

        Raises:
            UserError: none has them, or several do.
        """
        wanted = {**(settings or {}), **more}
        found = [cell for cell in self._cells() if all(_is(cell.settings.get(k), v) for k, v in wanted.items())]
        if len(found) != 1:
            asked = ", ".join(f"{key}={value}" for key, value in wanted.items()) or "no settings"
            known = "; ".join(cell.label for cell in (found or self._cells())[:12])
            raise UserError(f"{self.folder}: {len(found)} cells with {asked}; expected one of: {known}")
        return Cell(found[0])

    def plot(
        self,
        *names: str,
        where: Mapping[str, Any] | None = None,
        best: int | None = None,
        x: str | None = None,
        colour: str | None = None,
        panel: str | Sequence[str] = (),
    ) -> Figures:
        """The figures of `report`, by name, or those called `names`; a notebook shows them.

        The others are the options of `report`: study.plot("curves", where={"optim": ["sgd", "adam"]}, best=4).

        Raises:
            UserError: the study has no figure of that name, or a choice is wrong.
        """
        from mlp_study.figures.chosen import BEST, Choices
        from mlp_study.figures.study_figures import drawings

        wanted = {
            key: list(map(str, value if isinstance(value, (list, tuple)) else [value]))
            for key, value in (where or {}).items()
        }
        panels = (panel,) if isinstance(panel, str) else tuple(panel)
        choices = Choices(wanted, BEST if best is None else best, x, colour, tuple(filter(None, panels)))
        drawn = {n: figure for n, figure in drawings(self.folder, choices, names).items() if figure is not None}
        for name in names:
            if name not in drawn:
                raise UserError(unknown(name, name, drawn, what="figure"))
        return Figures({name: drawn[name] for name in names or drawn})

    def _cells(self) -> list[cells_of_study.Cell]:
        return cells_of_study.read_cells(self.folder)

    def __len__(self) -> int:
        return len(table_of_study.table(self.folder))

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs())

    def __repr__(self) -> str:
        return f"Study({str(self.folder)!r}, {len(self)} runs)"

    def _repr_html_(self) -> str:
        frame = self.table()
        shown = frame.drop(columns=["reason", "run"], errors="ignore").head(20)
        more = f"<p>... and {len(frame) - 20} more</p>" if len(frame) > 20 else ""
        return f"<p>{html.escape(repr(self))}</p>{shown.to_html(index=False)}{more}"


class Cell:
    """Runs that differ in the seed alone.

    Attributes:
        settings: what was swept, without the seed, as typed.
        runs: one for each seed.
    """

    def __init__(self, cell: cells_of_study.Cell) -> None:
        self._cell, self.settings = cell, cell.settings
        self.runs = [Run.read(folder) for folder in cell.folders]

    def metric(self, name: str) -> np.ndarray:
        """A metric of result.json, such as "val_acc" or "test_acc", one number per run; NaN where a run has none."""
        return self._cell.metric(name)

    def curve(self, column: str) -> pd.DataFrame:
        """A column of the histories, such as "train_loss": a row per epoch, a column per run."""
        return self._cell.curve(column)

    def __repr__(self) -> str:
        return f"Cell({self._cell.label}; {len(self.runs)} runs)"


class Figures(dict[str, "Figure"]):
    """Figures by name."""

    def _repr_html_(self) -> str:
        return "".join(f'<img alt="{html.escape(name)}" src="{_png(figure)}">' for name, figure in self.items())


def _png(figure: Figure) -> str:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=80)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def _is(typed: str | None, value: Any) -> bool:
    """Whether a setting typed so has the value, a text or a Python value."""
    if typed is None:
        return False
    number = cells_of_study.as_number(typed)
    if number is not None and isinstance(value, (int, float)) and not isinstance(value, bool):
        return number == float(value)
    spelled = str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
    return typed.replace(" ", "").strip("'\"") == spelled.replace(" ", "")
