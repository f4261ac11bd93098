"""A study: the runs of one sweep in one directory. Its table is read from the run directories and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mlp_study.files import write_text
from mlp_study.runs.asked import Asked, differing_keys, pairs
from mlp_study.runs.ranking import run_rank
from mlp_study.runs.result import DAMAGED, UNFINISHED, Damaged, Result, read_result
from mlp_study.runs.run import run_folders
from mlp_study.runs.unfinished import unfinished

METRIC_COLUMNS = [
    "train_loss", "train_acc", "val_loss", "val_acc", "best_val_loss", "best_val_acc", "test_loss", "test_acc",
]  # fmt: skip


def overrides_that_differ(all_overrides: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """For each run, what it sets otherwise than some other run does, in the order typed."""
    differing = differing_keys(all_overrides)
    found = [pairs(overrides) for overrides in all_overrides]
    return [{key: pair[key] for key in differing if key in pair} for pair in found]


def table(folder: Path, failed: Iterable[Result] = ()) -> pd.DataFrame:
    """One row a run, best first: the overrides that differ, status, parameters, metrics, seconds.

    Best is what `mlp_study.runs.ranking` means by it. Runs that diverged or failed come last, and after them those that
    have not ended (status unfinished), with what their epochs so far say, and those whose record is not as it was
    written (status damaged, and what is wrong as their reason). Numbers are numbers.

    Args:
        folder: of the study.
        failed: results of runs whose directories may not say it: they could not be written.
    """
    asked = Asked.in_folder(folder)
    return frame_of(read_states(folder, asked, failed), asked)


State = Result | str  # how a run ended or how far it has come; a text says what is wrong with a damaged record


def read_states(folder: Path, asked: Asked, failed: Iterable[Result] = ()) -> dict[Path, State]:
    """How the runs of a study stand, by their directories; see `table`."""
    known = {folder / result.name: result for result in failed}
    return {run: _newer(state_of(run, asked), known.get(run)) for run in sorted({*run_folders(folder), *known})}


def frame_of(states: Mapping[Path, State], asked: Asked) -> pd.DataFrame:
    """What `table` returns, of runs that have been read."""
    words = [
        state.overrides if isinstance(state, Result) else asked.runs.get(run.name, ()) for run, state in states.items()
    ]
    rows = []
    for (run, state), overrides in zip(states.items(), overrides_that_differ(words), strict=True):
        row: dict[str, Any] = {"run": run.name, **overrides}
        if isinstance(state, Result):
            known_size = None if state.status == UNFINISHED else state.num_parameters
            row |= {"status": state.status, "reason": state.reason, "parameters": known_size, "epochs": state.epochs}
            row |= {column: state.metrics.get(column) for column in METRIC_COLUMNS}
            row |= {"seconds": state.timings.get("seconds")}
        else:
            row |= {"status": DAMAGED, "reason": state}
            row |= dict.fromkeys(("parameters", "epochs", *METRIC_COLUMNS, "seconds"))
        rows.append(row)
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    order = sorted(range(len(rows)), key=lambda i: run_rank(rows[i]["status"], rows[i]))
    return with_numbers(frame.iloc[order])


def state_of(run: Path, asked: Asked) -> State:
    """How a run ended, or how far it has come; a text that says what is wrong where its record is damaged."""
    try:
        result = read_result(run)
    except Damaged as error:
        return str(error)
    return unfinished(run, asked.runs.get(run.name, ())) if result is None else result


def _newer(found: State, failed: Result | None) -> State:
    """What is said of a run: by its directory, unless that is of before it failed: of fewer epochs, say."""
    if failed is None or (isinstance(found, Result) and found.config_hash == failed.config_hash):
        return found
    return failed


def with_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """The same with columns of numbers in place of columns of texts that all are numbers: `optim.lr`, `seed`."""
    frame = frame.copy()
    for column in frame.columns:
        if column in ("run", "status", "reason"):
            continue
        numbers = pd.to_numeric(frame[column], errors="coerce")
        if (numbers.notna() == frame[column].notna()).all() and (numbers.notna().any() or column in METRIC_COLUMNS):
            is_whole = bool(numbers.isna().any()) and bool((numbers.dropna() % 1 == 0).all())
            frame[column] = numbers.astype("Int64") if is_whole and column not in METRIC_COLUMNS else numbers
    return frame


def write_table(folder: Path, frame: pd.DataFrame, name: str = "study.csv") -> None:
    """Write the table `frame` of the study in `folder` to its study.csv, or to another one there."""
    write_text(folder / name, frame.to_csv(index=False, lineterminator="\n"))
