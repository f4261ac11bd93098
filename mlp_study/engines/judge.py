"""What an epoch means for a run: that it diverged, should stop, is done, is the best so far. One for both engines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from mlp_study.config import Config
from mlp_study.config.sections import Checkpoint
from mlp_study.runs.result import COMPLETED, DIVERGED, STOPPED

# A finite loss this many times that of the first mini-batch counts as divergence: the outputs of a saturated network
# are bounded, so that its loss can be absurd without ever reaching infinity.
DIVERGENCE_FACTOR = 1e3


class Verdict(NamedTuple):
    """On one epoch. status: how the run has ended with it, "" if it goes on; is_best: whether it is the best so far."""

    status: str
    reason: str
    is_best: bool


class Best:
    """The best value so far of a monitored quantity; accuracies are better when larger, losses when smaller."""

    def __init__(self, monitor: str, min_delta: float = 0.0) -> None:
        self.monitor, self.min_delta = monitor, min_delta
        self.sign = 1.0 if monitor.endswith("_acc") else -1.0
        self.value: float | None = None

    def improves(self, row: Mapping[str, float]) -> bool:
        """Whether `row` is better by more than `min_delta`, and so the new best. What is no number is never better."""
        value = self.sign * row[self.monitor]
        value = -math.inf if math.isnan(value) else value
        if self.value is not None and not value - self.min_delta > self.value:
            return False
        self.value = value
        return True


class Judge:
    """Of one run."""

    def __init__(self, config: Config) -> None:
        self.max_epochs = config.trainer.max_epochs
        stopping, checkpoint = config.callbacks.early_stopping, config.callbacks.checkpoint
        self._watched = Best(stopping.monitor, stopping.min_delta) if stopping is not None else None
        self._patience = stopping.patience if stopping is not None else 0
        self._waited = 0
        is_wanted = checkpoint is not None and checkpoint.save_best
        self._best = Best(best_by(checkpoint, config.data.has_validation)) if is_wanted else None

    def state(self) -> dict[str, Any]:
        """What it remembers, plain."""
        return {
            "watched": None if self._watched is None else self._watched.value,
            "waited": self._waited,
            "best": None if self._best is None else self._best.value,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state`."""
        self._waited = state["waited"]
        for judge, value in ((self._watched, state["watched"]), (self._best, state["best"])):
            if judge is not None:
                judge.value = value

    def epoch(self, row: Mapping[str, float], number: int, first_loss: float) -> Verdict:
        """Judge epoch `number`, from 1; `first_loss` is that of the run's first mini-batch."""
        status, reason = "", divergence(row["train_loss"], row.get("val_loss"), first_loss)
        if reason:
            status = DIVERGED
        elif self._watched is not None:
            self._waited = 0 if self._watched.improves(row) else self._waited + 1
            if self._waited and self._waited >= self._patience:
                status = STOPPED
                reason = f"early stopping: {self._watched.monitor} did not improve in {self._patience} epochs"
        if not status and number >= self.max_epochs:
            status = COMPLETED
        return Verdict(status, reason, self._best is not None and self._best.improves(row))


def best_by(checkpoint: Checkpoint | None, has_validation: bool) -> str:
    """What the best network is judged by: as asked, or the validation loss, or where there is none the training's."""
    asked = checkpoint.monitor if checkpoint is not None else None
    return asked or ("val_loss" if has_validation else "train_loss")


def divergence(train_loss: float, val_loss: float | None, first_loss: float) -> str:
    """Why the epoch counts as diverged; empty if it does not."""
    for name, loss in (("training", train_loss), ("validation", val_loss)):
        if loss is not None and not math.isfinite(loss):
            return f"the {name} loss is {loss}"
    if train_loss > DIVERGENCE_FACTOR * max(first_loss, 1.0):
        return f"the training loss is {train_loss:.3g}, {DIVERGENCE_FACTOR:g} times that of the first mini-batch"
    return ""
