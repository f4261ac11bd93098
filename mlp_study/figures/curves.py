"""Curves over epochs: training beside validation, loss above accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from mlp_study.figures.chosen import Choices, best_of, common, ends_badly
from mlp_study.figures.looks import Looks
from mlp_study.figures.style import MOST_LINES, aim_at_good, band, caption, legend, log_if_wide, whole_epochs
from mlp_study.runs.cells import Cell
from mlp_study.showing import label

PARTS = {"train": "training", "val": "validation"}
METRICS = {"loss": "loss", "acc": "accuracy"}


def curves(cells: Sequence[Cell], choices: Choices | None = None) -> Figure:
    """Loss and accuracy, training and validation side by side; one line a cell, with a band over its seeds.

    Args:
        cells: of a study.
        choices: the best of the cells are drawn, and accuracies as large as there is room for; default all of them, in
            their order, on whole axes.
    """
    shown, left = (list(cells[:MOST_LINES]), "") if choices is None else best_of(cells, min(choices.best, MOST_LINES))
    looks = Looks(cells, shown, None if choices is None else choices.colour)
    shared = common(shown)
    figure = Figure(figsize=(11, 7.5 + 0.2 * len(shown)), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, squeeze=False)
    for row in axes if choices is None else axes[1:]:  # training losses go where validation losses look flat
        row[1].sharey(row[0])
    for row, (metric, metric_name) in zip(axes, METRICS.items(), strict=True):
        for axis, (part, part_name) in zip(row, PARTS.items(), strict=True):
            axis.set_title(f"{part_name} {metric_name}")
            axis.grid(alpha=0.3)
            for cell in shown:
                name = ", ".join(f"{key}={value}" for key, value in cell.settings.items() if key not in shared)
                band(axis, cell.curve(f"{part}_{metric}"), label(name or cell.label), **looks.of(cell))
        for group in [row] if choices is None else row:
            if metric == "loss":
                log_if_wide(group)
    for axis in axes[1]:
        whole_epochs(axis)
    beside = aim_at_good(axes[1]) if choices is not None else ""
    if len(cells) > len(shown) and not left:
        left = f"the first {MOST_LINES} of {len(cells)} cells"
    all_with = ", ".join(f"{key}={value}" for key, value in shared.items())
    caption(figure, left, f"all with {all_with}" if all_with else "", beside, ends_badly(shown))
    handles, labels = axes[0][0].get_legend_handles_labels()
    legend(figure, handles, labels, max(len(cell.results) for cell in shown))
    return figure
