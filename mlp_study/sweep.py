"""A sweep from its first check to its table. The sweeper plugin calls this; torch is not needed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from rich.console import Console
from rich.progress import track

from mlp_study import study
from mlp_study.compose import SweepComposer
from mlp_study.errors import RunsFailed
from mlp_study.files import claimed
from mlp_study.hydra_checks import check_run
from mlp_study.record import FAILED

MAX_NAME = 200  # bytes; most file systems take 255


def run_folders(jobs: Sequence[Sequence[str]], swept: set[str]) -> list[str]:
    """A directory name for each job: the overrides that are swept, in the order typed; unique within the sweep."""
    names = []
    for number, overrides in enumerate(jobs):
        shown = [override for override in overrides if override.split("=", 1)[0] in swept]
        name = re.sub(r"[^A-Za-z0-9_=,.+\[\]-]", "_", ",".join(shown)) or f"run-{number}"
        if len(name) > MAX_NAME:
            name = name[: MAX_NAME - 9] + "-" + hashlib.sha256(name.encode()).hexdigest()[:8]
        names.append(name)
    return [name if names.count(name) == 1 else f"{name}-{number}" for number, name in enumerate(names)]


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
    jobs = _jobs(sweeper, arguments)
    _check_all(sweeper, jobs)
    folder = Path(sweeper.config.hydra.sweep.dir)
    with claimed(folder):
        try:
            return sweep(arguments)
        finally:
            frame = study.write_table(folder)
            if not frame.empty:
                study.show(frame, folder)
            _raise_for_failures(frame, folder)


def _jobs(sweeper: Any, arguments: list[str]) -> list[list[str]]:
    parser = OverridesParser.create(config_loader=sweeper.hydra_context.config_loader)
    overrides = parser.parse_overrides([*sweeper._parse_config(), *arguments])
    return [job for batch in sweeper.split_arguments(overrides, sweeper.max_batch_size) for job in batch]


def _check_all(sweeper: Any, jobs: Sequence[Sequence[str]]) -> None:
    """Compose and check every run before the first one starts."""
    loader = sweeper.hydra_context.config_loader
    loader.load_sweep_config = composer = SweepComposer(loader)
    for job in track(jobs, "checking", transient=True, disable=len(jobs) < 10, console=Console(stderr=True)):
        check_run(composer.task_config(sweeper.config, job))
    # What was composed here need not be composed again by the basic sweeper's own validation.
    sweeper.validate_batch_is_legal = lambda batch: None


def _raise_for_failures(frame: Any, folder: Path) -> None:
    if frame.empty:
        return
    failed = frame[frame["status"] == FAILED]
    if len(failed):
        listed = "; ".join(f"{row['run']}: {row['reason']}" for _, row in failed.iterrows())
        raise RunsFailed(f"{len(failed)} of {len(frame)} runs failed in {folder}: {listed}")
