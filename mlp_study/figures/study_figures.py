"""The figures of a study, by name."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from mlp_study.figures.curves import curves
from mlp_study.figures.digits import example_digits
from mlp_study.figures.grids import heat_map, panels
from mlp_study.figures.rates import learning_rates
from mlp_study.runs.cells import read_cells


def drawings(folder: Path) -> dict[str, Figure | None]:
    """The figures that `report` writes, by name; None where the study has nothing for one to show."""
    cells = read_cells(folder)
    return {
        "curves": curves(cells),
        "digits": example_digits(cells[0].folders[0]),
        "learning_rates": learning_rates(cells),
        "panels_loss": panels(cells, "loss"),
        "panels_acc": panels(cells, "acc"),
        "heat_map_val_acc": heat_map(cells, "val_acc"),
        "heat_map_train_loss": heat_map(cells, "train_loss"),
    }
