"""Finished runs that are asked for with more epochs, see `mlp_study.runs.raised`: some end as they had, some go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlp_study.execution.task import Rest, Task
from mlp_study.files import claimed
from mlp_study.runs.record import RunRecord
from mlp_study.runs.result import COMPLETED, Result
from mlp_study.runs.run import SNAPSHOT, Run


def bring_up(runs: Sequence[Run]) -> dict[Path, Result]:
    """Those of `runs` that had diverged or stopped early end so with more epochs, too: record it, and return it.

    Raises:
        UserError: a directory is in use, or cannot be written.
    """
    found: dict[Path, Result] = {}
    for run in runs:
        if _ended_early(run.earlier()):
            with claimed(run.folder):
                if (end := run.earlier()) is not None and _ended_early(end):
                    found[run.folder] = RunRecord(run).bring_up(end)
    return found


def _ended_early(end: Result | None) -> bool:
    return end is not None and end.status != COMPLETED


def rests(runs: Sequence[Run], wholes: Sequence[Task]) -> list[Task]:
    """Tasks for those of `runs` that go on for more epochs; those of one stand at the same.

    Args:
        runs: any.
        wholes: what would train together if all of a study began anew: so that each goes on beside whom it would then
            be beside by now.
    """
    ends = {run.folder: end.epochs for run in runs if (end := run.earlier()) is not None}
    tasks = []
    for whole in wholes:
        for num_epochs in sorted({ends[run.folder] for run in whole.runs if run.folder in ends}):
            left = tuple(run for run in whole.runs if ends.get(run.folder) == num_epochs)
            rest = Rest(num_epochs, len(whole.runs))
            tasks.append(Task(left, whole.engine, left[0].folder / SNAPSHOT, rest))
    return tasks
