"""What an epoch of a stack has come to, between any two of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor


class Part:
    """The part of an epoch that M members have trained on: sums, and the block of mini-batches under way.

    A block is summed at once, when it is over: a tenth of the time of a step otherwise. A snapshot from inside it holds
    the losses one by one, so that their sum has the same last bits.

    Attributes:
        num: images so far, of each member.
        losses: (M,), float64, of the blocks that are over.
        hits: (M,), of those blocks.
    """

    def __init__(self, num_members: int, device: torch.device) -> None:
        self.num = 0
        self.losses = torch.zeros(num_members, dtype=torch.float64, device=device)
        self.hits = torch.zeros(num_members, dtype=torch.int64, device=device)
        self._block_losses: list[Tensor] = []
        self._logits: list[Tensor] = []
        self._labels: list[Tensor] = []

    @classmethod
    def restored(cls, states: Sequence[dict[str, Any]], device: torch.device) -> Self:
        """The inverse of `states`."""
        part = cls(len(states), device)
        part.num = states[0]["num"]
        for total, key in ((part.losses, "losses"), (part.hits, "hits")):
            total += torch.tensor([state[key] for state in states], dtype=total.dtype)
        part._block_losses = list(torch.stack([state["block"] for state in states], 1).to(device))
        return part

    def states(self) -> list[dict[str, Any]]:
        """Of each member, plain, see `mlp_study.engines.lit.LitMLP.part`; the hits are of all images so far."""
        hits = self.hits + self._block_hits() if self._logits else self.hits
        blocks = torch.stack(self._block_losses, 1) if self._block_losses else torch.zeros(len(hits), 0)
        return [
            {"num": self.num, "losses": loss, "hits": float(hit), "block": block}
            for loss, hit, block in zip(self.losses.tolist(), hits.tolist(), blocks, strict=True)
        ]

    def add(self, losses: Tensor, logits: Tensor, labels: Tensor) -> None:
        """A mini-batch: the mean losses (M,), logits (M, classes, B), labels (M, B)."""
        self._block_losses.append(losses)
        self._logits.append(logits)
        self._labels.append(labels)
        self.num += labels.shape[1]

    def end_block(self, batch_size: int) -> None:
        """Sum its losses and hits; all but its last mini-batch had `batch_size` images."""
        counts = [*[batch_size] * (len(self._block_losses) - 1), self._labels[-1].shape[1]]
        weights = torch.tensor(counts, dtype=torch.float64, device=self.losses.device)
        self.losses += weights @ torch.stack(self._block_losses).double()
        self.hits += self._block_hits()
        self._block_losses, self._logits, self._labels = [], [], []

    def _block_hits(self) -> Tensor:
        return (torch.cat(self._logits, 2).mT.contiguous().argmax(2) == torch.cat(self._labels, 1)).sum(1)
