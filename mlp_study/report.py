"""Draw a study: its curves, its runs side by side, and heat maps of what was swept.

    python -m mlp_study.report STUDY

STUDY is the directory of a sweep, or of one run. Figures go to STUDY/figures, as PNG and SVG. They are drawn from the
run directories and nothing else; torch is not needed. Runs that differ in nothing but the seed are one line, their
mean, with a band from the lowest to the highest.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mlp_study.errors import UserError
from mlp_study.hydra_checks import fail
from mlp_study.record import read_result
from mlp_study.study import overrides_that_differ

# Okabe and Ito's palette, which colour-blind readers can tell apart; line styles repeat it.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933"]
STYLES = ["-", "--", ":", "-."]
MOST_LINES = len(COLOURS) * len(STYLES)


@dataclass(frozen=True)
class Cell:
    """The runs of a study that differ in the seed alone: what they set, and their histories."""

    settings: dict[str, str]
    histories: list[pd.DataFrame]
    results: list[dict[str, Any]]

    @property
    def label(self) -> str:
        """What tells this cell from the others."""
        return ", ".join(f"{key}={value}" for key, value in self.settings.items()) or "all runs"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m mlp_study.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, help="the directory of a sweep or of a run")
    try:
        for path in report(parser.parse_args().study):
            print(path)
    except UserError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")


def report(folder: Path) -> list[Path]:
    """Draw all figures of the study in `folder`; returns the files written.

    Raises:
        UserError: there is no run in it that has finished an epoch.
    """
    cells = read_cells(folder)
    figures = {"curves": curves(cells)}
    for metric in ("val_acc", "train_loss"):
        figure = heat_map(cells, metric)
        if figure is not None:
            figures[f"heat_map_{metric}"] = figure
    written = []
    (folder / "figures").mkdir(exist_ok=True)
    for name, figure in figures.items():
        for ending in ("png", "svg"):
            path = folder / "figures" / f"{name}.{ending}"
            figure.savefig(path, dpi=120)
            written.append(path)
    return written


def read_cells(folder: Path) -> list[Cell]:
    """The study's runs, those that differ in the seed alone together, in the order of their names."""
    runs = [path.parent for path in sorted(folder.glob("*/history.csv"))] or [folder]
    found = [(read_result(run), run / "history.csv") for run in runs if (run / "history.csv").is_file()]
    finished = [(result, path) for result, path in found if result is not None]
    if not finished:
        raise UserError(f"{folder}: holds no finished run; expected the directory of a sweep or of a run")
    differing = overrides_that_differ([result["overrides"] for result, _ in finished])
    cells: dict[str, Cell] = {}
    for (result, path), overrides in zip(finished, differing, strict=True):
        settings = {key: value for key, value in overrides.items() if key != "seed"}
        cell = cells.setdefault(str(settings), Cell(settings, [], []))
        cell.histories.append(pd.read_csv(path))
        cell.results.append(result)
    return list(cells.values())


def curves(cells: Sequence[Cell]) -> Figure:
    """Loss and accuracy over epochs, training beside validation."""
    panels = [
        [(f"{part}_{metric}", f"{name} {what}") for part, name in (("train", "training"), ("val", "validation"))]
        for metric, what in (("loss", "loss"), ("acc", "accuracy"))
    ]
    figure = Figure(figsize=(11, 7.5 + 0.12 * len(cells)), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey="row", squeeze=False)
    for row, columns in zip(axes, panels, strict=True):
        for axis, (column, title) in zip(row, columns, strict=True):
            axis.set_title(title)
            axis.grid(alpha=0.3)
            for i, cell in enumerate(cells[:MOST_LINES]):
                _line(axis, cell, column, i)
        if columns[0][0].endswith("loss"):
            _log_if_wide(row[0])
    for axis in axes[1]:
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = axes[0][0].get_legend_handles_labels()
    if len(cells) > MOST_LINES:
        figure.suptitle(f"the first {MOST_LINES} of {len(cells)} cells")
    figure.legend(handles, labels, loc="outside lower center", ncols=2 if len(labels) > 4 else 1, fontsize=9)
    return figure


def _line(axis: Any, cell: Cell, column: str, i: int) -> None:
    lines = [history.set_index("epoch")[column] for history in cell.histories if column in history]
    if not lines:
        return
    frame = pd.concat(lines, axis=1).replace([np.inf, -np.inf], np.nan)
    look = {"color": COLOURS[i % len(COLOURS)], "linestyle": STYLES[i // len(COLOURS) % len(STYLES)]}
    count = f" (mean of {len(lines)})" if len(lines) > 1 else ""
    marker = "o" if len(frame) < 3 else None
    axis.plot(frame.index, frame.mean(axis=1), label=cell.label + count, marker=marker, linewidth=1.6, **look)
    if len(lines) > 1:
        axis.fill_between(
            frame.index, frame.min(axis=1), frame.max(axis=1), color=look["color"], alpha=0.15, linewidth=0
        )


def _log_if_wide(axis: Any) -> None:
    """A logarithmic axis where losses span more than a factor of fifty."""
    values = np.concatenate([line.get_ydata() for line in axis.get_lines()] or [np.array([1.0])])
    values = values[np.isfinite(values) & (values > 0)]
    if len(values) and values.max() > 50 * values.min():
        axis.set_yscale("log")


def heat_map(cells: Sequence[Cell], metric: str) -> Figure | None:
    """The mean final `metric` over two swept settings; None unless exactly two were swept in full."""
    keys = list(dict.fromkeys(key for cell in cells for key in cell.settings))
    if len(keys) != 2 or any(len(cell.settings) != 2 for cell in cells):
        return None
    rows, columns = (list(dict.fromkeys(_ordered([cell.settings[key] for cell in cells]))) for key in keys)
    values = np.full((len(rows), len(columns)), np.nan)
    for cell in cells:
        finals = [r["metrics"].get(metric) for r in cell.results]
        numbers = [value for value in finals if value is not None]
        if numbers:
            values[rows.index(cell.settings[keys[0]]), columns.index(cell.settings[keys[1]])] = float(np.mean(numbers))
    if np.isnan(values).all():
        return None
    figure = Figure(figsize=(2.5 + 0.9 * len(columns), 1.8 + 0.55 * len(rows)), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(values, cmap="cividis", aspect="auto")
    axis.set_xticks(range(len(columns)), columns, rotation=30 if max(map(len, columns)) > 6 else 0)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_xlabel(keys[1])
    axis.set_ylabel(keys[0])
    num_seeds = max(len(cell.results) for cell in cells)
    axis.set_title(f"final {metric}" + (f", mean of {num_seeds}" if num_seeds > 1 else ""))
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (i, j), value in np.ndenumerate(values):
        colour = "white" if value < middle else "black"
        axis.text(
            j, i, "diverged" if np.isnan(value) else f"{value:.3f}", ha="center", va="center", color=colour, fontsize=9
        )
    figure.colorbar(image)
    return figure


def _ordered(values: Sequence[str]) -> list[str]:
    """Numbers by size, texts as they come."""
    try:
        return sorted(values, key=float)
    except ValueError:
        return list(values)


mpl.rcParams["svg.hashsalt"] = "mlp_study"  # the same study draws the same file

if __name__ == "__main__":
    main()
