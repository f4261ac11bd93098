"""Several studies beside each other: the same settings, and whether they clearly differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlp_study.runs.cells import Cell, best_first, with_numbers
from mlp_study.runs.spread import Spread, clearly_below

STUDY = "study"  # the setting in which runs of several studies differ
BETTER, WORSE, SAME = "clearly better", "clearly worse", "no clear difference"


def together(cells: Sequence[Cell]) -> list[tuple[dict[str, str], dict[str, Cell]]]:
    """Cells of several studies by what they have in common: the settings, and each study's cell; the best first."""
    found: dict[tuple[tuple[str, str], ...], dict[str, Cell]] = {}
    for cell in best_first(cells):
        settings = tuple((key, value) for key, value in cell.settings.items() if key != STUDY)
        found.setdefault(settings, {})[cell.settings[STUDY]] = cell
    return [(dict(settings), by_study) for settings, by_study in found.items()]


def comparison(cells: Sequence[Cell], studies: Sequence[str], metric: str) -> pd.DataFrame:
    """One row a setting: of each study the mean of `metric`, its standard deviation and n, and the differences.

    A difference is that of the means to the first study's, its spread the root of the sum of squared deviations; clear
    is more than twice that, the rule of the ledger. What a study lacks is NaN, and the verdict says so.

    Args:
        cells: of all studies, each with the setting `STUDY`.
        studies: their names, in the order typed.
        metric: of result.json.
    """
    rows = []
    for settings, by_study in together(cells):
        row: dict[str, Any] = dict(settings)
        known = {name: Spread(v[np.isfinite(v)]) for name, cell in by_study.items() for v in [cell.metric(metric)]}
        known = {name: spread for name, spread in known.items() if len(spread.values)}
        for name in studies:
            spread = known.get(name)
            row[name] = np.nan if spread is None else spread.mean
            row[f"{name}_std"] = np.nan if spread is None or len(spread.values) < 2 else spread.sd
            row[f"{name}_n"] = 0 if spread is None else len(spread.values)
        first = known.get(studies[0])
        for name in studies[1:]:
            other = known.get(name)
            both = first is not None and other is not None
            row[f"{name} - {studies[0]}"] = other.mean - first.mean if first and other else np.nan
            row[f"{name} spread"] = float(np.hypot(first.sd, other.sd)) if first and other else np.nan
            alone = f"only in {studies[0]}" if first is not None else f"not in {studies[0]}"
            row[f"{name} is"] = _verdict(first, other, metric) if both and first and other else alone
        rows.append(row)
    return with_numbers(pd.DataFrame(rows))


def _verdict(first: Spread, other: Spread, metric: str) -> str:
    if min(len(first.values), len(other.values)) < 2:
        return "one run"
    low, high = (WORSE, BETTER) if not metric.endswith("loss") else (BETTER, WORSE)
    return low if clearly_below(other, first) else high if clearly_below(first, other) else SAME
