"""Where each learning rate ends: loss and accuracy over the rate, on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mlp_study.figures.style import MARKERS, MOST_LINES, band, log_if_wide, look
from mlp_study.runs.cells import Cell, as_number
from mlp_study.showing import label

RATE = "optim.lr"


def learning_rates(cells: Sequence[Cell]) -> Figure | None:
    """Final training loss and validation accuracy over the rate, a line for each combination of the other settings.

    Runs that diverged have no loss and leave a gap. None unless at least two rates were swept.
    """
    lines: dict[str, list[Cell]] = {}
    for cell in cells:
        if as_number(cell.settings.get(RATE, "")) is not None:
            others = ", ".join(f"{key}={value}" for key, value in cell.settings.items() if key != RATE)
            lines.setdefault(others, []).append(cell)
    if not lines or max(map(len, lines.values())) < 2 or len(lines) > MOST_LINES:
        return None
    figure = Figure(figsize=(11, 4.4 + 0.15 * len(lines)), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, metric, title in zip(
        axes, ("train_loss", "val_acc"), ("final training loss", "final validation accuracy"), strict=True
    ):
        for i, (others, group) in enumerate(lines.items()):
            rows = {float(cell.settings[RATE]): pd.Series(cell.metric(metric)) for cell in group}
            frame = pd.DataFrame(rows).T.sort_index().replace([np.inf, -np.inf], np.nan)
            band(axis, frame, label(others) or "mean over seeds", **look(i))
            axis.get_lines()[-1].set_marker(MARKERS[i % len(MARKERS)])
        axis.set_xscale("log")
        axis.set_xlabel("learning rate")
        axis.set_title(title)
        axis.grid(alpha=0.3)
    log_if_wide(axes[0])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3 if len(labels) > 1 else 1, fontsize=9)
    return figure
