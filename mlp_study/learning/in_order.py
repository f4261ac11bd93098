"""Sums over all numbers of one network, whose last bits do not depend on how many threads or other networks there are.

Torch lets its threads share a sum that is the only one, and adds up what they found; of several, each is made up by one
thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce

import torch
from torch import Tensor

SHARED = 32_768  # numbers from which on threads share a sum (torch's at::internal::GRAIN_SIZE)


@contextmanager
def in_order() -> Iterator[None]:
    """Let one thread make up each sum inside."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


def sums(numbers: Tensor) -> Tensor:
    """(M, ...) -> (M,)."""
    if len(numbers) > 1 or numbers.numel() < SHARED:
        return numbers.flatten(1).sum(1)
    with in_order():
        return numbers.flatten(1).sum(1)


def total(parts: Sequence[Tensor]) -> Tensor:
    """The sum of tensors (M,), one after the other; stacked, one member's would be summed in another order."""
    return reduce(torch.add, parts)


def deviations(numbers: Tensor) -> Tensor:
    """Standard deviations, (M, ...) -> (M,); torch's own has another last bit for one member than for several."""
    flat = numbers.flatten(1)
    return (flat - flat.mean(1, keepdim=True)).square_().mean(1).sqrt_()
