"""Means and spreads over seeds, and when two of them differ, or a printed number fits them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

CONFIDENCE = 0.99


class Spread:
    """One number for each seed."""

    def __init__(self, values: Iterable[float]) -> None:
        self.values = np.asarray(list(values), dtype=float)

    @property
    def mean(self) -> float:
        """Their mean."""
        return float(self.values.mean())

    @property
    def sd(self) -> float:
        """Their standard deviation (n - 1); 0 for one value."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 else 0.0

    def interval(self) -> tuple[float, float]:
        """Where one more run would fall with `CONFIDENCE`: mean -+ t sd sqrt(1 + 1/n), Student's t with n - 1 degrees.

        Source: Hahn & Meeker, Statistical Intervals (1991), section 4.7.
        """
        n = len(self.values)
        if n < 2:
            return self.mean, self.mean
        from scipy import stats  # half a second, which a table need not wait for

        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * self.sd * math.sqrt(1 + 1 / n)
        return self.mean - half, self.mean + half

    def fits(self, printed: float, digits: int) -> bool:
        """Whether a number printed with so many decimals could be one more of these runs."""
        low, high = self.interval()
        rounding = 0.5 * 10.0**-digits
        return low - rounding <= printed <= high + rounding

    def text(self, digits: int = 4) -> str:
        """Mean and standard deviation, as in "0.9612 ± 0.0008"; without the latter where there is one value."""
        shown = f"{self.mean:.{digits}f}" if abs(self.mean) < 1e4 else f"{self.mean:.3g}"
        return shown if len(self.values) < 2 else f"{shown} ± {self.sd:.{digits}f}"

    def percent(self) -> str:
        """The same of an accuracy, in per cent."""
        shown = f"{100 * self.mean:.2f}"
        return f"{shown} %" if len(self.values) < 2 else f"{shown} ± {100 * self.sd:.2f} %"


def clearly_below(a: Spread, b: Spread) -> bool:
    """Whether the mean of `a` is below that of `b` by more than twice the standard deviation of a difference."""
    return a.mean < b.mean - 2 * math.hypot(a.sd, b.sd)


def clearly_differ(a: Spread, b: Spread) -> bool:
    """Whether one of them is clearly below the other."""
    return clearly_below(a, b) or clearly_below(b, a)
