"""Writes all that one run leaves behind, its record and its TensorBoard events, whichever engine trains it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlp_study.engines.events import EventFile, mistakes_picture
from mlp_study.engines.hparams import hparams_of
from mlp_study.engines.image_data import ImageData
from mlp_study.files import write_json
from mlp_study.learning.layer_statistics import Histogram
from mlp_study.nets.mlp import MLP
from mlp_study.nets.summary import num_parameters, summary
from mlp_study.runs.record import RunRecord
from mlp_study.runs.result import Result
from mlp_study.runs.run import Run

MOST_CLASSES = 32  # whose confusion is recorded


class TestOutcome(NamedTuple):
    """What a trained network makes of the test images. `predicted`: (N_test,), class indices."""

    loss: float
    acc: float
    predicted: np.ndarray


def confusion_matrix(predicted: np.ndarray, data: ImageData) -> list[list[int]] | None:
    """Test images by their class, a row each, and what they were taken for; None of more than `MOST_CLASSES`."""
    num = len(data.classes)
    if data.test is None or num > MOST_CLASSES:
        return None
    labels = data.test[1].cpu().numpy()[: len(predicted)]
    found: list[list[int]] = np.bincount(labels * num + predicted, minlength=num * num).reshape(num, num).tolist()
    return found


class RunWriter:
    """Begin, one call per epoch, finish."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.record = RunRecord(run)
        self.events: EventFile | None = None

    def begin(self, mlp: MLP, data: ImageData) -> None:
        """Write what is known before training."""
        self.record.begin(summary(mlp), sum(num_parameters(mlp)), str(data.device))
        self._describe_data(data)
        if self.run.config.logger.tensorboard:
            self._begin_events(mlp)

    def resume(self, mlp: MLP, data: ImageData, state: Mapping[str, Any]) -> None:
        """Go on from `state`, which an earlier writer of this run has given."""
        self.record.resume(state["history"], state["started"], sum(num_parameters(mlp)), str(data.device))
        self.record.evidence = [dict(row) for row in state["evidence"]]
        self._describe_data(data)
        if self.run.config.logger.tensorboard:
            name, size = state["events"]
            try:
                self.events = EventFile.resumed(self.run.folder / Path(name).name, size)
            except OSError:
                self._begin_events(mlp)

    def state(self) -> dict[str, Any]:
        """What `resume` needs, plain."""
        return {
            "history": self.record.history,
            "evidence": self.record.evidence,
            "started": self.record.started,
            "events": ("", 0) if self.events is None else self.events.state(),
        }

    def _describe_data(self, data: ImageData) -> None:
        data.scaler.save(self.run.folder / "scaler.npz")
        if not np.array_equal(data.classes, np.arange(10)):
            write_json(self.run.folder / "classes.json", data.classes.tolist())

    def _begin_events(self, mlp: MLP) -> None:
        self.events = EventFile(self.run.folder)
        self.events.hparams(hparams_of(self.run))
        if self.run.config.logger.graph:
            self.events.graph(mlp)

    @property
    def wants_histograms(self) -> bool:
        """Whether `epoch` is to be given histograms."""
        return self.events is not None and self.run.config.logger.histograms

    def epoch(self, row: Mapping[str, float], histograms: Mapping[str, Histogram | None]) -> int:
        """Record an epoch; returns its number, from 1.

        Args:
            row: lr, train_loss, train_acc, val_loss and val_acc if something is held out, and the layers' statistics.
            histograms: by TensorBoard tag.
        """
        self.record.epoch(row)
        epoch = len(self.record.history)
        if self.events is not None:
            self.events.scalars(row, epoch)
            if histograms:
                self.events.histograms(histograms, epoch)
            self.events.flush()
        return epoch

    def evidence(self, row: Mapping[str, float]) -> None:
        """Record what a doctor sees after the epochs so far, or before them, see `mlp_study.learning.vital_signs`."""
        epoch = len(self.record.history)
        self.record.evidence.append({"epoch": epoch, **row})
        if self.events is not None:
            self.events.scalars({f"evidence/{name}": value for name, value in row.items()}, epoch)

    def finish(
        self,
        status: str,
        reason: str,
        test: TestOutcome | None,
        data: ImageData | None,
        train_seconds: float,
        num_images: int,
        seconds: float | None = None,
    ) -> Result:
        """The content of result.json, not yet written, see `RunRecord.finish`; the events are complete then."""
        metrics = {} if test is None else {"test_loss": test.loss, "test_acc": test.acc}
        confusion = None if test is None or data is None else confusion_matrix(test.predicted, data)
        result = self.record.finish(status, reason, metrics, train_seconds, num_images, seconds, confusion)
        if self.events is not None:
            epoch = len(self.record.history)
            best = {name: result.metrics.get(name) for name in ("best_val_acc", "best_val_loss")}
            last = {**metrics, **{key: value for key, value in best.items() if value is not None}}
            if last:
                self.events.scalars(last, epoch)
            if test is not None and data is not None:
                self._mistakes(test, data, epoch)
            self.close()
        return result

    def _mistakes(self, test: TestOutcome, data: ImageData, epoch: int) -> None:
        num = self.run.config.logger.images
        if not num or self.events is None or data.test is None or data.test_pixels is None or data.image_shape is None:
            return
        labels = data.test[1].cpu().numpy()[: len(test.predicted)]
        wrong = np.flatnonzero(test.predicted != labels)[:num]
        names = data.classes[labels[wrong]], data.classes[test.predicted[wrong]]
        picture = mistakes_picture(data.test_pixels[wrong], data.image_shape, names[1], names[0])
        self.events.image("misclassified, true > predicted", picture, epoch)

    def close(self) -> None:
        """Close the event file; nothing more can be recorded."""
        if self.events is not None:
            self.events.close()
            self.events = None
