"""What all figures share: colours that colour-blind readers can tell apart, axes, lines with their bands, captions."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mlp_study.showing import label

# Okabe and Ito's palette; line styles and markers repeat what the colours say.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933"]
STYLES = ["-", "--", ":", "-."]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
MOST_LINES = len(COLOURS) * len(STYLES)
WIDE = 50  # a quantity that spans a larger factor than this is drawn on a logarithmic axis
GOOD = 0.1  # accuracies that end so near to the best one are shown as large as there is room for
MARKED = 6  # markers on a line, roughly

mpl.rcParams["svg.hashsalt"] = "mlp_study"  # the same study draws the same file


def band(axis: Any, frame: pd.DataFrame, label: str, marker: str | None = None, **looks: Any) -> None:
    """The mean of the columns of `frame` over its index, and a band from the lowest to the highest."""
    if frame.empty:
        return
    mean = frame.mean(axis=1)
    every = max(1, len(frame) // MARKED)
    shown = {"marker": marker, "markevery": every, "markersize": 5} if marker else {}
    if len(frame) < 3:
        shown = {"marker": marker or "o"}
    axis.plot(frame.index, mean, label=label, linewidth=1.6, **shown, **looks)
    if frame.shape[1] > 1:
        axis.fill_between(
            frame.index, frame.min(axis=1), frame.max(axis=1), color=looks.get("color"), alpha=0.15, linewidth=0
        )


def log_if_wide(axes: Any) -> None:
    """Logarithmic y-axes where the lines ask for one: of several that are shared, all or none."""
    axes = list(np.ravel(axes))
    lines = [np.asarray(line.get_ydata(), float) for axis in axes for line in axis.get_lines()]
    values = np.concatenate(lines or [np.ones(1)])
    values = values[np.isfinite(values) & (values > 0)]
    if len(values) and values.max() > WIDE * values.min():
        for axis in axes:
            axis.set_yscale("log")


def aim_at_good(axes: Any, over_epochs: bool = True) -> str:
    """Have axes of accuracies, which are shared, show where good lines differ; a sentence on the lines beside them.

    Good is what ends within `GOOD` of the best; the axis begins a little below where the worst of these stands after a
    quarter of its epochs. Of lines over something else, every point that is so near to the best is good.
    """
    axes = list(np.ravel(axes))
    lines = [values for axis in axes for line in axis.get_lines() if len(values := _finite(line.get_ydata()))]
    if not lines:
        return ""
    if over_epochs:
        best = max(values[-1] for values in lines)
        good = [values for values in lines if values[-1] >= best - GOOD]
        low = min(min(values[len(values) // 4], values[-1]) for values in good)
    else:
        points = np.concatenate(lines)
        low = points[points >= points.max() - GOOD].min()
    high = max(values.max() for values in lines)
    room = max(0.05 * (high - low), 0.002)
    for axis in axes:
        axis.set_ylim(low - room, high + room)
    if over_epochs:
        num, name = sum(bool(values.max() < low - room) for values in lines), "line"
    else:
        num, name = int(sum((values < low - room).sum() for values in lines)), "point"
    what = f"{name} lies" if num == 1 else f"{name}s lie"
    return f"{num} {what} below the axis of accuracies, which begins at {low - room:.2f}" if num else ""


def _finite(values: Any) -> np.ndarray:
    found = np.asarray(values, float)
    return found[np.isfinite(found)]


def whole_epochs(axis: Any) -> None:
    """Name the x-axis, with whole numbers on it."""
    axis.set_xlabel("epoch")
    axis.xaxis.get_major_locator().set_params(integer=True)


def caption(figure: Figure, *sentences: str) -> None:
    """What a reader must know to read the figure, above it; empty sentences are left out."""
    said = "; ".join(label(sentence) for sentence in sentences if sentence)
    if said:
        figure.suptitle(textwrap.fill(said, int(15 * figure.get_figwidth())), fontsize=9)


def legend(figure: Figure, handles: Sequence[Artist], labels: Iterable[str], num_seeds: int = 1) -> None:
    """One below the figure: nothing is cut, long labels are broken, and bands are explained."""
    most = int(13 * figure.get_figwidth())
    handles, texts = list(handles), [textwrap.fill(text, most) for text in labels]
    if num_seeds > 1:
        handles.append(Patch(color="0.6", alpha=0.4, linewidth=0))
        texts.append(f"line: mean, band: lowest to highest of {num_seeds} seeds")
    if texts:
        longest = max(len(line) for text in texts for line in text.splitlines())
        columns = max(1, min(3, most // (longest + 8), len(texts)))
        figure.legend(handles, texts, loc="outside lower center", ncols=columns, fontsize=9, handlelength=3.5)
