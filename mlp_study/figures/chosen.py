"""Which settings of a study a figure shows: those asked for, and of these the best: more than a few cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mlp_study.choices.rules import quoted, unknown
from mlp_study.errors import UserError
from mlp_study.runs.asked import as_number
from mlp_study.runs.cells import Cell, best_first, values_of
from mlp_study.runs.ranking import ACCURACIES

BEST = 8  # lines that can be told apart in one panel


@dataclass(frozen=True)
class Choices:
    """What the reader wants to see.

    Attributes:
        where: values of settings, as typed; only runs that have one of them are drawn.
        best: lines in a panel, at most.
        x: the setting along the axis of the figure of ends; None: the learning rate, or the number with most values.
        colour: the setting that colours tell apart; None: the first one swept.
        panel: settings whose values have panels of their own, across and down; empty: the first two swept.
    """

    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    best: int = BEST
    x: str | None = None
    colour: str | None = None
    panel: Sequence[str] = ()

    def of(self, cells: Sequence[Cell]) -> list[Cell]:
        """The cells asked for, in their order.

        Raises:
            UserError: a setting was not swept, no run has a value, or there is nothing to draw.
        """
        known = swept(cells)
        named = [("--x", self.x), ("--colour", self.colour), *(("--panel", key) for key in self.panel)]
        for option, key in [*named, *(("--where", key) for key in self.where)]:
            if key is not None and key not in known:
                raise UserError(unknown(f"{option} {key}", key, known, what="swept setting"))
        if self.best < 1:
            raise UserError(f"--best {self.best}: expected a number of lines >= 1")
        if len(self.panel) > 2:
            raise UserError(f"--panel {','.join(self.panel)}: expected one setting, or two")
        found = list(cells)
        for key, wanted in self.where.items():
            there = values_of(cells, key)
            for value in wanted:
                if not any(_same(value, other) for other in there):
                    raise UserError(f"--where {key}={value}: no run has {quoted(value)}; expected {', '.join(there)}")
            found = [cell for cell in found if any(_same(cell.settings.get(key, ""), value) for value in wanted)]
        if not found:
            asked = " ".join(f"--where {key}={','.join(values)}" for key, values in self.where.items())
            raise UserError(f"{asked}: no run has all of these; leave one out")
        return found


def _same(a: str, b: str) -> bool:
    x, y = as_number(a), as_number(b)
    return a == b if x is None or y is None else x == y


def swept(cells: Sequence[Cell]) -> list[str]:
    """The settings of the cells, in the order typed."""
    return list(dict.fromkeys(key for cell in cells for key in cell.settings))


def judged(cells: Sequence[Cell]) -> str:
    """The metric that settings are judged by: of the training images where nothing is held out."""
    known = (name for name in ACCURACIES if any(np.isfinite(cell.metric(name)).any() for cell in cells))
    return next(known, ACCURACIES[0])


def best_of(cells: Sequence[Cell], num: int) -> tuple[list[Cell], str]:
    """The best `num` cells, best first, and a sentence on those that are left out; none where there are not more."""
    ranked = best_first(cells)
    if len(ranked) <= num:
        return ranked, ""
    what = f"the best {num} of {len(ranked)} settings, by the mean of {judged(cells)}"
    return ranked[:num], f"{what}; the other {len(ranked) - num} are in cells.csv, and drawn with --where or --best"


def best_each(cells: Sequence[Cell], keys: Sequence[str]) -> tuple[dict[tuple[str, ...], Cell], list[str]]:
    """For each combination of values of `keys` the best cell that has it, and the settings it is the best over."""
    found: dict[tuple[str, ...], Cell] = {}
    for cell in best_first(cells):
        if all(key in cell.settings for key in keys):
            found.setdefault(tuple(cell.settings[key] for key in keys), cell)
    others = [key for key in swept(cells) if key not in keys and len(values_of(cells, key)) > 1]
    return found, others if len(found) < len(cells) else []


def common(cells: Sequence[Cell]) -> dict[str, str]:
    """The settings that all of several cells share."""
    first = cells[0].settings if len(cells) > 1 else {}
    return {key: value for key, value in first.items() if all(cell.settings.get(key) == value for cell in cells)}


def ends_badly(cells: Sequence[Cell]) -> str:
    """How many runs of cells have not come to an end as they should, in words; nothing where all have."""
    statuses = [result.status for cell in cells for result in cell.results]
    counts = {what: statuses.count(what) for what in ("pruned", "diverged", "failed", "unfinished")}
    return ", ".join(f"{num} {'run' if num == 1 else 'runs'} {what}" for what, num in counts.items() if num)
