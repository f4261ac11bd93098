"""Colours, dashes and markers: each belongs to a value of a setting, and is the same in every figure of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlp_study.figures.chosen import swept
from mlp_study.figures.style import COLOURS, MARKERS, STYLES
from mlp_study.runs.cells import Cell, values_of


class Looks:
    """Of the lines of one figure.

    Args:
        cells: all that the study has, of which some are drawn.
        drawn: a line each.
        colour: the setting that colours tell apart; default the first one swept that has not too many values.
        along: the setting along the axis, which needs no look.
    """

    def __init__(
        self, cells: Sequence[Cell], drawn: Sequence[Cell], colour: str | None = None, along: str | None = None
    ) -> None:
        keys = [key for key in swept(cells) if 1 < len(values_of(cells, key)) <= len(COLOURS) and key != along]
        if colour is not None and colour != along:
            keys = [colour, *(key for key in keys if key != colour)]
        self._channels = dict(zip(("color", "linestyle", "marker"), keys, strict=False))
        self._order = {id(cell): i for i, cell in enumerate(drawn)}
        found = [tuple(sorted(self._by_value(cell).items())) for cell in drawn]
        self._is_told = len(set(found)) == len(found)

    def of(self, cell: Cell) -> dict[str, Any]:
        """Of the line of one of those drawn; where values do not tell them all apart, by its place among them."""
        if self._is_told:
            return self._by_value(cell)
        i = self._order[id(cell)]
        return {"color": COLOURS[i % len(COLOURS)], "linestyle": STYLES[i // len(COLOURS) % len(STYLES)]}

    def _by_value(self, cell: Cell) -> dict[str, Any]:
        places = ((name, max(0, cell.place.get(key, 0))) for name, key in self._channels.items())
        return {name: CHANNELS[name][place % len(CHANNELS[name])] for name, place in places}


CHANNELS: Mapping[str, Sequence[str]] = {"color": COLOURS, "linestyle": STYLES, "marker": MARKERS}
