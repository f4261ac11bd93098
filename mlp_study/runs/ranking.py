"""Which run and which setting is the best: one answer for every table, figure and page.

A run is judged by its highest validation accuracy of any epoch; of two that share it, by the lower of their lowest
validation losses. Where nothing was held out it is the same of the training images. Runs that were completed or stopped
early stand first, then those that a search has pruned,
and after them those that diverged, failed or have not ended.

A setting is judged by the mean over its seeds. One of whose runs some diverged or failed comes after all others: half
of a coin that falls well is not the best coin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mlp_study.runs.result import COMPLETED, DAMAGED, DIVERGED, FAILED, PRUNED, STOPPED, UNFINISHED
from mlp_study.runs.spread import Spread, clearly_below

STATUS_ORDER = {COMPLETED: 0, STOPPED: 0, PRUNED: 1, DIVERGED: 2, FAILED: 3, UNFINISHED: 4, DAMAGED: 5}
ACCURACIES, LOSSES = ("best_val_acc", "train_acc"), ("best_val_loss", "train_loss")
BEST, AS_GOOD, WORSE, UNKNOWN = "best", "not clearly worse", "clearly worse", "one run"


def accuracy_of(metrics: Mapping[str, Any]) -> float:
    """The accuracy that a run is judged by; NaN where it has none."""
    return _first(metrics, ACCURACIES)


def loss_of(metrics: Mapping[str, Any]) -> float:
    """The loss that a run is judged by where accuracies are the same; NaN where it has none."""
    return _first(metrics, LOSSES)


def run_rank(status: str, metrics: Mapping[str, Any]) -> tuple[float, float, float]:
    """What runs are sorted by, the best first."""
    return (STATUS_ORDER[status], *_by_values(accuracy_of(metrics), loss_of(metrics)))


def setting_rank(statuses: Mapping[str, int], accuracy: float, loss: float) -> tuple[float, float, float]:
    """What settings are sorted by, the best first.

    Args:
        statuses: how many of its runs ended how.
        accuracy, loss: means over its runs.
    """
    worst = max((order for status, order in STATUS_ORDER.items() if statuses.get(status)), default=0)
    # What still trains is shown where it stands by now.
    spoiled = worst if STATUS_ORDER[COMPLETED] < worst < STATUS_ORDER[UNFINISHED] else 0
    return (spoiled, *_by_values(accuracy, loss))


def beside_best(best: Spread, other: Spread) -> str:
    """Whether `other` is clearly worse than `best`, by the rule of the ledger: two standard deviations of a difference.

    One run each says nothing of a spread.
    """
    if len(best.values) < 2 and len(other.values) < 2:
        return UNKNOWN
    return WORSE if clearly_below(other, best) else AS_GOOD


def _first(metrics: Mapping[str, Any], names: tuple[str, ...]) -> float:
    found = (metrics.get(name) for name in names)
    return next((float(value) for value in found if value is not None and not math.isnan(value)), math.nan)


def _by_values(accuracy: float, loss: float) -> tuple[float, float]:
    return (math.inf if math.isnan(accuracy) else -accuracy), (math.inf if math.isnan(loss) else loss)
