"""What an epoch has come to, between any two of its steps, for one network or a stack of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor


class Part:
    """The part of an epoch that was trained on: sums, and the block of mini-batches under way.

    A block is summed at once, when it is over: a step's own few small sums would take a tenth of its time. A snapshot
    from inside it holds its losses one by one, so that their sum keeps its last bits.

    Args:
        shape: () for one network, written (...) below, and (M,) for a stack of M.
        device: that trains.

    Attributes:
        num: images so far.
        losses, hits: (...), float64 and int64, over the blocks that are over.
    """

    def __init__(self, shape: tuple[int, ...], device: torch.device) -> None:
        self.num = 0
        self.losses = torch.zeros(shape, dtype=torch.float64, device=device)
        self.hits = torch.zeros(shape, dtype=torch.int64, device=device)
        self._block: list[Tensor] = []
        self._logits: list[Tensor] = []
        self._labels: list[Tensor] = []

    @classmethod
    def restored(cls, states: Sequence[dict[str, Any]], shape: tuple[int, ...], device: torch.device) -> Self:
        """The inverse of `states`."""
        part = cls(shape, device)
        part.num = states[0]["num"]
        for total, key in ((part.losses, "losses"), (part.hits, "hits")):
            total += torch.tensor([state[key] for state in states], dtype=total.dtype, device=device).view(shape)
        block = torch.stack([state["block"] for state in states], 1).to(device)
        part._block = [losses.view(shape) for losses in block]
        return part

    def states(self) -> list[dict[str, Any]]:
        """Of each network, plain.

        `num` images are done; `hits` are of all of them, `losses` of the blocks that are over; `block` (K,) are those
        of the mini-batches of the one that is not.
        """
        hits = self.hits + self._block_hits() if self._logits else self.hits
        block = torch.stack(self._block) if self._block else torch.zeros(0, *hits.shape)
        return [
            {"num": self.num, "losses": losses, "hits": hits, "block": block}
            for losses, hits, block in zip(
                self.losses.view(-1).tolist(),
                hits.view(-1).tolist(),
                block.view(len(block), hits.numel()).T,
                strict=True,
            )
        ]

    def add(self, losses: Tensor, logits: Tensor, labels: Tensor) -> None:
        """A mini-batch of B: its mean losses (...), logits (..., B, classes) and labels (..., B)."""
        self._block.append(losses)
        self._logits.append(logits)
        self._labels.append(labels)
        self.num += labels.shape[-1]

    def end_block(self, batch_size: int) -> None:
        """Sum it up; all but its last mini-batch had `batch_size` images."""
        # Filled on the device: numbers that come from here would have to be waited for.
        weights = torch.full((len(self._block),), float(batch_size), dtype=torch.float64, device=self.losses.device)
        weights[-1:].fill_(self._labels[-1].shape[-1])
        self.losses += weights @ torch.stack(self._block).double()
        self.hits += self._block_hits()
        self._block, self._logits, self._labels = [], [], []

    def _block_hits(self) -> Tensor:
        # Those of its mini-batches that a snapshot was taken after have no logits, and are counted.
        return (torch.cat(self._logits, -2).argmax(-1) == torch.cat(self._labels, -1)).sum(-1)
