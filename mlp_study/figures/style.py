"""What all figures share: colours that colour-blind readers can tell apart, axes, lines with their bands."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

# Okabe and Ito's palette; line styles and markers repeat what the colours say.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933"]
STYLES = ["-", "--", ":", "-."]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
MOST_LINES = len(COLOURS) * len(STYLES)
WIDE = 50  # a quantity that spans a larger factor than this is drawn on a logarithmic axis

mpl.rcParams["svg.hashsalt"] = "mlp_study"  # the same study draws the same file


def look(i: int) -> dict[str, Any]:
    """Colour and line style of the `i`-th line."""
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": STYLES[i // len(COLOURS) % len(STYLES)]}


def band(axis: Any, frame: pd.DataFrame, label: str, **looks: Any) -> None:
    """The mean of the columns of `frame` over its index, and a band from the lowest to the highest."""
    if frame.empty:
        return
    marker = "o" if len(frame) < 3 else None
    axis.plot(frame.index, frame.mean(axis=1), label=label, marker=marker, linewidth=1.6, **looks)
    if frame.shape[1] > 1:
        axis.fill_between(
            frame.index, frame.min(axis=1), frame.max(axis=1), color=looks.get("color"), alpha=0.15, linewidth=0
        )


def log_if_wide(axis: Any) -> None:
    """A logarithmic y-axis where the lines ask for one."""
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in axis.get_lines()] or [np.ones(1)])
    values = values[np.isfinite(values) & (values > 0)]
    if len(values) and values.max() > WIDE * values.min():
        axis.set_yscale("log")


def whole_epochs(axis: Any) -> None:
    """Name the x-axis, with whole numbers on it."""
    axis.set_xlabel("epoch")
    axis.xaxis.get_major_locator().set_params(integer=True)
