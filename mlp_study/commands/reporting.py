"""Draw a study: its curves, its runs side by side, heat maps of what was swept, and its page.

    python -m mlp_study.report STUDY
    python -m mlp_study.report STUDY --where optim=sgd,adam --best 4 --panel init --colour optim.lr
    python -m mlp_study.report STUDY OTHER

STUDY is the directory of a sweep, or of one run. Figures go to STUDY/figures, as PNG and SVG, and the page to
STUDY/study.html. They are drawn from the run directories and nothing else; torch is not needed. Runs that differ in
nothing but the seed are one line, their mean, with a band from the lowest to the highest. A panel has eight lines at
most: the best; what is not drawn is said above the figure and here.

Several studies are compared: the same settings side by side, and whether they clearly differ, in STUDY/comparison.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from rich.progress import track

from mlp_study.errors import UserError
from mlp_study.figures.chosen import BEST, Choices, judged
from mlp_study.figures.comparing_studies import studies_beside
from mlp_study.figures.saving import save
from mlp_study.figures.study_figures import drawings
from mlp_study.files import claimed
from mlp_study.page.reading_runs import Reader, is_begun, study_names
from mlp_study.page.study_page import PAGE, write_page
from mlp_study.program import Arguments, program
from mlp_study.runs.cells import LeftOut, cells_of
from mlp_study.runs.comparing import comparison
from mlp_study.runs.result import Result
from mlp_study.runs.table import write_table
from mlp_study.showing import Columns, console, printable

MOST_ROWS = 24  # of a comparison that are printed


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; `argv` stands in for sys.argv[1:]."""
    parser = Arguments(
        prog="python -m mlp_study.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("studies", type=Path, nargs="+", metavar="study", help="the directory of a sweep or of a run")
    parser.add_argument("--where", action="append", default=[], metavar="KEY=VALUE[,VALUE]", help="only these runs")
    parser.add_argument("--best", type=int, default=BEST, help="lines in a panel, at most (default %(default)s)")
    parser.add_argument("--x", metavar="KEY", help="the number along the axis of the figure of ends")
    parser.add_argument("--colour", metavar="KEY", help="the setting that colours tell apart")
    parser.add_argument("--panel", default="", metavar="KEY[,KEY]", help="settings whose values have panels")
    parser.add_argument("--out", type=Path, help="where to; default STUDY/figures, of several STUDY/comparison")
    arguments = parser.parse_args(argv)
    with program():
        if len(arguments.studies) > 1:
            written = compare(arguments.studies, arguments.out)
        else:
            panel = tuple(filter(None, arguments.panel.split(",")))
            choices = Choices(_where(arguments.where), arguments.best, arguments.x, arguments.colour, panel)
            written = report(arguments.studies[0], choices, arguments.out)
        for path in written:
            print(path)


def _where(words: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words:
        key, equals, values = word.partition("=")
        if not (key and equals and values):
            raise UserError(f"--where {word}: expected KEY=VALUE or KEY=VALUE,VALUE")
        found.setdefault(key, []).extend(values.split(","))
    return found


def report(folder: Path, choices: Choices | None = None, out: Path | None = None) -> list[Path]:
    """Draw all figures of the study in `folder`, and its page; returns the files. What is left out of them is said.

    curves; digits, one example of each class; learning_rates, or ends_* of another number; panels_* and heat_map_*,
    where two settings or more were swept.

    Raises:
        UserError: there is no run in it that has finished an epoch, a choice is wrong, or another process draws it.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", LeftOut)
        found = drawings(folder, choices)
    wanted = {name: figure for name, figure in found.items() if figure is not None}
    for line in dict.fromkeys(str(warning.message) for warning in said):
        console(stderr=True).print(printable(line))
    written = _draw(wanted, out or folder / "figures")
    page = write_page([folder])
    return written if page is None else [*written, page]


def compare(folders: Sequence[Path], out: Path | None = None) -> list[Path]:
    """Compare studies, the first with each of the others: a table, a figure and a page; returns the files.

    Raises:
        UserError: one holds no run that has finished an epoch, or two are one directory.
    """
    names = study_names(folders)
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UserError(f"{', '.join(map(str, folders))}: expected studies in different directories")
    reader = Reader(folders)
    runs, asked = reader.read()
    ended = [(run.folder, run.state, None) for run in runs if isinstance(run.state, Result) and is_begun(run)]
    for folder, name in zip(folders, names, strict=True):
        if not any(f"study={name}" in result.overrides for _, result, _ in ended):
            raise UserError(
                f"{folder}: holds no run with a finished epoch; expected the directory of a sweep or of a run"
            )
    cells = cells_of(ended, asked)
    metric = judged(cells)
    frame, home = comparison(cells, names, metric), out or folders[0] / "comparison"
    output, shown = console(width=100), Columns(f"{metric}: {names[0]} beside {', '.join(names[1:])}")
    keys = list(frame.columns)[: list(frame.columns).index(names[0])]
    for column in [*keys, *names]:
        shown.column(column, is_number=column in names)
    for name in names[1:]:
        shown.column(f"{name} -\n{names[0]}", is_number=True)
        shown.column(f"{name} is")
    for row in frame.head(MOST_ROWS).to_dict("records"):
        means = [_mean(row[name], row[f"{name}_std"]) for name in names]
        others = [(_mean(row[f"{n} - {names[0]}"], row[f"{n} spread"]), row[f"{n} is"]) for n in names[1:]]
        shown.row(*(row[key] for key in keys), *means, *(text for pair in others for text in pair))
    output.print(shown.table)
    if len(frame) > MOST_ROWS:
        output.print(f"... and {len(frame) - MOST_ROWS} more settings, see comparison.csv")
    written = _draw({"comparison": studies_beside(cells, names, metric)}, home)
    with claimed(home):
        write_table(home, frame, "comparison.csv")
    page = write_page(folders, home / PAGE, reader)
    return [*written, home / "comparison.csv", *([] if page is None else [page])]


def _mean(mean: float, spread: float) -> str:
    """A mean with its spread; nothing where there is none."""
    if mean != mean:
        return ""
    return f"{mean:.4f}" + (f" ± {spread:.4f}" if spread == spread else "")


def _draw(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    output, written = console(stderr=True), []
    for name, figure in figures.items():
        if note := figure.get_suptitle():
            output.print(f"{name}: {note}".replace("\n", " "))
    with claimed(folder):
        bar = track(figures.items(), "drawing", transient=True, console=output, disable=not output.is_terminal)
        for name, figure in bar:
            written += save(figure, folder, name)
    return written
