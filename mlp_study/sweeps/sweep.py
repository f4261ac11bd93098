"""A sweep of the command line, from its first check to its table. The sweeper plugin calls this."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from mlp_study.diagnosis.verdict import said_of
from mlp_study.errors import NotWritten, RunsFailed, UserError
from mlp_study.files import claimed, remove_links
from mlp_study.page.study_page import write_page
from mlp_study.runs import table, under_way
from mlp_study.runs.asked import Asked, ask
from mlp_study.runs.cells import settings_table
from mlp_study.runs.result import FAILED, Result
from mlp_study.runs.run import JOBS, Run, engine_of
from mlp_study.runs.shown import show
from mlp_study.showing import console, printable
from mlp_study.sweeps.checks import check_hydra, check_ready, check_workers
from mlp_study.sweeps.compose import SweepComposer
from mlp_study.sweeps.grammar import check_words, spelled
from mlp_study.sweeps.words import runs_of

MOST_LISTED = 8  # failures whose reasons are printed


def run_study(sweeper: Any, sweep: Callable[[list[str]], Any], arguments: list[str]) -> Any:
    """Run a sweep as a study.

    Args:
        sweeper: the sweeper plugin, set up.
        sweep: the basic sweeper's own `sweep`.
        arguments: the overrides typed by the user.

    Raises:
        UserError: a run's settings are wrong, and nothing was started, or the directory is in use.
        RunsFailed: every run was tried, and some failed.
    """
    check_sweep(sweeper, arguments)
    folder = Path(sweeper.config.hydra.sweep.dir)
    runs = _runs(sweeper, arguments)
    num_complete = check_all(runs, getattr(sweeper.launcher, "trains_here", True))
    with claimed(folder):
        remove_links([folder / "multirun.yaml"])  # Hydra writes it, and would follow
        ask(folder, runs, under_way.command(sys.argv[1:]))
        with shown_if_interrupted(folder):
            if num_complete == len(runs) and not (folder / JOBS).exists():  # torch is not needed to say so
                console().print(f"all {len(runs)} runs are already complete")
                under_way.remove(folder)
                returned = []
            else:
                returned = sweep(arguments)
        results = [job.return_value for batch in returned for job in batch]
        end_with_table(folder, [r for r in results if isinstance(r, Result) and r.status == FAILED])
        return returned


def check_sweep(sweeper: Any, arguments: list[str]) -> None:
    """See that the words of a sweep can be read, and its launcher be used; the arguments are those of `run_study`.

    Raises:
        UserError: they cannot.
    """
    check_words([*sweeper.words(), *arguments])
    check_hydra(sweeper.config.hydra)
    for key in ("sweeper.max_batch_size", "launcher.max_members"):
        size = OmegaConf.select(sweeper.config.hydra, key)
        if size is not None and size < 1:
            raise UserError(f"hydra.{key}={size}: expected null or a whole number >= 1")
    # Launchers that are not ours have none.
    check_workers("hydra.launcher.workers", OmegaConf.select(sweeper.config.hydra, "launcher.workers", default="auto"))
    if hasattr(sweeper.launcher, "check"):
        sweeper.launcher.check()


@contextmanager
def shown_if_interrupted(folder: Path) -> Iterator[None]:
    """Where what is done inside is interrupted, say, what there is in the study's directory is shown all the same."""
    try:
        yield
    except BaseException:
        with suppress(UserError, OSError):
            show_tables(folder, *tables(folder))
            console().print(printable(f"to go on: {under_way.command(continuing(folder))}"))
        raise


def continuing(folder: Path) -> list[str]:
    """The words of the command that goes on with the study in `folder`: those of this one, with that directory."""
    words = [word for word in sys.argv[1:] if not word.startswith("hydra.sweep.dir=")]
    return [*words, f"hydra.sweep.dir={spelled(str(folder.absolute()))}"]


def check_all(runs: Sequence[Run], is_here: bool = True) -> int:
    """See that every run of a sweep can be carried out, before the first one starts; returns how many are complete.

    Args:
        runs: of the sweep.
        is_here: whether this machine trains them.

    Raises:
        UserError: one cannot.
    """
    engine_of(runs, "stack")
    for run in runs:
        check_ready(run.config, is_here)
    return sum(run.is_complete() for run in runs)


def show_tables(folder: Path, frame: pd.DataFrame, settings: pd.DataFrame) -> None:
    """Print and write the tables of a study, a row a run and a row a setting, and write its page.

    Raises:
        NotWritten: after they were printed.
    """
    if not frame.empty:
        show(frame, settings, folder)
    if (page := write_tables(folder, frame, settings)) is not None:
        console().print(printable(f"page: {page}"), highlight=False)


def write_tables(folder: Path, frame: pd.DataFrame, settings: pd.DataFrame) -> Path | None:
    """Write the tables of a study and its page; returns the page, None where nothing has begun.

    Raises:
        NotWritten: the disk is full, say.
    """
    table.write_table(folder, frame)
    table.write_table(folder, settings, "cells.csv")
    return write_page([folder])


def tables(folder: Path, failed: Sequence[Result] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of the study in `folder`: a row a run, and a row a setting.

    Args:
        folder: of the study.
        failed: results of runs whose directories may not say it.
    """
    asked = Asked.in_folder(folder)
    states = table.read_states(folder, asked, failed)
    frame = table.frame_of(states, asked)
    if not frame.empty:
        frame["diagnosis"] = [said_of(folder / run, states[folder / run]) for run in frame["run"]]
    return frame, settings_table(states, asked)


def end_with_table(folder: Path, failed: Sequence[Result]) -> None:
    """Print and write the table of a study whose runs have all been tried.

    Args:
        folder: of the study.
        failed: those that did just now; their directories may not say it.

    Raises:
        RunsFailed: some run failed, now or before.
    """
    (frame, settings), problem = tables(folder, failed), None
    try:
        show_tables(folder, frame, settings)
    except NotWritten as error:
        problem = error
    if not frame.empty and (frame["status"] == FAILED).any():
        rows = frame[frame["status"] == FAILED]
        listed = "; ".join(f"{row['run']}: {row['reason']}" for _, row in rows.head(MOST_LISTED).iterrows())
        listed += "" if len(rows) <= MOST_LISTED else f"; ... see {folder / 'study.csv'}"
        raise RunsFailed(f"{len(rows)} of {len(frame)} runs failed in {folder}: {listed}")
    if problem is not None:
        raise problem


def _runs(sweeper: Any, arguments: list[str]) -> list[Run]:
    loader = sweeper.hydra_context.config_loader
    parsed = OverridesParser.create(config_loader=loader).parse_overrides([*sweeper.words(), *arguments])
    jobs = [job for batch in sweeper.split_arguments(parsed, sweeper.max_batch_size) for job in batch]
    composed: dict[tuple[str, ...], dict[Any, Any]] = {}
    runs = runs_of(sweeper.config, SweepComposer(loader, composed), jobs)
    # What was composed here need not be composed again, by the basic sweeper's own validation or by our launcher.
    sweeper.validate_batch_is_legal = lambda batch: None
    if hasattr(sweeper.launcher, "known"):
        found = zip(jobs, runs, strict=True)
        sweeper.launcher.known = {tuple(job): (run, composed[tuple(job)]) for job, run in found}
    return runs
