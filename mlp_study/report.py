"""Draw a study: its curves, its runs side by side, and heat maps of what was swept.

    python -m mlp_study.report STUDY

STUDY is the directory of a sweep, or of one run. Figures go to STUDY/figures, as PNG and SVG. They are drawn from the
run directories and nothing else; torch is not needed. Runs that differ in nothing but the seed are one line, their
mean, with a band from the lowest to the highest.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

from mlp_study.cells import read_cells
from mlp_study.errors import UserError
from mlp_study.figures.curves import curves
from mlp_study.figures.digits import example_digits
from mlp_study.figures.grids import heat_map, panels
from mlp_study.figures.rates import learning_rates
from mlp_study.hydra_checks import fail


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

    curves; digits, one example of each class; learning_rates, where rates were swept; panels_* and heat_map_*, where
    exactly two settings were.

    Raises:
        UserError: there is no run in it that has finished an epoch.
    """
    cells = read_cells(folder)
    drawings: dict[str, Figure | None] = {
        "curves": curves(cells),
        "digits": example_digits(cells[0].folders[0]),
        "learning_rates": learning_rates(cells),
        "panels_loss": panels(cells, "loss"),
        "panels_acc": panels(cells, "acc"),
        "heat_map_val_acc": heat_map(cells, "val_acc"),
        "heat_map_train_loss": heat_map(cells, "train_loss"),
    }
    (folder / "figures").mkdir(exist_ok=True)
    wanted = [(name, figure) for name, figure in drawings.items() if figure is not None]
    written = []
    for name, figure in track(wanted, "drawing", transient=True, console=Console(stderr=True)):
        for ending in ("png", "svg"):
            written.append(folder / "figures" / f"{name}.{ending}")
            figure.savefig(written[-1], dpi=120)
    return written


if __name__ == "__main__":
    main()
