"""How good a network, or a stack of M networks, is on images that come slice by slice.

Shapes: (...) is () for one network and (M,) for a stack; N images, B of them in a slice.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# From images (B, pixels) and labels (B,): the sum of the losses (...), and the predicted classes (..., B).
Judged = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Evaluation:
    """Mean loss, accuracy and predictions; sums are float64, on the device, and read when they are asked for."""

    def __init__(self) -> None:
        self._loss: Tensor | float = 0.0
        self._predicted: list[Tensor] = []
        self._labels: list[Tensor] = []

    def add(self, loss: Tensor, predicted: Tensor, labels: Tensor) -> None:
        """A slice: sum of its losses (...), predicted classes (..., B), labels (B,)."""
        self._loss = self._loss + loss.double()
        self._predicted.append(predicted)
        self._labels.append(labels)

    @property
    def loss(self) -> Tensor:
        """The mean over the images, (...)."""
        return torch.as_tensor(self._loss, dtype=torch.float64) / sum(map(len, self._labels))

    @property
    def predicted(self) -> Tensor:
        """Classes, (..., N)."""
        return torch.cat(self._predicted, -1)

    @property
    def acc(self) -> Tensor:
        """The fraction that is classified right, (...)."""
        labels = torch.cat(self._labels)
        return (self.predicted == labels).sum(-1).double() / len(labels)


@torch.no_grad()
def evaluate(judged: Judged, images: Tensor, labels: Tensor, num_rows: int) -> Evaluation:
    """What `judged` makes of `images` (N, pixels) with `labels` (N,), `num_rows` of them at a time."""
    evaluation = Evaluation()
    for x, y in zip(images.split(num_rows), labels.split(num_rows), strict=True):
        evaluation.add(*judged(x, y), y)
    return evaluation
