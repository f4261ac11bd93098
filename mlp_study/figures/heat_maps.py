"""A field for each pair of values of two settings: where training ends. The best is marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from mlp_study.figures.chosen import best_each, judged, swept
from mlp_study.figures.rates import numbers_of
from mlp_study.figures.style import GOOD, WIDE, caption
from mlp_study.runs.asked import is_log
from mlp_study.runs.cells import Cell, best_first, mean, values_of
from mlp_study.runs.result import DIVERGED
from mlp_study.showing import label

MOST_MAPS = 6
MOST_VALUES, BINS = 12, 8  # a number with more values is cut into so many intervals


def heat_maps(cells: Sequence[Cell]) -> dict[str, Callable[[], Figure | None]]:
    """By name what draws a heat map for each pair of settings, the first `MOST_MAPS`; of other settings the best."""
    pairs = list(combinations([key for key in swept(cells) if len(values_of(cells, key)) > 1], 2))
    left = f"{len(pairs) - MOST_MAPS} more pairs of settings are not drawn" if len(pairs) > MOST_MAPS else ""
    return {f"heat_map_{a}_{b}": partial(heat_map, cells, judged(cells), (a, b), left) for a, b in pairs[:MOST_MAPS]}


def heat_map(cells: Sequence[Cell], metric: str, pair: tuple[str, str] | None = None, left: str = "") -> Figure | None:
    """The mean of `metric` over two settings, rows and columns as they were typed; the best one has a star.

    Args:
        cells: of a study.
        metric: of result.json.
        pair: the settings down and across, of others the best is shown; default the only two that were swept. None
            where there are others, or no run has the metric.
        left: a sentence on what is not drawn.
    """
    if pair is None:
        keys = swept(cells)
        if len(keys) != 2 or any(len(cell.settings) != 2 for cell in cells):
            return None
        pair = keys[0], keys[1]
    (rows, row_of), (columns, column_of) = (_fields(cells, key) for key in pair)
    shown, over = best_each(cells, pair)
    fields: dict[tuple[int, int], Cell] = {}
    for cell in best_first(list(shown.values())):  # of an interval the best comes first
        fields.setdefault((row_of[cell.settings[pair[0]]], column_of[cell.settings[pair[1]]]), cell)
    best, values = best_first(cells)[0], np.full((len(rows), len(columns)), np.nan)
    for at, cell in fields.items():
        values[at] = mean(cell.metric(metric))
    if np.isnan(values).all():
        return None
    figure = Figure(figsize=(2.5 + 1.0 * len(columns), 2.1 + 0.55 * len(rows)), layout="constrained")
    axis = figure.subplots()
    low, high = np.nanmin(values), np.nanmax(values)
    if metric.endswith("acc"):  # colours tell good ones apart; what is worse is all the same
        low = np.nanmin(values[values >= high - GOOD])
    norm = LogNorm(low, high) if low > 0 and high > WIDE * low else Normalize(low, high)
    image = axis.imshow(values, cmap="cividis", aspect="auto", norm=norm)
    axis.set_xticks(range(len(columns)), map(label, columns), rotation=30 if max(map(len, columns)) > 6 else 0)
    axis.set_yticks(range(len(rows)), map(label, rows))
    axis.set_xlabel(label(pair[1]))
    axis.set_ylabel(label(pair[0]))
    num_seeds = max(len(cell.results) for cell in cells)
    named = metric if metric.startswith("best_") else f"final {metric}"
    axis.set_title(named + (f", mean of {num_seeds}" if num_seeds > 1 else ""))
    for at, cell in fields.items():
        value, (i, j), is_best = values[at], at, cell is best
        has_diverged = any(result.status == DIVERGED for result in cell.results)
        text = f"{value:.3f}" if np.isfinite(value) else DIVERGED if has_diverged else "none"
        looks: dict[str, Any] = {"color": "white" if np.isfinite(value) and float(norm(value)) <= 0.5 else "black"}
        looks["fontweight"] = "bold" if is_best else "normal"
        axis.text(j, i, ("* " if is_best else "") + text, ha="center", va="center", fontsize=9, **looks)
    figure.colorbar(image, extend="min" if np.nanmin(values) < low else "neither")
    rest = f"of each field the best over {' and '.join(over)}" if over else ""
    caption(figure, rest, "* the best setting of all" if best in fields.values() else "", left)
    return figure


def _fields(cells: Sequence[Cell], key: str) -> tuple[list[str], dict[str, int]]:
    """What stands along an axis, and where each value of the setting belongs: values, or intervals of many numbers."""
    values, numbers = values_of(cells, key), numbers_of(cells, key)
    if len(values) <= MOST_VALUES or not numbers:
        return values, {value: i for i, value in enumerate(values)}
    low, high = numbers[0], numbers[-1]
    edges = np.geomspace(low, high, BINS + 1) if is_log(numbers) else np.linspace(low, high, BINS + 1)
    names = [f"{a:.2g} to {b:.2g}" for a, b in pairwise(edges)]
    places = np.clip(np.searchsorted(edges, [float(value) for value in values], side="right") - 1, 0, BINS - 1)
    return names, dict(zip(values, places.tolist(), strict=True))
