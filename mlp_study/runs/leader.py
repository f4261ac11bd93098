"""The best that any of some runs has shown so far, while they are trained."""

from __future__ import annotations

import math
from collections.abc import Mapping


class Leader:
    """By validation accuracy, the highest of any epoch; by that of training where nothing is held out.

    Attributes:
        name: of the run; "" as long as there is none.
        row: of that epoch, what counts here: the accuracy, by its name, and the training loss if it is finite.
    """

    def __init__(self) -> None:
        self.name = ""
        self.row: dict[str, float] = {}
        self._acc = -1.0

    def sees(self, name: str, row: Mapping[str, float]) -> bool:
        """Whether a run leads with this epoch."""
        kind = "val_acc" if "val_acc" in row else "train_acc"
        acc = row.get(kind, math.nan)
        if not acc > self._acc:
            return False
        self.name, self._acc = name, acc
        self.row = {key: row[key] for key in ("train_loss", kind) if math.isfinite(row.get(key, math.nan))}
        return True
