"""A study: the runs of one sweep in one directory. Its table is read from the run directories and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from mlp_study.files import write_text
from mlp_study.runs.run import read_result

METRIC_COLUMNS = [
    "train_loss", "train_acc", "val_loss", "val_acc", "best_val_loss", "best_val_acc", "test_loss", "test_acc",
]  # fmt: skip
STATUS_ORDER = {"completed": 0, "stopped": 0, "diverged": 1, "failed": 2, "unfinished": 3}


def overrides_that_differ(all_overrides: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """For each run, what it sets otherwise than some other run does, in the order typed."""
    pairs = [
        dict(override.lstrip("+~").split("=", 1) for override in overrides if "=" in override)
        for overrides in all_overrides
    ]
    keys = list(dict.fromkeys(key for pair in pairs for key in pair))
    differing = [key for key in keys if len({pair.get(key) for pair in pairs}) > 1]
    return [{key: pair[key] for key in differing if key in pair} for pair in pairs]


def table(folder: Path) -> pd.DataFrame:
    """One row a run, best first: the overrides that differ, status, parameters, metrics, seconds.

    Best is the highest validation accuracy of any epoch, then the lowest validation loss; where nothing was held out,
    the same of the training images. Runs that diverged or failed come last.
    """
    runs = sorted(path.parent for path in folder.glob("*/config.yaml")) if folder.is_dir() else []
    runs += sorted(path.parent for path in folder.glob("*/result.json") if path.parent not in runs)
    results: list[dict[str, Any]] = [read_result(run) or _unfinished(run) for run in runs]
    differing = overrides_that_differ([result["overrides"] for result in results])
    rows = []
    for run, result, overrides in zip(runs, results, differing, strict=True):
        metrics = result["metrics"]
        rows.append(
            {
                "run": run.name,
                **overrides,
                "status": result["status"],
                "reason": result["reason"],
                "parameters": result["num_parameters"],
                "epochs": result["epochs"],
                **{column: metrics.get(column) for column in METRIC_COLUMNS},
                "seconds": result["timings"].get("seconds"),
            }
        )
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    return frame.iloc[sorted(range(len(rows)), key=lambda i: _rank(rows[i]))]


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


def _unfinished(run: Path) -> dict[str, Any]:
    return {
        "status": "unfinished",
        "reason": "",
        "overrides": [],
        "num_parameters": None,
        "epochs": None,
        "metrics": {},
        "timings": {},
    }


def write_table(folder: Path) -> pd.DataFrame:
    """Write study.csv into `folder` and return what it holds."""
    frame = table(folder)
    write_text(folder / "study.csv", frame.to_csv(index=False, lineterminator="\n"))
    return frame


def show(frame: pd.DataFrame, folder: Path, limit: int = 40) -> None:
    """Print the table, at most `limit` rows, and where all of it is."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has no width: let no column be cut
    # The directory's name repeats the overrides; training and test losses are in study.csv.
    overrides_shown = list(frame.columns).index("status") > 1
    left_out = {"reason", "train_loss", "train_acc", "test_loss", *(["run"] if overrides_shown else [])}
    view = Table(title=f"{len(frame)} runs, best first", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    columns = [column for column in frame.columns if column not in left_out]
    for column in columns:
        numeric = pd.api.types.is_numeric_dtype(frame[column])
        view.add_column(column.replace("best_", "best\n"), justify="right" if numeric else "left", vertical="bottom")
    for _, row in frame.head(limit).iterrows():
        view.add_row(*(_cell(column, row[column]) for column in columns))
    console.print(view)
    if len(frame) > limit:
        console.print(f"... and {len(frame) - limit} more")
    console.print(f"table: {folder / 'study.csv'}")


def _cell(column: str, value: Any) -> str:
    if pd.isna(value):
        return "-"
    if column.endswith(("_loss", "_acc")):
        return f"{value:.4f}"
    if column == "seconds":
        return f"{value:.1f}"
    return f"{int(value):,}" if column in ("parameters", "epochs") else str(value)
