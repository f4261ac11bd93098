"""What can be said of a run that has not ended: its settings as typed, and the epochs that its history.csv has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlp_study.runs.record import best_metrics, final_metrics
from mlp_study.runs.result import HISTORY, UNFINISHED, Damaged, Result, read_rows


def unfinished(folder: Path, overrides: Sequence[str]) -> Result:
    """The run in `folder` as far as it has come, in the form of a result, which it has none of.

    Args:
        folder: of the run.
        overrides: what the user typed for it.
    """
    try:
        rows = read_rows(folder) if (folder / HISTORY).exists() else []
    except Damaged:
        rows = []
    metrics: dict[str, float | None] = {**final_metrics(rows), **best_metrics(rows)}
    return Result(
        name=folder.name,
        status=UNFINISHED,
        reason="",
        overrides=tuple(overrides),
        config_hash="",
        seed=0,
        num_parameters=0,
        epochs=len(rows),
        metrics=metrics,
        timings={},
        device="",
        started="",
        finished="",
        versions={},
        sha256={},
        confusion=None,
    )
