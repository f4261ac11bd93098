"""The images that train: uint8, scaled once into one tensor on the device; a batch is a slice of it.

A DataLoader would collect each batch image by image in Python, which costs ten times what training a small network
does. Here one epoch is one seeded permutation, and `steps_per_execution` mini-batches are gathered at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from mlp_study.config import Config
from mlp_study.config.sections import Data
from mlp_study.data import sources
from mlp_study.data.scaling import Scaler
from mlp_study.data.split import split_indices
from mlp_study.learning.vital_signs import num_images, of_images
from mlp_study.seeds import streams

EVAL_BATCH = 10_000
Pair = tuple[Tensor, Tensor]  # images (N, pixels), labels (N,)


class Batches:
    """Mini-batches in a new seeded order every epoch, several at a time.

    Iterating yields (images, labels) of up to `steps_per_execution * batch_size` rows; whoever trains splits them
    into mini-batches of `batch_size`. The last mini-batch may be short: Keras trains on it, and so do we.

    Args:
        images: (N, pixels), on the device that trains.
        labels: (N,), int64, there too.
        batch_size: rows in a mini-batch.
        steps_per_execution: mini-batches gathered at a time.
        seed: decides the order of every epoch, with nothing else.
        limit: stop each epoch after so many mini-batches.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        batch_size: int,
        steps_per_execution: int,
        seed: int,
        limit: int | None = None,
    ) -> None:
        self.images, self.labels = images, labels
        self.batch_size = batch_size
        self.rows = batch_size * steps_per_execution
        self.num_images = len(images) if limit is None else min(len(images), limit * batch_size)
        self.generator = torch.Generator().manual_seed(seed)
        self._at_start = self.generator.get_state()  # of the epoch under way
        self._num_done = 0

    def state(self, num_done: int = 0) -> dict[str, Any]:
        """Where the order has come to: `num_done` images into the epoch under way, or with 0 at its end."""
        if not num_done:
            return {"order": self.generator.get_state()}
        return {"order": self._at_start, "num_done": num_done}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there: what was handed over of that epoch comes as blocks that are short or empty."""
        self.generator.set_state(state["order"])
        self._num_done = state.get("num_done", 0)

    def __len__(self) -> int:
        return -(-self.num_images // self.rows)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in self.blocks():
            yield self.images[rows], self.labels[rows]

    def blocks(self) -> Iterator[Tensor]:
        """The same as numbers of images, (rows,), on the device that trains."""
        self._at_start = self.generator.get_state()
        done, self._num_done = self._num_done, 0
        # Drawn on the CPU, so that the order is the same on every device.
        order = torch.randperm(len(self.images), generator=self.generator)[: self.num_images]
        for rows in to_device(order, self.images.device).split(self.rows):
            yield rows[done:]
            done = max(0, done - len(rows))


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A copy of a tensor of the CPU there, for which nobody waits."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


class Slices:
    """The images in their own order, in large slices: for evaluation."""

    def __init__(self, images: Tensor, labels: Tensor, limit: int | None = None) -> None:
        num = len(images) if limit is None else min(len(images), limit * EVAL_BATCH)
        self.images, self.labels = images[:num], labels[:num]

    def __len__(self) -> int:
        return -(-len(self.images) // EVAL_BATCH)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self.images.split(EVAL_BATCH), self.labels.split(EVAL_BATCH), strict=True)


class ImageData:
    """Scaled images of one source, split into training, validation and test parts.

    Args:
        data: where they come from, how they are split and scaled.
        seed: the seed of the run; it decides the order of the batches and nothing else.
        dtype: of the scaled images.
        device: where they live.
        steps_per_execution: mini-batches gathered at a time.
        limits: at most so many batches of "train", "val" and "test"; None means all.

    After `setup`: `image_shape`, `classes`, `scaler`, `test_pixels` (N_test, pixels) as they come, and the tensors
    `train`, `val` and `test`, each a pair (images (N, pixels), labels (N,)); `val` and `test` are None where there are
    none; `looked_at`, the few training images of `mlp_study.learning.vital_signs`, and `of_images`, what that says of
    them.
    """

    def __init__(
        self,
        data: Data,
        seed: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        steps_per_execution: int = 50,
        limits: dict[str, int | None] | None = None,
    ) -> None:
        super().__init__()
        self.data, self.seed, self.dtype, self.device = data, seed, dtype, torch.device(device)
        self.steps_per_execution = steps_per_execution
        self.limits = limits or {}

    @classmethod
    def of(cls, config: Config, device: torch.device) -> Self:
        """The images that `config` asks for, on `device`, set up."""
        trainer = config.trainer
        data = cls(
            config.data,
            seed=streams(config.seed).order,
            dtype=torch.float64 if trainer.precision == "64-true" else torch.float32,
            device=device,
            steps_per_execution=trainer.steps_per_execution,
            limits={
                "train": trainer.limit_train_batches,
                "val": trainer.limit_val_batches,
                "test": trainer.limit_test_batches,
            },
        )
        data.setup()
        return data

    def setup(self, stage: str | None = None) -> None:
        """Read, split, scale and move to the device; a second call does nothing."""
        if hasattr(self, "train"):
            return
        prepared = _prepare(self.data, sources.fingerprint(self.data), self.dtype, self.device)
        self.image_shape, self.classes, self.scaler = prepared.image_shape, prepared.classes, prepared.scaler
        self.test_pixels = prepared.test_pixels
        self.train, self.val, self.test = prepared.train, prepared.val, prepared.test
        self.looked_at, self.of_images = prepared.looked_at, prepared.of_images

    @property
    def num_batches(self) -> int:
        """Mini-batches in an epoch, the last and perhaps short one included."""
        return -(-self.train_batches(0).num_images // self.data.batch_size)

    def train_batches(self, seed: int) -> Batches:
        """The training images in the order of `seed`."""
        images, labels = self.train
        return Batches(images, labels, self.data.batch_size, self.steps_per_execution, seed, self.limits.get("train"))

    def slices(self, part: str) -> Slices | None:
        """Large slices of the images to validate on, "val", or to "test" with; None where there are none."""
        pair = self.val if part == "val" else self.test
        return None if pair is None else Slices(*pair, self.limits.get(part))


class Prepared(NamedTuple):
    """What `ImageData.setup` sets."""

    image_shape: tuple[int, int] | None
    classes: np.ndarray
    scaler: Scaler
    test_pixels: np.ndarray | None
    train: Pair
    val: Pair | None
    test: Pair | None
    looked_at: Pair
    of_images: dict[str, float]


@lru_cache(maxsize=2)  # the runs of a grid share their data
def _prepare(data: Data, fingerprint: Any, dtype: torch.dtype, device: torch.device) -> Prepared:
    raw = sources.load(data)
    train_rows, val_rows = split_indices(data, raw.labels)
    scaler = Scaler.fit(data.scaling, raw.images[train_rows], raw.largest)

    def tensors(images: np.ndarray, labels: np.ndarray) -> Pair:
        numpy_dtype = np.float64 if dtype == torch.float64 else np.float32
        scaled = torch.from_numpy(scaler.transform(images, numpy_dtype))
        return scaled.to(device, dtype), torch.from_numpy(np.ascontiguousarray(labels)).to(device)

    train = tensors(raw.images[train_rows], raw.labels[train_rows])
    test = None
    if raw.test_images is not None and raw.test_labels is not None:
        test = tensors(raw.test_images, raw.test_labels)
    val = tensors(raw.images[val_rows], raw.labels[val_rows]) if len(val_rows) else None
    if data.validate_on == "test":
        val = test
    num = num_images(len(train[0]))
    looked_at = train[0][:num], train[1][:num]
    seen = of_images(looked_at[0], train, val)
    return Prepared(raw.image_shape, raw.classes, scaler, raw.test_images, train, val, test, looked_at, seen)
