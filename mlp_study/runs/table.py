"""A study: the runs of one sweep in one directory. Its table is read from the run directories and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mlp_study.files import write_text
from mlp_study.runs.result import (
    COMPLETED,
    DAMAGED,
    DIVERGED,
    FAILED,
    STOPPED,
    UNFINISHED,
    Damaged,
    Result,
    read_result,
)
from mlp_study.runs.run import run_folders
from mlp_study.showing import Columns, console, printable

METRIC_COLUMNS = [
    "train_loss", "train_acc", "val_loss", "val_acc", "best_val_loss", "best_val_acc", "test_loss", "test_acc",
]  # fmt: skip
MOST_DAMAGED = 8  # whose reasons are printed
STATUS_ORDER = {COMPLETED: 0, STOPPED: 0, DIVERGED: 1, FAILED: 2, UNFINISHED: 3, DAMAGED: 4}


def overrides_that_differ(all_overrides: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """For each run, what it sets otherwise than some other run does, in the order typed."""
    pairs = [
        dict(override.lstrip("+~").split("=", 1) for override in overrides if "=" in override)
        for overrides in all_overrides
    ]
    keys = list(dict.fromkeys(key for pair in pairs for key in pair))
    differing = [key for key in keys if len({pair.get(key) for pair in pairs}) > 1]
    return [{key: pair[key] for key in differing if key in pair} for pair in pairs]


def table(folder: Path, failed: Iterable[Result] = ()) -> pd.DataFrame:
    """One row a run, best first: the overrides that differ, status, parameters, metrics, seconds.

    Best is the highest validation accuracy of any epoch, then the lowest validation loss; where nothing was held out,
    the same of the training images. Runs that diverged or failed come last, and after them those that have not ended
    (status unfinished) or whose record is not as it was written (status damaged, and what is wrong as their reason).

    Args:
        folder: of the study.
        failed: results of runs whose directories may not say it: they could not be written.
    """
    known = {folder / result.name: result for result in failed}
    runs = sorted({*run_folders(folder), *known})
    results = [_newer(_result(run), known.get(run)) for run in runs]
    differing = overrides_that_differ([result.overrides if isinstance(result, Result) else () for result in results])
    rows = []
    for run, result, overrides in zip(runs, results, differing, strict=True):
        row: dict[str, Any] = {"run": run.name, **overrides}
        if isinstance(result, Result):
            row |= {"status": result.status, "reason": result.reason}
            row |= {"parameters": result.num_parameters, "epochs": result.epochs}
            row |= {column: result.metrics.get(column) for column in METRIC_COLUMNS}
            row |= {"seconds": result.timings.get("seconds")}
        else:
            row |= {"status": UNFINISHED, "reason": ""} if result is None else {"status": DAMAGED, "reason": result}
            row |= dict.fromkeys(("parameters", "epochs", *METRIC_COLUMNS, "seconds"))
        rows.append(row)
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    return frame.iloc[sorted(range(len(rows)), key=lambda i: _rank(rows[i]))]


def _result(run: Path) -> Result | str | None:
    """How the run ended; None if it has not, and a text that says what is wrong where the record is damaged."""
    try:
        return read_result(run)
    except Damaged as error:
        return str(error)


def _newer(found: Result | str | None, failed: Result | None) -> Result | str | None:
    """What is said of a run: by its directory, unless that is of before it failed: of fewer epochs, say."""
    if failed is None or (isinstance(found, Result) and found.config_hash == failed.config_hash):
        return found
    return failed


def with_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """The same with columns of numbers in place of columns of texts that all are numbers: `optim.lr`, `seed`."""
    frame = frame.copy()
    for column in frame.select_dtypes(exclude="number"):
        numbers = pd.to_numeric(frame[column], errors="coerce")
        if (numbers.notna() == frame[column].notna()).all() and numbers.notna().any():
            frame[column] = numbers
    return frame


def _rank(row: dict[str, Any]) -> tuple[float, ...]:
    def number(*names: str) -> float:
        return next((float(row[name]) for name in names if name in row and pd.notna(row[name])), float("inf"))

    accuracy = number("best_val_acc", "train_acc")
    return (
        STATUS_ORDER[row["status"]],
        -accuracy if accuracy != float("inf") else 0.0,
        number("best_val_loss", "train_loss"),
    )


def write_table(folder: Path, frame: pd.DataFrame) -> None:
    """Write the table `frame` of the study in `folder` to its study.csv."""
    write_text(folder / "study.csv", frame.to_csv(index=False, lineterminator="\n"))


def show(frame: pd.DataFrame, folder: Path, limit: int = 40) -> None:
    """Print the table, at most `limit` rows, what is damaged, and where all of it is."""
    output = console()
    if not output.is_terminal:
        output.width = 200  # a file or a pipe has no width: let no column be cut
    # The directory's name repeats the overrides; training and test losses are in study.csv.
    overrides_shown = list(frame.columns).index("status") > 1
    left_out = {"reason", "train_loss", "train_acc", "test_loss", *(["run"] if overrides_shown else [])}
    view = Columns(f"{len(frame)} runs, best first")
    columns = [column for column in frame.columns if column not in left_out]
    for column in columns:
        view.column(column.replace("best_", "best\n"), pd.api.types.is_numeric_dtype(frame[column]))
    for _, row in frame.head(limit).iterrows():
        view.row(*(_cell(column, row[column]) for column in columns))
    output.print(view.table)
    if len(frame) > limit:
        output.print(f"... and {len(frame) - limit} more")
    damaged = list(frame["reason"][frame["status"] == DAMAGED])
    for reason in damaged[:MOST_DAMAGED]:
        output.print(printable(f"{reason}; the command that trained the study trains the run anew"))
    if len(damaged) > MOST_DAMAGED:
        output.print(f"... and {len(damaged) - MOST_DAMAGED} more damaged runs; study.csv has their reasons")
    output.print(printable(f"table: {folder / 'study.csv'}"))


def _cell(column: str, value: Any) -> str:
    if pd.isna(value):
        return "-"
    if column.endswith(("_loss", "_acc")):
        return f"{value:.4f}"
    if column == "seconds":
        return f"{value:.1f}"
    return f"{int(value):,}" if column in ("parameters", "epochs") else str(value)
