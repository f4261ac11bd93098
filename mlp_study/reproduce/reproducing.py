"""Re-run what the documents claim, and write what holds.

    python -m mlp_study.reproduce                 all four documents
    python -m mlp_study.reproduce keras_intro     one of them

Trains every experiment of conf/experiment/, evaluates and inspects what the claims ask for, and writes into --out:
REPRODUCTION.md, claims.json and figures/, with a verdict for each claim, the document's number beside ours, and the
figure that shows it. What is already complete is passed over, so the same command continues after an interruption.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mlp_study.choices.rules import unknown
from mlp_study.errors import UserError
from mlp_study.files import claimed
from mlp_study.program import Arguments, program
from mlp_study.reproduce import course_notes, deep_dive, fully_connected, keras_intro, ledger
from mlp_study.reproduce.steps import Step, steps
from mlp_study.showing import console
from mlp_study.sweeps.grammar import read

# What leaves the claims' question as it is: where and how exactly is computed, and less of the same data for a try.
MAY_SET = (
    "trainer", "trainer.accelerator", "trainer.precision", "trainer.deterministic", "trainer.steps_per_execution",
    "trainer.limit_train_batches", "trainer.limit_val_batches", "trainer.limit_test_batches", "trainer.progress_bar",
    "logger", "data.root", "resume", "hydra/launcher", "hydra.launcher.max_members",
    "hydra.sweeper.max_batch_size",
)  # fmt: skip
PARTS = {part.PART: part for part in (keras_intro, deep_dive, course_notes, fully_connected)}


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; `argv` stands in for sys.argv[1:]."""
    parser = Arguments(
        prog="python -m mlp_study.reproduce", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--out", type=Path, default=Path("outputs/reproduce"), help="where all goes (%(default)s)")
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help=f"for every training, e.g. trainer=cuda: {', '.join(MAY_SET)}",
    )
    parser.add_argument(
        "--publish", type=Path, metavar="REPOSITORY", help="write REPRODUCTION.md and small figures there, too"
    )
    arguments = parser.parse_args(argv)
    with program("interrupted; the same command continues"):
        reproduce(arguments.parts or list(PARTS), arguments.out, arguments.set, arguments.publish)


def reproduce(
    names: Sequence[str], folder: Path, overrides: Sequence[str] = (), repository: Path | None = None
) -> None:
    """Do what is left to do for the parts `names`, judge, and write; `overrides` are for every training.

    Raises:
        UserError: a part is unknown, the directory is in use, or a training failed.
    """
    for name in names:
        if name not in PARTS:
            raise UserError(unknown(name, name, PARTS, what="part"))
    if repository is not None and (set(names) != set(PARTS) or overrides):
        raise UserError(f"--publish {repository}: only all parts can be published, as they are: no part, no --set")
    check_settings(overrides)
    parts = [PARTS[name] for name in PARTS if name in names]
    todo = [step for part in parts for step in steps(part.PART, folder, overrides)]
    output = console(stderr=True)
    started = time.monotonic()
    with claimed(folder):
        left = [step for step in todo if not step.is_done()]
        if len(left) < len(todo):
            output.print(f"{len(todo) - len(left)} of {len(todo)} steps are already complete")
        _do(left, output)
        findings = ledger.judge(parts, folder)
        written = [ledger.write(parts, findings, folder)]
        if repository is not None:
            written.append(ledger.publish(parts, findings, folder, repository))
    for claim, finding in findings.items():
        print(f"{claim.name:<4} {finding.verdict:<28} {claim.title}")
    for path in written:
        print(path)
    print(f"{len(left)} steps in {(time.monotonic() - started) / 60:.1f} min")


def check_settings(overrides: Sequence[str]) -> None:
    """See that `overrides` leave the claims' question as it is: they may say how is computed, not what is.

    Raises:
        UserError: one of them says something else, or several things.
    """
    for override in read(overrides):
        key, word = override.key_or_group, override.input_line
        if override.is_delete() or (key not in MAY_SET and not key.startswith("logger.")):
            raise UserError(f"--set {word}: changes what the claims are about; expected one of {', '.join(MAY_SET)}")
        if override.is_sweep_override():
            raise UserError(f"--set {word}: several values; expected one")


def _do(todo: list[Step], output: Console) -> None:
    """One after the other, with a bar; without a terminal a line for each instead."""
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=output,
        transient=True,
        disable=not output.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=sum(step.cost for step in todo))
        before = 0.0
        for number, step in enumerate(todo, start=1):
            bar.update(task, description=f"{number}/{len(todo)} {step.name}")
            if not output.is_terminal:
                output.print(f"{number}/{len(todo)} {step.name}")

            def advance(fraction: float, before: float = before, cost: float = step.cost) -> None:
                bar.update(task, completed=before + fraction * cost)

            step.run(advance)
            before += step.cost
            bar.update(task, completed=before)
