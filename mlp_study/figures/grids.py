"""Two swept settings against each other: a panel for each pair, or a heat map of where they end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from mlp_study.figures.curves import METRICS, PARTS
from mlp_study.figures.style import COLOURS, WIDE, band, log_if_wide, whole_epochs
from mlp_study.runs.cells import Cell, values_of
from mlp_study.showing import label

MOST_PANELS = 48


def swept_pair(cells: Sequence[Cell]) -> tuple[str, str] | None:
    """The two settings that were swept, in the order typed; None unless there are exactly two."""
    keys = list(dict.fromkeys(key for cell in cells for key in cell.settings))
    if len(keys) != 2 or any(len(cell.settings) != 2 for cell in cells):
        return None
    return keys[0], keys[1]


def panels(cells: Sequence[Cell], metric: str) -> Figure | None:
    """A panel for each pair of settings: training and validation `metric` ("loss" or "acc") over epochs.

    None unless two settings were swept, each with more than one value and few enough to be read.
    """
    pair = swept_pair(cells)
    if pair is None:
        return None
    columns, rows = values_of(cells, pair[0]), values_of(cells, pair[1])
    if min(len(rows), len(columns)) < 2 or len(rows) * len(columns) > MOST_PANELS:
        return None
    size = (1.2 + 2.6 * len(columns), 1.2 + 1.9 * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(columns), sharex=True, sharey=True, squeeze=False)
    for cell in cells:
        i, j = rows.index(cell.settings[pair[1]]), columns.index(cell.settings[pair[0]])
        for (part, name), colour, style in zip(PARTS.items(), COLOURS, ("-", "--"), strict=False):
            band(axes[i][j], cell.curve(f"{part}_{metric}"), name, color=colour, linestyle=style)
        if any(result.status == "diverged" for result in cell.results):
            axes[i][j].text(0.5, 0.5, "diverged", transform=axes[i][j].transAxes, ha="center", color="#D55E00")
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    if metric == "loss":
        for axis in axes.flat:
            log_if_wide(axis)
        if any(axis.get_yscale() == "log" for axis in axes.flat):
            axes[0][0].set_yscale("log")  # shared by all panels
    for axis, value in zip(axes[0], columns, strict=True):
        axis.set_title(label(f"{pair[0]}={value}"), fontsize=10)
    for axis, value in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(label(f"{pair[1]}={value}") + f"\n{METRICS[metric]}", fontsize=10)
    for axis in axes[-1]:
        whole_epochs(axis)
    handles, labels = max((axis.get_legend_handles_labels() for axis in axes.flat), key=lambda found: len(found[1]))
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def heat_map(cells: Sequence[Cell], metric: str) -> Figure | None:
    """The mean final `metric` over two swept settings; None unless exactly two were swept."""
    pair = swept_pair(cells)
    if pair is None:
        return None
    rows, columns = values_of(cells, pair[0]), values_of(cells, pair[1])
    values = np.full((len(rows), len(columns)), np.nan)
    for cell in cells:
        numbers = cell.metric(metric)
        if np.isfinite(numbers).any():
            at = rows.index(cell.settings[pair[0]]), columns.index(cell.settings[pair[1]])
            values[at] = numbers[np.isfinite(numbers)].mean()
    if np.isnan(values).all():
        return None
    figure = Figure(figsize=(2.5 + 0.9 * len(columns), 1.8 + 0.55 * len(rows)), layout="constrained")
    axis = figure.subplots()
    low, high = np.nanmin(values), np.nanmax(values)
    norm = LogNorm(low, high) if low > 0 and high > WIDE * low else Normalize(low, high)
    image = axis.imshow(values, cmap="cividis", aspect="auto", norm=norm)
    axis.set_xticks(range(len(columns)), map(label, columns), rotation=30 if max(map(len, columns)) > 6 else 0)
    axis.set_yticks(range(len(rows)), map(label, rows))
    axis.set_xlabel(label(pair[1]))
    axis.set_ylabel(label(pair[0]))
    num_seeds = max(len(cell.results) for cell in cells)
    axis.set_title(f"final {metric}" + (f", mean of {num_seeds}" if num_seeds > 1 else ""))
    for (i, j), value in np.ndenumerate(values):
        colour = "black" if np.isfinite(value) and float(norm(value)) > 0.5 else "white"
        text = f"{value:.3f}" if np.isfinite(value) else "diverged"
        axis.text(j, i, text, ha="center", va="center", color=colour if text != "diverged" else "black", fontsize=9)
    figure.colorbar(image)
    return figure
