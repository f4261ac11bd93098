"""Where a study stands, asked from another shell or machine, while it is carried out or after.

    python -m mlp_study.status STUDY
    python -m mlp_study.status STUDY --follow

STUDY is the directory of a sweep, or of one run. All is read from its files; nothing is written, and whoever trains is
not disturbed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group
from rich.live import Live
from rich.text import Text

from mlp_study.files import finite
from mlp_study.program import Arguments, program
from mlp_study.runs.standing import ORDER, Standing
from mlp_study.runs.under_way import silence
from mlp_study.showing import Columns, console, printable

MOST_LISTED = 8  # failures, and a worker's runs by name
SECONDS = 2.0  # between two looks


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; `argv` stands in for sys.argv[1:]."""
    parser = Arguments(
        prog="python -m mlp_study.status", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, help="the directory of a sweep or of a run")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--follow", action="store_true", help=f"look again every {SECONDS:g} s, until nobody trains")
    how.add_argument("--json", action="store_true", help="print all of it as one JSON object")
    arguments = parser.parse_args(argv)
    with program():
        standing = Standing.of(arguments.study)
        for line in standing.remarks:
            console(stderr=True).print(printable(f"{line}; left out"))
        if arguments.json:
            print(json.dumps(finite(standing.as_dict()), indent=2))
        elif arguments.follow:
            follow(standing)
        else:
            console().print(shown(standing))


def follow(standing: Standing) -> None:
    """Show it again and again: in place on a terminal, otherwise when something has changed."""
    output = console()
    if output.is_terminal:
        with Live(shown(standing), console=output, auto_refresh=False) as live:
            while standing.is_alive:
                time.sleep(SECONDS)
                standing = Standing.of(standing.folder)
                live.update(shown(standing), refresh=True)
        return
    line = ""
    while True:
        if (now := summary(standing)) != line:
            line = now
            output.print(line)
        if not standing.is_alive:
            return
        time.sleep(SECONDS)
        standing = Standing.of(standing.folder)


def shown(standing: Standing) -> Group:
    """All that a person wants to see."""
    said = standing.under_way
    lines = [heading(standing), summary(standing)]
    if standing.best is not None:
        name, epoch, value = standing.best
        lines.append(f"best so far: val_acc {value:.4f}, {name}, epoch {epoch}")
    parts: list[Text | object] = [Text(printable(line)) for line in lines]
    if said is not None and standing.is_alive and said.workers:
        parts.append(_workers(standing))
    for name, reason in list(standing.failed.items())[:MOST_LISTED]:
        parts.append(Text(printable(f"{name}: {reason}")))
    if len(standing.failed) > MOST_LISTED:
        parts.append(Text(f"... and {len(standing.failed) - MOST_LISTED} more"))
    if said is not None:
        parts += [Text(printable(line)) for line in said.remarks]
        if not standing.is_alive and said.command:
            parts.append(Text(printable(f"to go on: {said.command}")))
    return Group(*parts)  # type: ignore[arg-type]


def heading(standing: Standing) -> str:
    """Whether somebody trains, and who."""
    said = standing.under_way
    if said is None:
        return f"{standing.folder}: nobody trains here"
    if standing.is_alive:
        return (
            f"{standing.folder}: since {_ago(time.time() - said.started)} in process {said.pid} on {said.host}; "
            f"{len(said.workers)} training"
        )
    if said.ended:
        return f"{standing.folder}: {said.ended} {_ago(silence(standing.folder))} ago"
    quiet = _ago(silence(standing.folder))
    return f"{standing.folder}: no sign of life of process {said.pid} on {said.host} for {quiet}"


def summary(standing: Standing) -> str:
    """One line: runs by status, epochs, speed, time left."""
    said = standing.under_way
    counts = ", ".join(f"{standing.runs[status]} {status}" for status in ORDER if standing.runs[status])
    line = f"{sum(standing.runs.values())} runs: {counts}"
    if said is not None and standing.is_alive:
        line += f"; epoch {said.epochs:.1f}/{said.num_epochs}, {said.rate:,.0f} images/s"
        if (left := standing.seconds_left) is not None:
            line += f", {_ago(left)} left"
    return line


def _workers(standing: Standing) -> object:
    columns = Columns()
    for heading in ("worker", "host", "process", "device", "for", "trains"):
        columns.column(heading, is_number=heading == "process")
    for worker in standing.under_way.workers if standing.under_way is not None else ():
        runs = worker["runs"]
        what = runs[0] if len(runs) == 1 else f"{len(runs)} runs: {runs[0]} ..."
        columns.row(
            worker["name"], worker["host"], worker["pid"], worker["device"], _ago(time.time() - worker["since"]), what
        )
    return columns.table


def _ago(seconds: float) -> str:
    seconds = max(0, round(seconds)) if seconds != float("inf") else 0
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds % 60:02} s" if minutes else f"{seconds} s"
