"""Where a study stands: what its files say of its runs, ended or not, while somebody trains them or nobody does."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlp_study.errors import UserError
from mlp_study.runs.ranking import run_rank
from mlp_study.runs.result import COMPLETED, DAMAGED, FAILED, UNFINISHED, Damaged, Result, read_result
from mlp_study.runs.run import CONFIG, run_folders
from mlp_study.runs.under_way import UnderWay, silence
from mlp_study.runs.unfinished import unfinished

TRAINING, WAITING = "training", "waiting"  # of a study that is being carried out
ORDER = ("completed", "stopped", "pruned", "diverged", FAILED, DAMAGED, TRAINING, WAITING, UNFINISHED)


@dataclass
class Standing:
    """Of a study, or of one run.

    Attributes:
        folder: its directory.
        under_way: what the command that carries it out says, or said last; None where nobody does.
        is_alive: whether that command still runs.
        runs: how many of each status.
        failed: why runs failed, by their names.
        best: the highest validation accuracy of all epochs: the run's name, the epoch, the value.
        epochs: finished, over all runs.
        remarks: what is wrong with the files.
    """

    folder: Path
    under_way: UnderWay | None = None
    is_alive: bool = False
    runs: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    best: tuple[str, int, float] | None = None
    epochs: int = 0
    remarks: list[str] = field(default_factory=list)
    _place: tuple[float, float, float] | None = None  # of the best, among all

    @classmethod
    def of(cls, folder: Path) -> Standing:
        """Read it.

        Raises:
            UserError: there is neither a study nor a run.
        """
        standing = cls(folder)
        try:
            standing.under_way = UnderWay.in_folder(folder)
        except UserError as error:
            standing.remarks.append(str(error))
        if standing.under_way is not None:
            standing.is_alive = standing.under_way.is_alive(folder)
        folders = run_folders(folder) or ([folder] if (folder / CONFIG).is_file() else [])
        if not folders and standing.under_way is None:
            raise UserError(f"{folder}: holds no study: no run's directory, no progress.json")
        now_training = {
            name for worker in (standing.under_way.workers if standing.under_way else ()) for name in worker["runs"]
        }
        for run in folders:
            standing._add(run, is_training=standing.is_alive and run.name in now_training)
        if standing.under_way is not None:
            unseen = standing.under_way.num_runs - len(folders)
            standing.runs[WAITING if standing.is_alive else UNFINISHED] += max(0, unseen)
        return standing

    def _add(self, run: Path, is_training: bool) -> None:
        try:
            result = read_result(run)
        except Damaged as error:
            self.runs[DAMAGED] += 1
            self.failed[run.name] = str(error)
            return
        if result is None:
            self.runs[TRAINING if is_training else WAITING if self.is_alive else UNFINISHED] += 1
            result = unfinished(run, ())
        else:
            self.runs[result.status] += 1
            if result.status == FAILED:
                self.failed[run.name] = result.reason
        self.epochs += result.epochs
        self._compare(run.name, result)

    def _compare(self, name: str, result: Result) -> None:
        """Keep it if it is the best so far, by `mlp_study.runs.ranking`, whether or not it has ended."""
        value, place = result.metrics.get("best_val_acc"), run_rank(COMPLETED, result.metrics)
        if value is not None and math.isfinite(value) and (self._place is None or place < self._place):
            self.best = name, int(result.metrics.get("best_val_acc_epoch") or 0), value
            self._place = place

    @property
    def seconds_left(self) -> float | None:
        """That training may take, at the speed of the whole time so far; None where nothing is known of it."""
        said = self.under_way
        if said is None or not self.is_alive or not said.epochs:
            return None
        spent = said.written - said.started
        return max(0.0, spent / said.epochs * (said.num_epochs - said.epochs))

    def as_dict(self) -> dict[str, Any]:
        """Plain, for JSON."""
        return {
            "folder": str(self.folder),
            "is_alive": self.is_alive,
            "silent_seconds": None if self.under_way is None else silence(self.folder),
            "runs": {status: self.runs[status] for status in ORDER if self.runs[status]},
            "epochs": self.epochs,
            "failed": self.failed,
            "best": None if self.best is None else dict(zip(("run", "epoch", "val_acc"), self.best, strict=True)),
            "seconds_left": self.seconds_left,
            "under_way": None if self.under_way is None else self.under_way.as_dict(),
        }
