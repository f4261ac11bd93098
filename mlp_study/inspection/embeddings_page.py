"""All embeddings on one interactive page that needs no network: a tab for each layer, and in it one for each method."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.embed import file_html
from bokeh.layouts import column
from bokeh.models import CDSView, ColumnDataSource, GroupFilter, HoverTool, TabPanel, Tabs
from bokeh.models.annotations import LabelSet, Legend, LegendItem
from bokeh.models.widgets import Div
from bokeh.plotting import figure
from bokeh.resources import INLINE

from mlp_study.inspection.embeddings import TITLES, Embedding
from mlp_study.inspection.palette import COLOURS
from mlp_study.inspection.scatter import score_line

MARKERS = (
    "circle", "square", "triangle", "inverted_triangle", "diamond", "star", "hex", "plus", "square_pin", "triangle_pin",
)  # fmt: skip
TOOLTIP = """
<div style="display: flex; gap: 10px; align-items: center; font-size: 13px">
  <img src="@picture" style="width: 84px; height: 84px; object-fit: contain; image-rendering: pixelated;
    border: 1px solid #999">
  <div>image @image<br>digit <b>@digit</b><br>predicted <b>@predicted</b></div>
</div>
"""


def page(
    title: str, embeddings: Sequence[Embedding], labels: np.ndarray, predicted: np.ndarray, pictures: Sequence[str]
) -> str:
    """The page as HTML.

    labels, predicted: (N,), digits; pictures: the N images as addresses that hold them.
    """
    # Hollow, since an edge of any one colour would be lost on the markers of some digit.
    is_right, colours = labels == predicted, np.array(COLOURS)[labels % len(COLOURS)]
    # One table for all tabs, so that every picture is in the page once.
    table: dict[str, Any] = {
        "image": np.arange(len(labels)),
        "digit": labels.astype(str),
        "predicted": predicted.astype(str),
        "picture": list(pictures),
        "fill": np.where(is_right, colours, "white"),
        "edge": np.where(is_right, "white", colours),
        "edge_width": np.where(is_right, 0.5, 1.8),
        "size": np.where(is_right, 9, 12),
    }
    for i, embedding in enumerate(embeddings):
        table[f"x{i}"], table[f"y{i}"] = embedding.places.T
    source = ColumnDataSource(table)
    tabs: dict[str, list[TabPanel]] = {}
    for i, embedding in enumerate(embeddings):
        plot = _plot(embedding, i, labels, predicted, source)
        tabs.setdefault(embedding.layer, []).append(TabPanel(child=plot, title=TITLES[embedding.method]))
    layers = Tabs(tabs=[TabPanel(child=Tabs(tabs=panels), title=layer) for layer, panels in tabs.items()])
    heading = Div(
        text=f"<h2 style='margin: 0'>{html.escape(title)}</h2>"
        "<p style='margin: 4px 0'>Point at an image to see it; those that are misclassified are hollow. "
        "A click on the legend mutes a digit.</p>",
        width=900,
    )
    return file_html(column(heading, layers), INLINE, title)


def _plot(embedding: Embedding, i: int, labels: np.ndarray, predicted: np.ndarray, source: ColumnDataSource) -> figure:
    plot = figure(
        width=900,
        height=720,
        title=f"{embedding.layer}, {TITLES[embedding.method]}: {score_line(embedding)}",
        tools="pan,wheel_zoom,box_zoom,reset,save",
        active_scroll="wheel_zoom",
        match_aspect=True,
        output_backend="canvas",
    )
    plot.grid.visible = False
    plot.axis.visible = False  # only what is near what has a meaning
    digits = np.unique(labels)
    items = []
    for digit in digits:
        drawn: Any = plot.scatter(
            f"x{i}",
            f"y{i}",
            source=source,
            view=CDSView(filter=GroupFilter(column_name="digit", group=str(digit))),
            marker=MARKERS[digit % len(MARKERS)],
            size="size",
            fill_color="fill",
            line_color="edge",
            line_width="edge_width",
            fill_alpha=0.85,
            muted_alpha=0.06,
        )
        shown = np.lexsort((labels != predicted, labels != digit))[0]  # as an image that is classified well
        items.append(LegendItem(label=str(digit), renderers=[drawn], index=int(shown)))
    plot.add_layout(Legend(items=items, title="digit", click_policy="mute"), "right")
    middles = np.array([np.median(embedding.places[labels == digit], axis=0) for digit in digits])
    names = ColumnDataSource({"x": middles[:, 0], "y": middles[:, 1], "digit": digits.astype(str)})
    plot.add_layout(
        LabelSet(
            x="x",
            y="y",
            text="digit",
            source=names,
            text_font_size="26px",
            text_font_style="bold",
            text_align="center",
            text_baseline="middle",
            text_outline_color="white",
            level="overlay",
        )
    )
    plot.add_tools(HoverTool(tooltips=TOOLTIP, attachment="horizontal"))
    return plot
