"""Tables of a study on the terminal: one row a setting first, then one row a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from mlp_study.runs.ranking import AS_GOOD, BEST, UNKNOWN
from mlp_study.runs.result import DAMAGED
from mlp_study.showing import Columns, console, printable

MOST_RUNS, MOST_SETTINGS = 40, 20  # rows printed
MOST_DAMAGED = 8  # whose reasons are printed
MOST_SICK = 3  # diagnoses that are printed
# Left out one after the other where a terminal is too narrow: the files have them all.
DISPENSABLE = ("seconds", "parameters", "val_loss", "best_val_loss", "val_acc", "epochs", "test_acc", "n")
MARKS = {BEST: "best", AS_GOOD: "~", UNKNOWN: "?"}


def show(frame: pd.DataFrame, cells: pd.DataFrame, folder: Path) -> None:
    """Print a study: its settings, where there are several runs of one, its runs, and what is damaged.

    Args:
        frame: see `mlp_study.runs.table.table`.
        cells: see `mlp_study.runs.cells.table`.
        folder: of the study.
    """
    output = console()
    has_seeds = not cells.empty and int(cells["n"].max()) > 1
    if has_seeds:
        _show_settings(cells)
    # The directory's name repeats the overrides; training and test losses are in study.csv.
    overrides_shown = list(frame.columns).index("status") > 1
    left_out = {"reason", "diagnosis", "train_loss", "train_acc", "test_loss", *(["run"] if overrides_shown else [])}
    limit = MOST_RUNS if not has_seeds else MOST_RUNS // 4
    columns = [column for column in frame.columns if column not in left_out]
    _print(f"{len(frame)} runs, best first", frame.head(limit), columns, _cell)
    if len(frame) > limit:
        output.print(f"... and {len(frame) - limit} more runs")
    damaged = list(frame["reason"][frame["status"] == DAMAGED])
    for reason in damaged[:MOST_DAMAGED]:
        output.print(printable(f"{reason}; the command that trained the study trains the run anew"))
    if len(damaged) > MOST_DAMAGED:
        output.print(f"... and {len(damaged) - MOST_DAMAGED} more damaged runs; study.csv has their reasons")
    if "diagnosis" in frame and (sick := frame["diagnosis"][~frame["diagnosis"].isin(["", "healthy"])]).size:
        common = "; ".join(f"{num} {said}" for said, num in sick.value_counts().head(MOST_SICK).items())
        output.print(printable(f"{sick.size} of {len(frame)} runs are sick: {common}; mlp diagnose {folder} says more"))
    for name in ("study.csv", *(["cells.csv"] if has_seeds else [])):
        output.print(printable(f"table: {folder / name}"))


def _show_settings(cells: pd.DataFrame) -> None:
    output = console()
    settings = list(cells.columns)[: list(cells.columns).index("beside_best")]
    counts = [name for name in ("pruned", "diverged", "failed", "unfinished") if name in cells and cells[name].any()]
    metrics = [name for name in ("best_val_acc", "val_acc", "val_loss", "test_acc") if cells[name].notna().any()]
    if "best_val_acc" not in metrics:
        metrics = ["train_acc", "train_loss", *metrics]

    def text(column: str, row: pd.Series) -> str:
        value = row[column]
        if column == "beside_best":
            return MARKS.get(value, "")
        if f"{column}_std" in row and pd.notna(value):
            spread = row[f"{column}_std"]
            return f"{value:.4f}" + (f" ± {spread:.4f}" if pd.notna(spread) else "")
        return _cell(column, row)

    title = f"{len(cells)} settings, best first by the mean of their seeds (± standard deviation)"
    _print(title, cells.head(MOST_SETTINGS), ["beside_best", *settings, "n", *counts, *metrics], text)
    if len(cells) > MOST_SETTINGS:
        output.print(f"... and {len(cells) - MOST_SETTINGS} more settings")
    num_as_good = int((cells["beside_best"] == AS_GOOD).sum())
    if num_as_good:
        output.print(
            f"~ is not clearly worse than the best: by less than two standard deviations of a difference; {num_as_good}"
            f" of {len(cells) - 1} are"
        )


def _print(title: str, frame: pd.DataFrame, columns: list[str], text: Callable[[str, pd.Series], str]) -> None:
    """As many columns as the terminal is wide enough for; a file or a pipe has no width, and gets all."""
    output = console()
    if not output.is_terminal:
        output.width = 10_000
    left_out: list[str] = []
    while True:
        shown = [column for column in columns if column not in left_out]
        view = Columns(title)
        for column in shown:
            heading = "" if column == "beside_best" else column.replace("best_", "best\n")
            view.column(heading, pd.api.types.is_numeric_dtype(frame[column]))
        for _, row in frame.iterrows():
            view.row(*(text(column, row) for column in shown))
        further = next((column for column in DISPENSABLE if column in shown), None)
        if further is None or output.measure(view.table).maximum <= output.width:
            break
        left_out.append(further)
    output.print(view.table)
    if left_out:
        output.print(f"(too narrow for {', '.join(left_out)}: the files have them)")


def _cell(column: str, row: pd.Series) -> str:
    value: Any = row[column]
    if pd.isna(value):
        return "-"
    if column.endswith(("_loss", "_acc")):
        return f"{value:.4f}"
    if column == "seconds":
        return f"{value:.1f}"
    if column in ("parameters", "epochs", "n"):
        return f"{int(value):,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
