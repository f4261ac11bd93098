"""Curves over epochs: training beside validation, loss above accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from mlp_study.figures.style import MOST_LINES, band, log_if_wide, look, whole_epochs
from mlp_study.runs.cells import Cell
from mlp_study.showing import label

PARTS = {"train": "training", "val": "validation"}
METRICS = {"loss": "loss", "acc": "accuracy"}


def curves(cells: Sequence[Cell]) -> Figure:
    """Loss and accuracy, training and validation side by side; one line a cell, with a band over its seeds."""
    figure = Figure(figsize=(11, 7.5 + 0.12 * len(cells)), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey="row", squeeze=False)
    for row, (metric, metric_name) in zip(axes, METRICS.items(), strict=True):
        for axis, (part, part_name) in zip(row, PARTS.items(), strict=True):
            axis.set_title(f"{part_name} {metric_name}")
            axis.grid(alpha=0.3)
            for i, cell in enumerate(cells[:MOST_LINES]):
                frame = cell.curve(f"{part}_{metric}")
                count = f" (mean of {frame.shape[1]})" if frame.shape[1] > 1 else ""
                band(axis, frame, label(cell.label) + count, **look(i))
        if metric == "loss":
            log_if_wide(row[0])
    for axis in axes[1]:
        whole_epochs(axis)
    handles, labels = axes[0][0].get_legend_handles_labels()
    if len(cells) > MOST_LINES:
        figure.suptitle(f"the first {MOST_LINES} of {len(cells)} cells")
    figure.legend(handles, labels, loc="outside lower center", ncols=2 if len(labels) > 4 else 1, fontsize=9)
    return figure
