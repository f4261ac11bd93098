"""Say why a run does not train, from its files alone, and with --cure train what might make it.

    python -m mlp_study.diagnose RUN
    python -m mlp_study.diagnose RUN --cure
    python -m mlp_study.diagnose STUDY

RUN is healthy if it reaches what its data allow, whatever its gradients look like. Otherwise its symptoms are listed,
and what may have caused them, the most suspected first, with the evidence. --cure trains changes to the run, those for
its suspects first: many with one seed, of which poor ones leave early, then the best beside the unchanged run with
three. It ends with the changes that work, the smallest first. Interrupted, the same command goes on. Results are in
RUN/cures, a study like any other, and in RUN/diagnosis.json; RUN/diagnosis.png shows the run from inside.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlp_study.diagnosis.patient import Patient
from mlp_study.diagnosis.verdict import Verdict, diagnose, verdict
from mlp_study.errors import UserError
from mlp_study.files import claimed, finite, write_json
from mlp_study.program import Arguments, program
from mlp_study.runs import under_way
from mlp_study.runs.result import DIVERGED
from mlp_study.runs.run import CONFIG, run_folders
from mlp_study.showing import Columns, console, printable
from mlp_study.sweeps.checks import check_ready

MOST_SUSPECTS = 5
DIAGNOSIS = "diagnosis.json"


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; `argv` stands in for sys.argv[1:]."""
    parser = Arguments(
        prog="python -m mlp_study.diagnose", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="the directory of a run, or of a sweep")
    parser.add_argument("--cure", action="store_true", help="train what might cure it")
    parser.add_argument("--budget", type=float, default=6.0, help="of the cures, in times the run's own epochs (6)")
    parser.add_argument("--json", action="store_true", help="print all of it as one JSON object")
    arguments = parser.parse_args(argv)
    with program():
        if arguments.budget < 1:
            raise UserError(f"--budget {arguments.budget:g}: expected a number >= 1")
        if not (arguments.run / CONFIG).exists() and run_folders(arguments.run):
            if arguments.cure:
                raise UserError(f"{arguments.run}: a study; --cure expects the directory of one of its runs")
            _study(arguments.run, arguments.json)
            return
        patient = Patient.read(arguments.run)
        found = verdict(patient)
        if not arguments.json:
            show(found)
        cured = _cure(patient, found, arguments) if arguments.cure and not found.is_healthy else None
        said = {**found.as_dict(), **({} if cured is None else {"cures": cured})}
        if arguments.json:
            print(json.dumps(finite(said), indent=2))
        with claimed(arguments.run):
            write_json(arguments.run / DIAGNOSIS, finite(said))
            from mlp_study.figures.from_inside import from_inside
            from mlp_study.figures.saving import save

            save(from_inside(patient, found, _best_cure(patient, cured)), arguments.run, "diagnosis", endings=("png",))
        if not arguments.json:
            console().print(printable(f"from inside: {arguments.run / 'diagnosis.png'}"))


def show(found: Verdict) -> None:
    """Print a verdict."""
    output = console()
    reached = f"accuracy {found.accuracy:.4f}; these data allow {found.allowed:.3f} at least"
    output.print(printable(f"{found.run}: {'healthy' if found.is_healthy else 'sick'}, {reached}"))
    for symptom in found.symptoms:
        when = f" (epoch {symptom.epoch})" if symptom.epoch else " (before training)"
        output.print(printable(f"  {symptom.said}{when}"))
    if found.suspects:
        output.print("suspected, most of all first:")
        for i, suspect in enumerate(found.suspects[:MOST_SUSPECTS], 1):
            output.print(printable(f"  {i}. {suspect.name}: {suspect.said}"))
    elif not found.is_healthy:
        output.print("cause unknown: nothing in its settings or record is suspicious")
    if found.unknown:
        output.print(printable(f"not known: {found.unknown}"))


def _study(folder: Path, as_json: bool) -> None:
    found: list[dict[str, Any]] = []
    shown = Columns(f"{folder}")
    for name in ("run", "accuracy", "diagnosis"):
        shown.column(name, is_number=name == "accuracy")
    for run in run_folders(folder):
        try:
            one = diagnose(run)
            found.append(one.as_dict())
            shown.row(run.name, f"{one.accuracy:.4f}", one.line())
        except UserError as error:
            found.append({"run": run.name, "unknown": str(error)})
            shown.row(run.name, "", str(error))
    if as_json:
        print(json.dumps(finite({"runs": found}), indent=2))
    else:
        console(width=120).print(shown.table)


def _cure(patient: Patient, found: Verdict, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Train cures, and print what became of them."""
    from mlp_study.execution.console import ConsoleListener
    from mlp_study.execution.curing import Curing

    check_ready(patient.config)
    command = ["python", "-m", "mlp_study.diagnose", *sys.argv[1:]]
    curing = Curing(patient, arguments.budget, " ".join(command))
    output = console(stderr=arguments.json)
    output.print(
        f"training {len(curing.cures)} changes at most with one seed, {curing.times:.1f} times what the run took; then "
        "the best with three"
    )
    for cure, times in curing.too_dear.items():
        output.print(printable(f"not tried: {cure}, {times:.0f} times the run's training (--budget {times + 1:.0f})"))
    with ConsoleListener(curing.runs) as listener:
        results = curing.carry_out(listener)
    rows = [
        {
            "change": str(one.cure), "against": one.cure.against,
            "accuracy": one.accuracies.mean if len(one.accuracies.values) else None,
            "sd": one.accuracies.sd if len(one.accuracies.values) > 1 else None, "seeds": len(one.accuracies.values),
            "works": one.works, "helps": one.helps, "note": one.note,
            "run": one.folder.name, "command": under_way.command(one.command),
        }
        for one in results
    ]  # fmt: skip
    if not arguments.json:
        _show_cures(rows)
    return rows


def _show_cures(rows: Sequence[dict[str, Any]]) -> None:
    output, shown = console(width=110), Columns("changes, those that work first, the smallest of them on top")
    for name in ("change", "accuracy", "seeds", "works", "against", "note"):
        shown.column(name, is_number=name in ("accuracy", "seeds"))
    for row in rows:
        accuracy = "" if row["accuracy"] is None else f"{row['accuracy']:.4f}"
        accuracy += "" if row["sd"] is None else f" ± {row['sd']:.4f}"
        is_known = row["change"] and (row["seeds"] > 1 or DIVERGED in row["note"])  # of one that left early it is not
        works = "yes" if row["works"] else "helps" if row["helps"] else "no" if is_known else ""
        shown.row(row["change"] or "(unchanged)", accuracy, row["seeds"], works, row["against"], row["note"])
    output.print(shown.table)
    best = next((row for row in rows if row["works"]), None)
    helps = next((row for row in rows if row["helps"]), None)
    if best is None and helps is not None:
        output.print(printable(f"nothing makes it healthy; best of all: {helps['change']}"))
        output.print(printable(f"to train it so: {helps['command']}"))
    elif best is None:
        output.print("cause unknown: none of these changes makes it train")
    else:
        output.print(printable(f"cure: {best['change']}"))
        output.print(printable(f"to train it so: {best['command']}"))


def _best_cure(patient: Patient, cured: Sequence[dict[str, Any]] | None) -> Patient | None:
    """The run of the first cure that works, to be drawn beside."""
    from mlp_study.execution.curing import CURES

    works = next((row["run"] for row in cured or () if row["works"]), None)
    return None if works is None else Patient.read(patient.folder / CURES / works)
