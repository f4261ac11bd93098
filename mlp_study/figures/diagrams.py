"""Networks drawn: small ones unit by unit, and numbers layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mlp_study.figures.style import COLOURS, WIDE
from mlp_study.runs.spread import Spread


def diagrams(networks: Mapping[str, Sequence[Sequence[Sequence[float]]]]) -> Figure:
    """For each title, a network's kernels, each a row per unit: units as circles, weights as lines.

    Zero weights are thin and grey, others blue (positive) or orange and dashed (negative), the thicker the larger.
    """
    figure = Figure(figsize=(3.1 * len(networks), 3.0), layout="constrained")
    for axis, (title, kernels) in zip(
        figure.subplots(1, len(networks), squeeze=False)[0], networks.items(), strict=True
    ):
        sizes = [len(kernels[0][0]), *(len(kernel) for kernel in kernels)]
        heights = [np.arange(size) - (size - 1) / 2 for size in sizes]
        largest = max((abs(w) for kernel in kernels for row in kernel for w in row), default=0) or 1.0
        for i, kernel in enumerate(kernels):
            for (unit, source), weight in np.ndenumerate(np.array(kernel)):
                looks: dict[str, Any] = {"color": "0.7", "linewidth": 0.8}
                if weight:
                    looks = {
                        "color": COLOURS[0] if weight > 0 else COLOURS[1],
                        "linestyle": "-" if weight > 0 else "--",
                        "linewidth": 0.5 + 3 * abs(weight) / largest,
                    }
                axis.plot([i, i + 1], [heights[i][source], heights[i + 1][unit]], zorder=1, **looks)
        for i, height in enumerate(heights):
            axis.scatter(np.full(len(height), i), height, s=220, color="white", edgecolor="black", zorder=2)
        axis.set_title(title, fontsize=10)
        axis.set_xlim(-0.4, len(sizes) - 0.6)
        axis.set_ylim(-max(sizes) / 2 - 0.1, max(sizes) / 2 + 0.1)
        axis.axis("off")
    return figure


def bars_by_layer(groups: Mapping[str, Mapping[str, Spread]], quantity: str) -> Figure:
    """A quantity by layer, a bar for each group, on a logarithmic axis where it spans much; bars show the spread."""
    layers = list(next(iter(groups.values())))
    figure = Figure(figsize=(2 + 2.2 * len(layers), 3.8), layout="constrained")
    axis = figure.subplots()
    width = 0.8 / len(groups)
    hatches = ["", "//", "..", "xx"]
    values: list[float] = []
    for i, (name, by_layer) in enumerate(groups.items()):
        means = np.array([by_layer[layer].mean for layer in layers])
        values.extend(means[means > 0])
        at = np.arange(len(layers)) + (i - (len(groups) - 1) / 2) * width
        sds = [by_layer[layer].sd for layer in layers] if len(by_layer[layers[0]].values) > 1 else None
        axis.bar(
            at, means, width, yerr=sds, label=name, color=COLOURS[i], hatch=hatches[i % 4], edgecolor="white", capsize=2
        )
        for x, mean in zip(at, means, strict=True):
            if mean == 0:
                axis.annotate("0", (x, 0), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=9)
    if values and max(values) > WIDE * min(values):
        axis.set_yscale("log")
    axis.set_xticks(range(len(layers)), layers)
    axis.set_ylabel(quantity)
    axis.grid(alpha=0.3, axis="y")
    if len(groups) > 1:
        axis.legend(ncols=len(groups), fontsize=9)
    return figure
