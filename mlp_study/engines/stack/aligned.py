"""Tensors with a leading member axis whose members begin at multiples of 64 bytes.

Torch's fused optimizers compute what is left of a tensor behind its last 64 bytes with other instructions, and other
last bits. Where each member fills whole ones, its numbers do not depend on how many others are updated with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

ALIGNMENT = 64  # bytes


def room(num: int, shape: Sequence[int], like: Tensor) -> Tensor:
    """Zeros (num, *shape) of the type of `like`, where it is."""
    size = math.prod(shape)
    return like.new_zeros(num, _padded(size, like))[:, :size].view(num, *shape)


def stacked(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors of one shape, one for each member -> (M, *shape)."""
    rows = room(len(tensors), tensors[0].shape, tensors[0])
    for row, tensor in zip(rows, tensors, strict=True):
        row.copy_(tensor)
    return rows


def whole(rows: Tensor) -> Tensor:
    """What `room` has made, or some of its members, with what is between them: (M, numbers)."""
    padded = _padded(rows[0].numel(), rows)
    return rows.as_strided((len(rows), padded), (padded, 1))


def is_whole(rows: Tensor) -> bool:
    """Whether there is nothing between the members, because they fill whole ones."""
    return _padded(rows[0].numel(), rows) == rows[0].numel()


def _padded(size: int, like: Tensor) -> int:
    each = ALIGNMENT // like.element_size()
    return -(-size // each) * each
