"""Small multiples: a panel for each value of a setting, or each pair of values of two, with curves over epochs."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from mlp_study.figures.chosen import Choices, best_each, ends_badly, swept
from mlp_study.figures.curves import METRICS, PARTS
from mlp_study.figures.style import COLOURS, aim_at_good, band, caption, legend, log_if_wide, whole_epochs
from mlp_study.runs.cells import Cell, values_of
from mlp_study.runs.result import DIVERGED
from mlp_study.showing import label

MOST_PANELS, MOST_ALONG = 48, 12


def panels(cells: Sequence[Cell], metric: str, choices: Choices | None = None) -> Figure | None:
    """A panel for each pair of values of two settings: training and validation `metric` ("loss" or "acc") over epochs.

    Where more settings were swept, a panel has a colour for each value of a third one, and of what is left the best.
    None where there is nothing to set side by side.

    Args:
        cells: of a study.
        metric: what is drawn.
        choices: what has panels and colours; default two settings, exactly, with few values, on whole axes.
    """
    keys = _panel_keys(cells, choices)
    if not keys:
        return None
    across, down = keys[0], keys[1] if len(keys) > 1 else None
    columns, rows = values_of(cells, across), values_of(cells, down) if down else [""]
    if len(columns) * len(rows) > MOST_PANELS:
        return None
    colour = _colour_key(cells, keys, choices)
    shown, over = best_each(cells, [*keys, *([colour] if colour else [])])
    size = (1.2 + 2.6 * len(columns), 1.6 + (1.9 if down else 2.6) * len(rows))
    figure = Figure(figsize=(max(size[0], 6.0), size[1]), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), sharex=True, sharey=True, squeeze=False)
    for cell in shown.values():
        axis = axes[rows.index(cell.settings[down]) if down else 0][columns.index(cell.settings[across])]
        for (part, name), own, style in zip(PARTS.items(), COLOURS, ("-", "--"), strict=False):
            if colour is None:
                band(axis, cell.curve(f"{part}_{metric}"), name, color=own, linestyle=style)
            else:  # the validation is what matters: solid
                place = max(0, cell.place.get(colour, 0))
                solid = "-" if part == "val" else ":"
                said = label(f"{colour}={cell.settings[colour]}, {name}")
                band(axis, cell.curve(f"{part}_{metric}"), said, color=COLOURS[place % 8], linestyle=solid)
        if any(result.status == DIVERGED for result in cell.results):
            axis.text(0.5, 0.5, "diverged", transform=axis.transAxes, ha="center", color="#D55E00")
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    if metric == "loss":
        log_if_wide(axes)
    for axis, value in zip(axes[0], columns, strict=True):
        axis.set_title(label(f"{across}={value}"), fontsize=10)
    for axis, value in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel((label(f"{down}={value}") + "\n" if down else "") + METRICS[metric], fontsize=10)
    for axis in axes[-1]:
        whole_epochs(axis)
    beside = aim_at_good(axes) if metric == "acc" and choices is not None else ""
    of_the_rest = f"of each line the best over {' and '.join(over)}" if over else ""
    caption(figure, of_the_rest, beside, ends_badly(list(shown.values())))
    found = {name: handle for axis in axes.flat for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)}
    names = sorted(found, key=lambda name: _place(name, cells, colour))
    seeds = max(len(cell.results) for cell in shown.values())
    legend(figure, [found[name] for name in names], names, num_seeds=seeds)
    return figure


def _panel_keys(cells: Sequence[Cell], choices: Choices | None) -> list[str]:
    keys = swept(cells)
    if choices is not None and choices.panel:
        return list(choices.panel)
    if choices is None and (len(keys) != 2 or any(len(cell.settings) != 2 for cell in cells)):
        return []
    taken = choices.colour if choices is not None else None
    few = [key for key in keys if 1 < len(values_of(cells, key)) <= MOST_ALONG and key != taken]
    return few[:2] if len(few) > 1 else []


def _colour_key(cells: Sequence[Cell], keys: Sequence[str], choices: Choices | None) -> str | None:
    if choices is not None and choices.colour is not None:
        return choices.colour
    few = [key for key in swept(cells) if key not in keys and 1 < len(values_of(cells, key)) <= len(COLOURS)]
    return few[0] if few else None


def _place(name: str, cells: Sequence[Cell], colour: str | None) -> tuple[int, str]:
    """Where a line stands in the legend: in the order typed, training before validation."""
    if colour is None:
        return 0, name
    texts = [label(f"{colour}={value}") for value in values_of(cells, colour)]
    return texts.index(name.rpartition(", ")[0]), name
