"""Several studies beside each other: a row for each setting, a mark and its spread for each study."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from mlp_study.figures.style import COLOURS, MARKERS, caption
from mlp_study.runs.cells import Cell
from mlp_study.runs.comparing import together
from mlp_study.showing import label

MOST_ROWS = 24


def studies_beside(cells: Sequence[Cell], studies: Sequence[str], metric: str) -> Figure:
    """Mean and standard deviation of `metric`, the best settings on top; what is not drawn is said."""
    rows = together(cells)
    shown = rows[:MOST_ROWS]
    figure = Figure(figsize=(9, 1.8 + 0.34 * len(shown)), layout="constrained")
    axis = figure.subplots()
    for i, name in enumerate(studies):
        at, means, sds = [], [], []
        for place, (_, by_study) in enumerate(shown):
            values = by_study[name].metric(metric) if name in by_study else np.empty(0)
            values = values[np.isfinite(values)]
            if len(values):
                at.append(place + (i - (len(studies) - 1) / 2) * 0.5 / len(studies))
                means.append(values.mean())
                sds.append(values.std(ddof=1) if len(values) > 1 else 0.0)
        axis.errorbar(means, at, xerr=sds, fmt=MARKERS[i % len(MARKERS)], color=COLOURS[i % len(COLOURS)],
                      capsize=2, label=label(name), markersize=5)  # fmt: skip
    names = [", ".join(f"{key}={value}" for key, value in settings.items()) or "all runs" for settings, _ in shown]
    axis.set_yticks(range(len(shown)), map(label, names), fontsize=9)
    axis.invert_yaxis()
    axis.set_xlabel(f"{metric}, mean and standard deviation over seeds")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=min(3, len(studies)), fontsize=9)
    alone = sum(len(by_study) < len(studies) for _, by_study in rows)
    caption(
        figure,
        f"the best {len(shown)} of {len(rows)} settings; the others are in comparison.csv"
        if len(rows) > len(shown)
        else "",
        f"{alone} settings are not in every study" if alone else "",
    )
    return figure
