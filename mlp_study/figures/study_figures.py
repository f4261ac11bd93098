"""The figures of a study, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from mlp_study.errors import UserError
from mlp_study.figures.chosen import Choices, judged, swept
from mlp_study.figures.curves import curves
from mlp_study.figures.digits import example_digits
from mlp_study.figures.grids import panels
from mlp_study.figures.heat_maps import heat_map, heat_maps
from mlp_study.figures.rates import RATE, learning_rates, number_along
from mlp_study.runs.cells import Cell, read_cells


def drawings(folder: Path, choices: Choices | None = None) -> dict[str, Figure | None]:
    """The figures that `report` writes, by name; None where the study has nothing for one to show.

    What a figure leaves out stands above it (`Figure.get_suptitle`).

    Args:
        folder: of the study.
        choices: what is to be seen in them.

    Raises:
        UserError: there is no run in it that has finished an epoch, or a choice is wrong.
    """
    choices = choices or Choices()
    all_cells = read_cells(folder)
    cells = choices.of(all_cells)
    along = number_along(cells, choices)
    if choices.x is not None and along is None:
        raise UserError(f"--x {choices.x}: expected a setting with several values that are numbers")
    return {
        "curves": curves(cells, choices),
        "digits": example_digits(cells[0].folders[0]),
        _name(along): learning_rates(cells, choices, along) if along else None,
        "panels_loss": panels(cells, "loss", choices),
        "panels_acc": panels(cells, "acc", choices),
        **_maps(cells),
    }


def _name(along: str | None) -> str:
    return "learning_rates" if along in (None, RATE) else f"ends_{along}"


def _maps(cells: Sequence[Cell]) -> dict[str, Figure | None]:
    if len(swept(cells)) > 2:
        return heat_maps(cells)
    return {f"heat_map_{metric}": heat_map(cells, metric) for metric in (judged(cells), "train_loss")}
