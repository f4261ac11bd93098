"""The figures of a study, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from mlp_study.choices.rules import unknown
from mlp_study.errors import UserError
from mlp_study.figures.chosen import Choices, judged, swept
from mlp_study.figures.curves import curves
from mlp_study.figures.digits import example_digits
from mlp_study.figures.grids import panels
from mlp_study.figures.heat_maps import heat_map, heat_maps
from mlp_study.figures.rates import RATE, learning_rates, number_along
from mlp_study.runs.cells import Cell, read_cells


def drawings(folder: Path, choices: Choices | None = None, names: Sequence[str] = ()) -> dict[str, Figure | None]:
    """The figures that `report` writes, by name; None where the study has nothing for one to show.

    What a figure leaves out stands above it (`Figure.get_suptitle`).

    Args:
        folder: of the study.
        choices: what is to be seen in them.
        names: of the figures to draw; default all.

    Raises:
        UserError: there is no run in it that has finished an epoch, a choice is wrong, or there is no such figure.
    """
    choices = choices or Choices()
    all_cells = read_cells(folder)
    cells = choices.of(all_cells)
    along = number_along(cells, choices)
    if choices.x is not None and along is None:
        raise UserError(f"--x {choices.x}: expected a setting with several values that are numbers")
    found: dict[str, Callable[[], Figure | None]] = {
        "curves": lambda: curves(cells, choices),
        "digits": lambda: example_digits(cells[0].folders[0]),
        _name(along): lambda: learning_rates(cells, choices, along) if along else None,
        "panels_loss": lambda: panels(cells, "loss", choices),
        "panels_acc": lambda: panels(cells, "acc", choices),
        **maps(cells),
    }
    if strange := [name for name in names if name not in found]:
        raise UserError(unknown(strange[0], strange[0], found, what="figure"))
    return {name: draw() for name, draw in found.items() if not names or name in names}


def _name(along: str | None) -> str:
    return "learning_rates" if along in (None, RATE) else f"ends_{along}"


def maps(cells: Sequence[Cell]) -> dict[str, Callable[[], Figure | None]]:
    """Of two settings a heat map of what they are judged by and one of the loss; of more, one for each pair."""
    if len(swept(cells)) > 2:
        return heat_maps(cells)
    return {f"heat_map_{metric}": partial(heat_map, cells, metric) for metric in (judged(cells), "train_loss")}
