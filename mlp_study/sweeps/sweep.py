"""A sweep of the command line, from its first check to its table. The sweeper plugin calls this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.core.override_parser.overrides_parser import OverridesParser
from rich.console import Console

from mlp_study.errors import RunsFailed
from mlp_study.files import claimed
from mlp_study.runs import table
from mlp_study.runs.result import FAILED, Result
from mlp_study.runs.run import Run
from mlp_study.sweeps.checks import check_ready, check_words
from mlp_study.sweeps.compose import SweepComposer
from mlp_study.sweeps.words import runs_of


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
    folder = Path(sweeper.config.hydra.sweep.dir)
    check_words(arguments)
    runs = _runs(sweeper, arguments, folder)
    num_complete = check_all(runs)
    failed: dict[str, str] = {}
    with claimed(folder):
        try:
            if num_complete == len(runs):  # torch is not needed to say so
                Console(highlight=False, soft_wrap=True).print(f"all {len(runs)} runs are already complete")
                return []
            returned = sweep(arguments)
            results = [job.return_value for batch in returned for job in batch]
            failed = {r.name: r.reason for r in results if isinstance(r, Result) and r.status == FAILED}
            return returned
        finally:
            show_table(folder, failed)


def check_all(runs: Sequence[Run]) -> int:
    """See that every run of a sweep can be carried out, before the first one starts; returns how many are complete.

    Raises:
        UserError: one cannot.
    """
    for run in runs:
        check_ready(run.config)
    return sum(run.is_complete() for run in runs)


def show_table(folder: Path, failed: dict[str, str]) -> pd.DataFrame:
    """Write and print the table of a study; `failed` are reasons by name, of runs whose directory may not say it.

    Raises:
        RunsFailed: some run failed.
    """
    frame = table.write_table(folder)
    if not frame.empty:
        table.show(frame, folder)
        failed = failed | {row["run"]: row["reason"] for _, row in frame[frame["status"] == FAILED].iterrows()}
    if failed:
        listed = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise RunsFailed(f"{len(failed)} of {max(len(frame), len(failed))} runs failed in {folder}: {listed}")
    return frame


def _runs(sweeper: Any, arguments: list[str], folder: Path) -> list[Run]:
    loader = sweeper.hydra_context.config_loader
    parsed = OverridesParser.create(config_loader=loader).parse_overrides([*sweeper.words(), *arguments])
    jobs = [job for batch in sweeper.split_arguments(parsed, sweeper.max_batch_size) for job in batch]
    composer = SweepComposer(loader)
    runs = runs_of(sweeper.config, composer, jobs, folder)
    # What was composed here need not be composed again by the basic sweeper's own validation and by launchers.
    loader.load_sweep_config = composer
    sweeper.validate_batch_is_legal = lambda batch: None
    return runs
