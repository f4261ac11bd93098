"""Tensors with a leading member axis whose members begin at multiples of 64 bytes.

Torch's fused optimizers compute what is left of a tensor behind its last 64 bytes with other instructions, and other
last bits. Where each member fills whole ones, its numbers do not depend on how many others are updated with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

ALIGNMENT = 64  # bytes


def aligned_zeros(num: int, shape: Sequence[int], like: Tensor) -> Tensor:
    """Zeros (num, *shape) of the type of `like`, where it is."""
    padded = _padded(math.prod(shape), like)
    strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    return like.new_zeros(num * padded).as_strided((num, *shape), (padded, *strides))


def stacked(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors of one shape, one for each member -> (M, *shape)."""
    rows = aligned_zeros(len(tensors), tensors[0].shape, tensors[0])
    for row, tensor in zip(rows, tensors, strict=True):
        row.copy_(tensor)
    return rows


def whole(rows: Tensor) -> Tensor:
    """What `aligned_zeros` has made, or some of its members, with what is between them: (M, numbers)."""
    padded = _padded(rows[0].numel(), rows)
    return rows.as_strided((len(rows), padded), (padded, 1))


def is_aligned(rows: Tensor) -> bool:
    """Whether each member begins where `aligned_zeros` lets it begin."""
    return rows.stride(0) == _padded(rows[0].numel(), rows)


def _padded(size: int, like: Tensor) -> int:
    each = ALIGNMENT // like.element_size()
    return -(-size // each) * each
