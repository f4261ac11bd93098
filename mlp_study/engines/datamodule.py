"""The LightningDataModule: image data, handed to Lightning's Trainer as it likes them."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch

from mlp_study.engines.image_data import Batches, ImageData, Slices


class ImageDataModule(ImageData, L.LightningDataModule):
    """Images for Lightning's Trainer. The arguments are those of `mlp_study.engines.image_data.ImageData`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._batches: Batches | None = None
        self._order: dict[str, Any] | None = None

    def train_dataloader(self) -> Batches:
        """Mini-batches for training; after `load_state_dict`, from where the order had come to."""
        self._batches = self.train_batches(self.seed)
        if self._order is not None:
            self._batches.set_state(self._order)
        return self._batches

    def val_dataloader(self) -> Slices | list[Any]:
        """Large slices of the validation images; empty where nothing is held out."""
        return self.slices("val") or []

    def test_dataloader(self) -> Slices | list[Any]:
        """Large slices of the test images; empty where the source has no labelled ones."""
        return self.slices("test") or []

    def state_dict(self, num_done: int = 0) -> dict[str, Any]:
        """Where the order of the batches has come to: Lightning puts it into its checkpoints, and so do we.

        `num_done`: see `Batches.state`.
        """
        return {} if self._batches is None else self._batches.state(num_done)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._order = state_dict if "order" in state_dict else None

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Nothing to do: the batches are born on the device."""
        return batch
