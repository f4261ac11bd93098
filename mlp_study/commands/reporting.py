"""Draw a study: its curves, its runs side by side, and heat maps of what was swept.

    python -m mlp_study.report STUDY

STUDY is the directory of a sweep, or of one run. Figures go to STUDY/figures, as PNG and SVG. They are drawn from the
run directories and nothing else; torch is not needed. Runs that differ in nothing but the seed are one line, their
mean, with a band from the lowest to the highest.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

from rich.progress import track

from mlp_study.figures.saving import save
from mlp_study.figures.study_figures import drawings
from mlp_study.files import claimed
from mlp_study.program import Arguments, program
from mlp_study.runs.cells import LeftOut
from mlp_study.showing import console, printable


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; `argv` stands in for sys.argv[1:]."""
    parser = Arguments(
        prog="python -m mlp_study.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, help="the directory of a sweep or of a run")
    arguments = parser.parse_args(argv)
    with program():
        for path in report(arguments.study):
            print(path)


def report(folder: Path) -> list[Path]:
    """Draw all figures of the study in `folder`; returns the files written. What is left out of them is said.

    curves; digits, one example of each class; learning_rates, where rates were swept; panels_* and heat_map_*, where
    exactly two settings were.

    Raises:
        UserError: there is no run in it that has finished an epoch, or another process draws it.
    """
    output = console(stderr=True)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", LeftOut)
        wanted = [(name, figure) for name, figure in drawings(folder).items() if figure is not None]
    for line in dict.fromkeys(str(warning.message) for warning in said):
        output.print(printable(line))
    written = []
    with claimed(folder / "figures"):
        for name, figure in track(wanted, "drawing", transient=True, console=output, disable=not output.is_terminal):
            written += save(figure, folder / "figures", name)
    return written
