"""Writes all that one run leaves behind, its record and its TensorBoard events, for the plain and the stacked path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlp_study.config import Config
from mlp_study.data.datamodule import ImageDataModule
from mlp_study.events import EventFile, mistakes_picture
from mlp_study.mlp import MLP
from mlp_study.record import RunRecord, divergence
from mlp_study.statistics import Histogram
from mlp_study.summary import num_parameters, summary


class TestOutcome(NamedTuple):
    """What a trained network makes of the test images. `predicted`: (N_test,), class indices."""

    loss: float
    acc: float
    predicted: np.ndarray


class RunWriter:
    """Begin, one call per epoch, finish.

    Args:
        folder: the run's directory, which exists.
        config: its settings.
        overrides: what the user typed for it.
        name: what it is called in tables.
    """

    def __init__(self, folder: Path, config: Config, overrides: Sequence[str], name: str) -> None:
        self.config = config
        self.record = RunRecord(folder, config, overrides, name)
        self.events: EventFile | None = None

    @property
    def folder(self) -> Path:
        """The run's directory."""
        return self.record.folder

    def begin(self, mlp: MLP, data: ImageDataModule) -> None:
        """Write what is known before training."""
        self.record.begin(summary(mlp), sum(num_parameters(mlp)), str(data.device))
        data.scaler.save(self.folder / "scaler.npz")
        if self.config.logger["tensorboard"]:
            self.events = EventFile(self.folder)
            self.events.hparams(self.config, self.record.overrides)
            if self.config.logger["graph"]:
                self.events.graph(mlp)

    @property
    def wants_histograms(self) -> bool:
        """Whether `epoch` is to be given histograms."""
        return self.events is not None and bool(self.config.logger["histograms"])

    def epoch(self, row: Mapping[str, float], histograms: Mapping[str, Histogram | None], first_loss: float) -> str:
        """Record an epoch.

        Args:
            row: lr, train_loss, train_acc, val_loss and val_acc if something is held out, and the layers' statistics.
            histograms: by TensorBoard tag.
            first_loss: of the first mini-batch of the run.

        Returns:
            Why this counts as divergence; empty if it does not.
        """
        self.record.epoch(row)
        if self.events is not None:
            epoch = len(self.record.history)
            self.events.scalars(row, epoch)
            if histograms:
                self.events.histograms(histograms, epoch)
            self.events.flush()
        return divergence(row["train_loss"], row.get("val_loss"), first_loss)

    def finish(
        self,
        status: str,
        reason: str,
        test: TestOutcome | None,
        data: ImageDataModule,
        train_seconds: float,
        num_images: int,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """Record the end; see `RunRecord.finish`."""
        metrics = {} if test is None else {"test_loss": test.loss, "test_acc": test.acc}
        result = self.record.finish(status, reason, metrics, train_seconds, num_images, seconds)
        if self.events is not None:
            epoch = len(self.record.history)
            best = {f"best/{key}": result["metrics"].get(f"best_{key}") for key in ("val_acc", "val_loss")}
            last = {**metrics, **{key: value for key, value in best.items() if value is not None}}
            if last:
                self.events.scalars(last, epoch)
            if test is not None and data.test is not None and self.config.logger["images"]:
                labels = data.test[1].cpu().numpy()[: len(test.predicted)]
                wrong = np.flatnonzero(test.predicted != labels)[: self.config.logger["images"]]
                picture = mistakes_picture(
                    data.test_pixels[wrong], data.image_shape, test.predicted[wrong], labels[wrong]
                )
                self.events.image("misclassified, true > predicted", picture, epoch)
            self.close()
        return result

    def close(self) -> None:
        """Close the event file; nothing more can be recorded."""
        if self.events is not None:
            self.events.close()
            self.events = None
