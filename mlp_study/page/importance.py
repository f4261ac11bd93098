"""How much each setting matters: what a forest loses of its knowledge of results when the setting is shuffled.

A random forest learns the accuracy of settings from their values; then, on settings that it has not seen, in five
folds, permutation importance (Breiman, Machine Learning 45, 2001): by how much the share of the variance that it
explains (R squared) sinks when the values of one setting change places. Both are scikit-learn's. A forest that explains
little says nothing, so what it explains is given beside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 20  # settings, below which a forest learns nothing
LEAST_EXPLAINED = 0.3  # of the variance, below which nothing is shown
FOLDS, TREES, SHUFFLES = 5, 100, 10


@dataclass(frozen=True)
class Importance:
    """What came of it.

    Attributes:
        note: what was done and how far it can be trusted, or why there is nothing.
        shares: by setting the mean loss of R squared over folds and shuffles, and its standard deviation.
    """

    note: str
    shares: dict[str, tuple[float, float]]


def importance(names: Sequence[str], places: np.ndarray, values: np.ndarray) -> Importance:
    """Which settings matter for `values`.

    Args:
        names: of the settings.
        places: (N, settings), numbers: of a setting that is no number its place among the values.
        values: (N,), what is explained; NaN counts as the worst of the others.
    """
    known = np.isfinite(values)
    if known.sum() < LEAST or len(names) < 2:
        what = f"{known.sum()} combinations of {len(names)} settings have a result"
        return Importance(f"{what}; a forest needs {LEAST} of 2 settings or more to say which of them matter.", {})
    if np.ptp(values[known]) == 0:
        return Importance("All settings end at the same value; none matters.", {})
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import KFold

    target = np.where(known, values, values[known].min())
    losses, explained = [], []
    for seen, unseen in KFold(FOLDS, shuffle=True, random_state=0).split(places):
        forest = RandomForestRegressor(TREES, random_state=0).fit(places[seen], target[seen])
        unknown = places[unseen], target[unseen]
        explained.append((forest.predict(unknown[0]), unknown[1]))
        found = permutation_importance(forest, *unknown, n_repeats=SHUFFLES, random_state=0, scoring=_squares)
        losses.append(found.importances * len(unseen))
    variance = float(np.sum((target - target.mean()) ** 2))
    share = 1 - sum(float(np.sum((guess - truth) ** 2)) for guess, truth in explained) / variance
    what = f"A random forest ({TREES} trees) explains {max(0.0, share):.0%} of the variance of settings new to it"
    if share < LEAST_EXPLAINED:
        return Importance(f"{what}: too little to say which of them matter.", {})
    lost = np.sum(losses, axis=0) / variance  # settings x shuffles
    shares = {name: (float(row.mean()), float(row.std(ddof=1))) for name, row in zip(names, lost, strict=True)}
    note = f"{what}. A bar is the share that it loses where the values of one setting are shuffled."
    return Importance(note, dict(sorted(shares.items(), key=lambda item: -item[1][0])))


def _squares(forest: object, places: np.ndarray, truth: np.ndarray) -> float:
    """Minus the mean squared error: what permutation importance is counted in, and added up over folds."""
    return -float(np.mean((forest.predict(places) - truth) ** 2))  # type: ignore[attr-defined]


def coordinate(value: str, place: int, kind: str) -> float:
    """Where a forest sees a value: its number or its logarithm (kind linear or log), or else its place (text)."""
    if place < 0:
        return -1.0
    if kind == "text":
        return float(place)
    return math.log10(float(value)) if kind == "log" else float(value)
