"""Draw a study: its curves, its runs side by side, and heat maps of what was swept.

    python -m mlp_study.report STUDY

STUDY is the directory of a sweep, or of one run. Figures go to STUDY/figures, as PNG and SVG. They are drawn from the
run directories and nothing else; torch is not needed. Runs that differ in nothing but the seed are one line, their
mean, with a band from the lowest to the highest.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from mlp_study.errors import one_line
from mlp_study.figures.study_figures import drawings


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; `argv` stands in for sys.argv[1:]."""
    parser = argparse.ArgumentParser(
        prog="python -m mlp_study.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, help="the directory of a sweep or of a run")
    arguments = parser.parse_args(argv)
    with one_line():
        for path in report(arguments.study):
            print(path)


def report(folder: Path) -> list[Path]:
    """Draw all figures of the study in `folder`; returns the files written.

    curves; digits, one example of each class; learning_rates, where rates were swept; panels_* and heat_map_*, where
    exactly two settings were.

    Raises:
        UserError: there is no run in it that has finished an epoch.
    """
    wanted = [(name, figure) for name, figure in drawings(folder).items() if figure is not None]
    (folder / "figures").mkdir(exist_ok=True)
    written = []
    for name, figure in track(wanted, "drawing", transient=True, console=Console(stderr=True)):
        for ending in ("png", "svg"):
            written.append(folder / "figures" / f"{name}.{ending}")
            figure.savefig(written[-1], dpi=120)
    return written
