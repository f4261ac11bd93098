"""A run's record: one directory that says everything about itself, whoever trained it.

    config.yaml    every setting, resolved          history.csv   one row per epoch
    summary.txt    the layers                       result.json   status, reason, metrics, timings, versions
    scaler.npz     how pixels were scaled           events.out.*  TensorBoard
    checkpoints/   if asked for                     .hydra/       as Hydra composed it

result.json is written last, in one step: a directory without it is a run that never ended.
"""

from __future__ import annotations

import csv
import io
import json
import math
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from mlp_study.config import Config
from mlp_study.errors import UserError
from mlp_study.files import write_json, write_text

COMPLETED, DIVERGED, STOPPED, FAILED = "completed", "diverged", "stopped", "failed"
# A finite loss this many times that of the first mini-batch counts as divergence: the outputs of a saturated network
# are bounded, so that its loss can be absurd without ever reaching infinity.
DIVERGENCE_FACTOR = 1e3


def is_complete(folder: Path, config: Config) -> bool:
    """Whether `folder` already holds the result of this very configuration.

    Raises:
        UserError: it holds the result of another one, which must not be lost.
    """
    result = read_result(folder)
    if result is None or result["status"] == FAILED:
        return False
    if result["config_hash"] != config.hash():
        raise UserError(f"{folder}: holds the result of another configuration; choose another directory or remove it")
    if not config.resume:
        raise UserError(
            f"{folder}: already holds this run's result; resume=true passes over it, or remove it to train anew"
        )
    return True


def read_result(folder: Path) -> dict[str, Any] | None:
    """The content of `folder`/result.json, or None where there is none or no valid one."""
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return result if isinstance(result, dict) and {"status", "config_hash", "metrics"} <= result.keys() else None


class RunRecord:
    """Writes one run's directory while it trains.

    Args:
        folder: the run's directory.
        config: its settings.
        overrides: what the user typed for it.
        name: what it is called in tables.
    """

    def __init__(self, folder: Path, config: Config, overrides: Sequence[str], name: str) -> None:
        self.folder, self.config, self.overrides, self.name = folder, config, list(overrides), name
        self.history: list[dict[str, float]] = []
        self.started = time.time()
        self.num_parameters = 0
        self.device = "cpu"

    def begin(self, summary: str, num_parameters: int, device: str) -> None:
        """Clear what an interrupted run left here and write what is known before training."""
        for leftover in [
            *self.folder.glob("events.out.tfevents.*"),
            self.folder / "history.csv",
            self.folder / "result.json",
        ]:
            leftover.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
        self.num_parameters, self.device = num_parameters, device
        text = yaml.dump(self.config.as_dict(), Dumper=yaml.CSafeDumper, sort_keys=False)
        write_text(self.folder / "config.yaml", text)
        write_text(self.folder / "summary.txt", summary + "\n")

    def epoch(self, row: Mapping[str, float]) -> None:
        """Add a row to history.csv. No times in there: the same run writes the same bytes."""
        self.history.append({"epoch": len(self.history) + 1, **row})
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(self.history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        write_text(self.folder / "history.csv", text.getvalue())

    def finish(
        self,
        status: str,
        reason: str,
        test: Mapping[str, float],
        train_seconds: float,
        num_images: int,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """Write result.json.

        Args:
            status: completed, diverged, stopped or failed.
            reason: why, in a line; empty for completed.
            test: loss and accuracy on the test images, where there are any.
            train_seconds: spent in training and validation alone; for a member of a stack, its share.
            num_images: training images seen, all epochs together.
            seconds: the whole run's; default the time since it began. For a member of a stack, its share.
        """
        from mlp_study import __version__

        result = {
            "name": self.name,
            "status": status,
            "reason": reason,
            "overrides": self.overrides,
            "config_hash": self.config.hash(),
            "seed": self.config.seed,
            "num_parameters": self.num_parameters,
            "epochs": len(self.history),
            "metrics": {**final_metrics(self.history), **best_metrics(self.history), **test},
            "timings": {
                "seconds": time.time() - self.started if seconds is None else seconds,
                "train_seconds": train_seconds,
                "images_per_second": num_images / train_seconds if train_seconds > 0 else None,
            },
            "device": self.device,
            "started": datetime.fromtimestamp(self.started, UTC).isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {
                "mlp_study": __version__,
                "python": platform.python_version(),
                **_versions(),
            },
        }
        write_json(self.folder / "result.json", result)
        return result


@cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "lightning", "numpy", "hydra-core")}


def final_metrics(history: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Losses and accuracies of the last epoch."""
    wanted = ("train_loss", "train_acc", "val_loss", "val_acc")
    return {key: history[-1][key] for key in wanted if key in history[-1]} if history else {}


def best_metrics(history: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The lowest validation loss and the highest validation accuracy, and when: the first such epoch."""
    rows = [row for row in history if math.isfinite(row.get("val_loss", math.nan))]
    if not rows:
        return {}
    by_loss, by_acc = min(rows, key=lambda row: row["val_loss"]), max(rows, key=lambda row: row["val_acc"])
    return {
        "best_val_loss": by_loss["val_loss"],
        "best_val_loss_epoch": by_loss["epoch"],
        "best_val_acc": by_acc["val_acc"],
        "best_val_acc_epoch": by_acc["epoch"],
    }


def divergence(train_loss: float, val_loss: float | None, first_loss: float) -> str:
    """Why the epoch counts as diverged; empty if it does not."""
    for name, loss in (("training", train_loss), ("validation", val_loss)):
        if loss is not None and not math.isfinite(loss):
            return f"the {name} loss is {loss}"
    if train_loss > DIVERGENCE_FACTOR * max(first_loss, 1.0):
        return f"the training loss is {train_loss:.3g}, {DIVERGENCE_FACTOR:g} times that of the first mini-batch"
    return ""
