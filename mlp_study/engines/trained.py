"""Open a finished run again: its settings, its scaler and its trained network. Nothing in a file is executed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mlp_study.config import Config
from mlp_study.data.scaling import Scaler
from mlp_study.engines import checkpoint
from mlp_study.engines.lit import LitMLP
from mlp_study.errors import UserError
from mlp_study.learning.evaluation import Evaluation, evaluate
from mlp_study.learning.losses import outputs, sample_losses
from mlp_study.runs.run import read_config

INITIAL = "initial"  # in place of a checkpoint's name: the weights before training
NUM_ROWS = 10_000  # images at a time


@dataclass(frozen=True)
class TrainedRun:
    """A run's directory, read back.

    Attributes:
        folder: the directory.
        config: its settings.
        scaler: of its images.
        classes: what its network tells apart, (classes,).
        module: in evaluation mode, in the precision it was trained in.
    """

    folder: Path
    config: Config
    scaler: Scaler
    classes: np.ndarray
    module: LitMLP

    def scaled(self, pixels: np.ndarray, scaler: Scaler | None = None) -> Tensor:
        """Images (N, pixels) as they come, scaled as in training, or by another `scaler`.

        Raises:
            UserError: the network takes another number of pixels.
        """
        if pixels.shape[1] != self.module.mlp.in_size:
            raise UserError(f"{self.folder}: takes {self.module.mlp.in_size} pixels; these have {pixels.shape[1]}")
        is_double = self.config.trainer.precision == "64-true"
        return torch.from_numpy((scaler or self.scaler).transform(pixels, np.float64 if is_double else np.float32))

    @torch.no_grad()
    def outputs(self, pixels: np.ndarray, scaler: Scaler | None = None) -> np.ndarray:
        """What the network makes of images (N, pixels) as they come: (N, classes), probabilities of a softmax say."""
        module = self.module
        logits = torch.cat([module.mlp(x) for x in self.scaled(pixels, scaler).split(NUM_ROWS)])
        return outputs(module.loss, logits, module.output_activation).numpy()

    def evaluate(self, pixels: np.ndarray, labels: np.ndarray, scaler: Scaler | None = None) -> Evaluation:
        """Loss, without the L2 penalty, and accuracy on images (N, pixels) as they come, with labels (N,) from 0."""
        module = self.module

        def judged(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            logits = module.mlp(x)
            losses = sample_losses(module.loss, logits, y, module.output_activation)
            return losses.double().sum(), logits.argmax(-1)

        return evaluate(judged, self.scaled(pixels, scaler), torch.from_numpy(labels), NUM_ROWS)


def open_run(folder: Path, which: str = "last") -> TrainedRun:
    """Read the run in `folder` with its checkpoint `which`, "last" or "best", or with its "initial" weights.

    Raises:
        UserError: something is missing, damaged, of another kind, or does not fit together.
    """
    config = read_config(folder)
    scaler, classes = Scaler.load(folder / "scaler.npz"), _classes(folder / "classes.json")
    if which == INITIAL:
        module = LitMLP.of(config, len(scaler.mean), len(classes))
    else:
        module = checkpoint.load(folder / "checkpoints" / f"{which}.ckpt")
    if len(scaler.mean) != module.mlp.in_size:
        raise UserError(f"{folder}: its scaler has {len(scaler.mean)} pixels, its network {module.mlp.in_size} inputs")
    if len(classes) != module.mlp.out_size:
        raise UserError(f"{folder}: it has {len(classes)} classes, its network {module.mlp.out_size} outputs")
    if config.trainer.precision == "64-true":
        module.double()
    return TrainedRun(folder, config, scaler, classes, module.eval())


def _classes(path: Path) -> np.ndarray:
    """What labels stand for: what the file says; without one, ten digits."""
    if not path.is_file():
        return np.arange(10)
    try:
        classes = np.array(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise UserError(f"{path}: damaged: not JSON") from None
    if classes.ndim != 1 or classes.dtype.kind not in "biufU":
        raise UserError(f"{path}: damaged: not a list of classes")
    return classes
