"""The LightningDataModule: uint8 images, scaled once into one tensor on the device; a batch is a slice of it.

A DataLoader would collect each batch image by image in Python, which costs ten times what training a small network
does. Here one epoch is one seeded permutation, and `steps_per_execution` mini-batches are gathered at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor

from mlp_study.data import sources
from mlp_study.data.scaling import Scaler
from mlp_study.data.split import split_indices

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

    def __len__(self) -> int:
        return -(-self.num_images // self.rows)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        # Drawn on the CPU, so that the order is the same on every device.
        order = torch.randperm(len(self.images), generator=self.generator)[: self.num_images].to(self.images.device)
        for rows in order.split(self.rows):
            yield self.images[rows], self.labels[rows]


class Slices:
    """The images in their own order, in large slices: for evaluation."""

    def __init__(self, images: Tensor, labels: Tensor, limit: int | None = None) -> None:
        num = len(images) if limit is None else min(len(images), limit * EVAL_BATCH)
        self.images, self.labels = images[:num], labels[:num]

    def __len__(self) -> int:
        return -(-len(self.images) // EVAL_BATCH)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self.images.split(EVAL_BATCH), self.labels.split(EVAL_BATCH), strict=True)


class ImageDataModule(L.LightningDataModule):
    """Scaled images of one source, split into training, validation and test parts.

    Args:
        data: the checked settings of `conf/data`.
        seed: the seed of the run; it decides the order of the batches and nothing else.
        dtype: of the scaled images.
        device: where they live.
        steps_per_execution: mini-batches gathered at a time.
        limits: at most so many batches of "train", "val" and "test"; None means all.

    After `setup`: `image_shape`, `num_classes`, `scaler`, `test_pixels` (N_test, pixels) uint8, and the tensors
    `train`, `val` and `test`, each a pair (images (N, pixels), labels (N,)); `val` and `test` are None where there are
    none.
    """

    def __init__(
        self,
        data: dict[str, Any],
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

    def setup(self, stage: str | None = None) -> None:
        """Read, split, scale and move to the device; a second call does nothing."""
        if hasattr(self, "train"):
            return
        self.train: Pair
        self.val: Pair | None
        self.test: Pair | None
        prepared = _prepare(tuple(sorted(self.data.items())), self.dtype, self.device)
        (
            self.image_shape,
            self.num_classes,
            self.scaler,
            self.test_pixels,
            self.train,
            self.val,
            self.test,
        ) = prepared

    @property
    def num_batches(self) -> int:
        """Mini-batches in an epoch, the last and perhaps short one included."""
        return -(-self.train_batches(0).num_images // int(self.data["batch_size"]))

    def train_batches(self, seed: int) -> Batches:
        """The training images in the order of `seed`."""
        images, labels = self.train
        return Batches(
            images, labels, self.data["batch_size"], self.steps_per_execution, seed, self.limits.get("train")
        )

    def train_dataloader(self) -> Batches:
        """Mini-batches for training."""
        return self.train_batches(self.seed)

    def val_dataloader(self) -> Slices | list[Any]:
        """Large slices of the validation images; empty where nothing is held out."""
        return Slices(self.val[0], self.val[1], self.limits.get("val")) if self.val is not None else []

    def test_dataloader(self) -> Slices | list[Any]:
        """Large slices of the test images; empty where the source has no labelled ones."""
        return Slices(self.test[0], self.test[1], self.limits.get("test")) if self.test is not None else []

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Nothing to do: the batches are born on the device."""
        return batch


@lru_cache(maxsize=2)  # the runs of a grid share their data
def _prepare(data_items: tuple[tuple[str, Any], ...], dtype: torch.dtype, device: torch.device) -> tuple[Any, ...]:
    data = dict(data_items)
    raw = sources.load(data)
    train_rows, val_rows = split_indices(data, raw.labels)
    scaler = Scaler.fit(data["scaling"], raw.images[train_rows])

    def tensors(images: np.ndarray | None, labels: np.ndarray | None) -> tuple[Tensor, Tensor] | None:
        if images is None or labels is None or not len(images):
            return None
        numpy_dtype = np.float64 if dtype == torch.float64 else np.float32
        scaled = torch.from_numpy(scaler.transform(images, numpy_dtype))
        return scaled.to(device, dtype), torch.from_numpy(np.ascontiguousarray(labels)).to(device)

    train = tensors(raw.images[train_rows], raw.labels[train_rows])
    test = tensors(raw.test_images, raw.test_labels)
    val = test if data["validate_on"] == "test" else tensors(raw.images[val_rows], raw.labels[val_rows])
    return raw.image_shape, raw.num_classes, scaler, raw.test_images, train, val, test
