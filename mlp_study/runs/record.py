"""A run's record: one directory that says everything about itself, whoever trained it.

    config.yaml    every setting, resolved          history.csv   one row per epoch
    summary.txt    the layers                       result.json   status, reason, metrics, timings, versions
    scaler.npz     how pixels were scaled           events.out.*  TensorBoard
    checkpoints/   if asked for                     .hydra/       as Hydra composed it
    train.log      what was said                    classes.json  what labels stand for, of arrays of one's own
    evidence.csv   what a doctor sees, from before training on

result.json is written last, in one step: a directory without it is a run that never ended. It has the digests of the
files that count, so that one that was changed or cut short since is not taken for what training wrote.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any

import yaml

from mlp_study.errors import NotWritten
from mlp_study.files import append_text, digest, remove_links, sweep_up, write_json, write_text
from mlp_study.runs.result import EVIDENCE, HISTORY, RESULT, Result, result_of
from mlp_study.runs.run import CONFIG, SNAPSHOT, Run
from mlp_study.version import __version__

DIGESTED = (HISTORY, EVIDENCE, "scaler.npz", "classes.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt")


class RunRecord:
    """Writes one run's directory while it trains."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.history: list[dict[str, float]] = []
        self.evidence: list[dict[str, float]] = []
        self.started = time.time()
        self.num_parameters = 0
        self.device = "cpu"

    def begin(self, summary: str, num_parameters: int, device: str) -> None:
        """Clear what an interrupted run left here and write what is known before training."""
        folder, checkpoints = self.run.folder, self.run.folder / "checkpoints"
        try:
            remove_links([checkpoints])
            shutil.rmtree(checkpoints, ignore_errors=True)
            named = [folder / name for name in (RESULT, SNAPSHOT, *DIGESTED)]
            for leftover in [*folder.glob("events.out.tfevents.*"), *named]:
                leftover.unlink(missing_ok=True)
        except OSError as error:
            raise NotWritten(error.filename, error) from error
        self.num_parameters, self.device = num_parameters, device
        self._write_config()
        write_text(folder / "summary.txt", summary + "\n")

    def resume(self, history: Sequence[Mapping[str, float]], started: float, num_parameters: int, device: str) -> None:
        """Go on after the epochs of `history`; what an interrupted run has written of later ones is forgotten."""
        self._write_config()  # what only watches a run may be another now; and so may its last epoch
        (self.run.folder / RESULT).unlink(missing_ok=True)
        sweep_up(self.run.folder / "checkpoints")
        self.started, self.num_parameters, self.device = started, num_parameters, device
        self.history = [dict(row) for row in history]
        if self.history:
            write_text(self.run.folder / HISTORY, _table(self.history))
        else:
            (self.run.folder / HISTORY).unlink(missing_ok=True)

    def bring_up(self, earlier: Result) -> Result:
        """Record that a run which had ended before its last epoch ends so with these settings, too; returns how.

        config.yaml first: `mlp_study.runs.raised` knows a result that it is ahead of, and this is done again.
        """
        self._write_config()
        overrides, config_hash = tuple(self.run.overrides), self.run.config.hash()
        result = replace(earlier, name=self.run.name, overrides=overrides, config_hash=config_hash)
        self.write(result)
        return result

    def _write_config(self) -> None:
        text = yaml.dump(self.run.config.as_dict(), Dumper=yaml.CSafeDumper, sort_keys=False)
        write_text(self.run.folder / CONFIG, text)

    def log(self, text: str) -> None:
        """Add to train.log, in the form of Hydra's own lines."""
        now = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now)) + f",{int(now % 1 * 1000):03d}"
        append_text(self.run.folder / "train.log", f"{stamp} INFO {text}\n")

    def epoch(self, row: Mapping[str, float]) -> None:
        """Add a row to history.csv. No times in there: the same run writes the same bytes."""
        new = {"epoch": len(self.history) + 1, **row}
        path = self.run.folder / HISTORY
        if self.history:
            append_text(path, _csv([new], list(self.history[0])))
        else:
            write_text(path, _table([new]))
        self.history.append(new)  # what is not written has not happened

    def _see_history(self) -> str:
        """The digest of the file of all epochs, which is written anew where somebody has touched it."""
        path, text = self.run.folder / HISTORY, _table(self.history)
        wanted = hashlib.sha256(text.encode()).hexdigest()
        with suppress(NotWritten):  # it shows in the digest, and the run counts as damaged
            try:
                is_ours = digest(path) == wanted
            except OSError:
                is_ours = False
            if not is_ours:
                write_text(path, text)
        return wanted

    def finish(
        self,
        status: str,
        reason: str,
        test: Mapping[str, float],
        train_seconds: float,
        num_images: int,
        seconds: float | None = None,
        confusion: list[list[int]] | None = None,
    ) -> Result:
        """The content of result.json, for `write`; everything else has been written, the evidence now.

        Args:
            status: completed, stopped, pruned, diverged or failed.
            reason: why, in a line; empty for completed.
            test: loss and accuracy on the test images, where there are any.
            train_seconds: spent in training and validation alone; for a member of a stack, its share.
            num_images: training images seen, all epochs together.
            seconds: the whole run's; default the time since it began. For a member of a stack, its share.
            confusion: test images by class and prediction.
        """
        if self.evidence:
            with suppress(NotWritten):  # that is said of what counts more
                write_text(self.run.folder / EVIDENCE, _table(self.evidence))
        return result_of(
            {
                "name": self.run.name,
                "status": status,
                "reason": reason,
                "overrides": list(self.run.overrides),
                "config_hash": self.run.config.hash(),
                "seed": self.run.config.seed,
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
                "sha256": self._digests(),
                "confusion": confusion,
            }
        )

    def _digests(self) -> dict[str, str]:
        found = {HISTORY: self._see_history()} if self.history else {}
        for name in DIGESTED[1:]:
            with suppress(OSError):  # not there, or where a run fails because of it
                found[name] = digest(self.run.folder / name)
        return found

    def write(self, result: Result) -> None:
        """Write result.json: the last thing of all."""
        write_json(self.run.folder / RESULT, result.as_dict())


def _table(rows: Sequence[Mapping[str, float]]) -> str:
    """The text of a CSV file."""
    names = list(rows[0])
    return _csv([dict(zip(names, names, strict=True)), *rows], names)


def _csv(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    text = io.StringIO()
    csv.DictWriter(text, names, lineterminator="\n").writerows(rows)
    return text.getvalue()


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
