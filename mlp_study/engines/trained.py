"""Open a finished run again: its settings, its scaler and its trained network. Nothing in a file is executed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mlp_study.config import Config
from mlp_study.config.memory import check_fits
from mlp_study.data.scaling import Scaler
from mlp_study.engines import checkpoint
from mlp_study.engines.learner import Learner
from mlp_study.errors import UserError
from mlp_study.files import digest
from mlp_study.learning.evaluation import Evaluation, evaluate
from mlp_study.learning.losses import outputs, sample_losses
from mlp_study.reading import MOST_TEXT, check_regular, decoding, text
from mlp_study.runs.result import read_result
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
    module: Learner

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

    def is_finite(self) -> bool:
        """Whether all weights are; those of a run that diverged need not be."""
        return all(bool(tensor.isfinite().all()) for tensor in self.module.state_dict().values())

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
    _check_digests(folder, ["scaler.npz", "classes.json", *([] if which == INITIAL else [checkpoint_name(which)])])
    scaler, classes = Scaler.load(folder / "scaler.npz"), _classes(folder / "classes.json")
    try:
        check_fits(config, len(scaler.mean), len(classes), is_trained=False)
    except UserError as error:
        raise UserError(f"{folder / 'config.yaml'}: {error}") from None
    module = Learner.of(config, len(scaler.mean), len(classes))
    if config.trainer.precision == "64-true":
        module.double()
    if which != INITIAL:
        checkpoint.load(folder / checkpoint_name(which), module)
    return TrainedRun(folder, config, scaler, classes, module.eval())


def checkpoint_name(which: str) -> str:
    """The file, below the run's directory, of the checkpoint `which`."""
    return f"checkpoints/{which}.ckpt"


def _check_digests(folder: Path, names: Sequence[str]) -> None:
    """Compare files of the run with what result.json says of their bytes, where it does.

    Raises:
        UserError: one is gone, or holds other bytes.
    """
    result = read_result(folder)
    recorded = {} if result is None else result.sha256
    for name in names:
        path, written = folder / name, recorded.get(name)
        if written is None:
            continue
        check_regular(path)
        with decoding(path, "cannot be read"):
            found = digest(path)
        if found != written:
            raise UserError(f"{path}: damaged: its bytes are not those that training wrote")


def _classes(path: Path) -> np.ndarray:
    """What labels stand for: what the file says; without one, ten digits."""
    if not os.path.lexists(path):
        return np.arange(10)
    with decoding(path, "damaged: not JSON"):
        found = json.loads(text(path, "damaged: not JSON"))
        json.dumps(found, ensure_ascii=False).encode()  # JSON can hold half of a character, which no file of ours can
    kinds = {type(name) for name in found} if isinstance(found, list) else set()
    if len(kinds) != 1 or not kinds <= {int, str, bool} or len(set(found)) < max(2, len(found)):
        raise UserError(f"{path}: damaged: not a list of classes, all of them whole numbers or all of them texts")
    if kinds == {str} and len(found) * max(map(len, found)) > MOST_TEXT:  # an array gives each as much as the longest
        raise UserError(f"{path}: damaged: its texts are too long for the names of {len(found)} classes")
    classes = np.array(found)
    if classes.dtype.kind not in "biuU" or classes.tolist() != found:
        raise UserError(f"{path}: damaged: its classes are not what they can have been in an array")
    return classes
