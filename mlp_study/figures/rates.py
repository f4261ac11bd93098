"""Where training ends over a setting that is a number, such as the learning rate: loss and accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mlp_study.figures.chosen import Choices, ends_badly, judged, swept
from mlp_study.figures.looks import Looks
from mlp_study.figures.style import MARKERS, MOST_LINES, aim_at_good, band, caption, legend, log_if_wide
from mlp_study.runs.asked import as_number, is_log
from mlp_study.runs.cells import Cell, best_first, values_of
from mlp_study.showing import label

RATE = "optim.lr"
TITLES = {
    "val_acc": "final validation accuracy", "best_val_acc": "best validation accuracy",
    "train_acc": "final training accuracy",
}  # fmt: skip
MOST_NAMED = 300  # letters of what is left out


def number_along(cells: Sequence[Cell], choices: Choices) -> str | None:
    """The setting along the axis: what is asked for, the learning rate, or the number of most values."""
    numbers = [key for key in swept(cells) if len(numbers_of(cells, key)) > 1]
    if choices.x is not None:
        return choices.x if choices.x in numbers else None
    if RATE in numbers:
        return RATE
    return max(numbers, key=lambda key: len(numbers_of(cells, key)), default=None)


def numbers_of(cells: Sequence[Cell], key: str) -> list[float]:
    """The values of a setting; none where some are no numbers."""
    found = [as_number(value) for value in values_of(cells, key)]
    return sorted(value for value in found if value is not None) if None not in found else []


def learning_rates(cells: Sequence[Cell], choices: Choices | None = None, key: str = RATE) -> Figure | None:
    """Final training loss and validation accuracy over a number, a line for each combination of the other settings.

    Runs that diverged have no loss and leave a gap. None unless at least two values of it were swept.

    Args:
        cells: of a study.
        choices: the lines whose best is best are drawn; default all of them, on whole axes.
        key: the number.
    """
    lines: dict[str, list[Cell]] = {}
    for cell in best_first(cells) if choices is not None else cells:
        if as_number(cell.settings.get(key, "")) is not None:
            others = ", ".join(f"{name}={value}" for name, value in cell.settings.items() if name != key)
            lines.setdefault(others, []).append(cell)
    num_all, are_points = len(lines), bool(lines) and max(map(len, lines.values())) < 2
    if not lines or (are_points and (choices is None or len(cells) < 2)):
        return None
    if are_points:  # a search: hardly any two have the rest in common
        lines = {"all settings": [cell for (cell,) in lines.values()]}
    num = MOST_LINES if choices is None else min(choices.best, MOST_LINES)
    shown = dict(list(lines.items())[:num])
    if choices is None and num_all > num:
        return None
    figure = Figure(figsize=(11, 4.6 + 0.2 * len(shown)), layout="constrained")
    axes = figure.subplots(1, 2)
    accuracy = "val_acc" if choices is None else judged(cells)
    looks = Looks(cells, [group[0] for group in shown.values()], None if choices is None else choices.colour, key)
    titles = "final training loss", TITLES[accuracy]
    for axis, metric, title in zip(axes, ("train_loss", accuracy), titles, strict=True):
        for i, (others, group) in enumerate(shown.items()):
            rows = {float(cell.settings[key]): pd.Series(cell.metric(metric)) for cell in group}
            frame = pd.DataFrame(rows).T.sort_index().replace([np.inf, -np.inf], np.nan)
            own = {**looks.of(group[0]), **({"linestyle": "none"} if are_points else {})}
            own.setdefault("marker", MARKERS[i % len(MARKERS)])
            band(axis, frame, label(others) or "all", **own)
            axis.get_lines()[-1].set_markevery(1)
        if key == RATE or is_log(numbers_of(cells, key)):
            axis.set_xscale("log")
        axis.set_xlabel("learning rate" if key == RATE else label(key))
        axis.set_title(title)
        axis.grid(alpha=0.3)
    log_if_wide(axes[0])
    beside = aim_at_good(axes[1], over_epochs=False) if choices is not None and not are_points else ""
    left = ""
    if len(shown) < len(lines):
        names = "; ".join(name or "all" for name in list(lines)[num:])
        left = f"the {len(shown)} of {num_all} lines whose best is best; left out: {names[:MOST_NAMED]}"
        left += " ..." if len(names) > MOST_NAMED else ""
    caption(figure, left, beside, ends_badly([cell for group in shown.values() for cell in group]))
    handles, labels = axes[0].get_legend_handles_labels()
    legend(figure, handles, labels, max(len(cell.results) for cell in cells))
    return figure
