"""One layer's embeddings as a picture: a panel per method, every image drawn as its digit."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from mlp_study.inspection.embeddings import TITLES, Embedding
from mlp_study.inspection.palette import COLOURS
from mlp_study.showing import label

mpl.rcParams["svg.hashsalt"] = "mlp_study"  # the same embeddings draw the same file


def draw(title: str, embeddings: Sequence[Embedding], labels: np.ndarray) -> Figure:
    """The figure of one layer. labels: (N,), the true digits."""
    columns = 2 if len(embeddings) == 4 else len(embeddings)
    rows = len(embeddings) // columns
    figure = Figure(figsize=(6 * columns, 0.9 + 6 * rows), layout="constrained")
    figure.suptitle(label(title))
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    digits = np.unique(labels)
    for panel, embedding in zip(panels, embeddings, strict=True):
        _panel(panel, embedding, labels, digits)
    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            marker=_glyph(digit),
            color=COLOURS[digit % len(COLOURS)],
            markersize=10,
            label=str(digit),
        )
        for digit in digits
    ]
    spacing = {"handlelength": 1.0, "handletextpad": 0.4, "columnspacing": 1.2}  # ten fit under a single panel
    figure.legend(
        handles=handles, title="digit", loc="outside lower center", ncols=len(digits), frameon=False, **spacing
    )
    return figure


def _panel(panel: mpl.axes.Axes, embedding: Embedding, labels: np.ndarray, digits: np.ndarray) -> None:
    panel.set_title(f"{TITLES[embedding.method]}: {score_line(embedding)}", fontsize=10)
    panel.set_xticks([])  # only what is near what has a meaning
    panel.set_yticks([])
    size = 34 if len(labels) <= 2000 else 15
    for digit in digits:
        x, y = embedding.places[labels == digit].T
        panel.scatter(x, y, size, color=COLOURS[digit % len(COLOURS)], marker=_glyph(digit), linewidths=0)
    panel.set_aspect("equal", adjustable="datalim")


def score_line(embedding: Embedding) -> str:
    """The two scores in words."""
    if np.isnan(embedding.trustworthiness):
        return "the layer hands on the same for every image"
    return f"trustworthiness {embedding.trustworthiness:.3f}, 1-nearest-neighbour accuracy {embedding.neighbor_acc:.3f}"


def _glyph(digit: int) -> Outline:
    """The digit in bold as a marker, centred."""
    text = TextPath((0, 0), str(digit), prop=FontProperties(weight="bold"))
    box = text.get_extents()
    return text.transformed(Affine2D().translate(-box.x0 - box.width / 2, -box.y0 - box.height / 2))
