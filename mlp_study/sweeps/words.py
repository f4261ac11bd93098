"""Words in, runs out: `optim=sgd,adam seed=0,1` as the runs of a study, checked, none of them trained.

The command line, `reproduce` and Python all come through here.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.progress import track

from mlp_study.errors import UserError
from mlp_study.runs.run import Run, name_of
from mlp_study.sweeps.checks import check_words, typed
from mlp_study.sweeps.compose import BasicSweeper, SweepComposer
from mlp_study.sweeps.explain import explain, hydra_with_conf

MAX_NAME = 200  # bytes; most file systems take 255

# Two programs started in the same second, or microsecond, must not share a directory.
OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(2), use_cache=True, replace=True)


def study_runs(words: Sequence[str], folder: Path | None = None) -> list[Run]:
    """The runs of the sweep that `words` describe, in `folder`, or where the configuration says.

    Raises:
        UserError: a word is wrong.
    """
    master, loader, parsed = _composed(words, RunMode.MULTIRUN)
    params = [f"{key}={value}" for key, value in (master.hydra.sweeper.params or {}).items()]
    everything = [*OverridesParser.create(config_loader=loader).parse_overrides(params), *parsed]
    return runs_of(master, SweepComposer(loader), jobs_of(everything), folder or Path(str(master.hydra.sweep.dir)))


def single_run(words: Sequence[str], folder: Path | None = None) -> Run:
    """The one run that `words` describe; the same errors."""
    master, _, _ = _composed(words, RunMode.RUN)
    task = [str(word) for word in master.hydra.overrides.task]
    return Run(typed(master), folder or Path(str(master.hydra.run.dir)), tuple(task), name_of(task))


def _composed(words: Sequence[str], mode: RunMode) -> tuple[DictConfig, Any, list[Override]]:
    """The configuration without what is swept, Hydra's loader, and the words understood."""
    setup_globals()
    check_words(words)
    try:
        with hydra_with_conf() as loader:
            parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(words))
            swept = [override for override in parsed if override.is_sweep_override()]
            if swept and mode == RunMode.RUN:
                raise UserError(f"{swept[0].input_line}: several values; expected one, or a sweep of them")
            fixed = [str(override.input_line) for override in parsed if override not in swept]
            return loader.load_configuration("train", fixed, run_mode=mode), loader, parsed
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(" ".join(explain(error).split())) from None


def jobs_of(overrides: list[Override]) -> list[list[str]]:
    """Every combination of the values given, each job's overrides with the name of its directory as the last."""
    (jobs,) = BasicSweeper.split_arguments(overrides, None)
    if any(override.get_key_element() == "hydra.sweep.subdir" for override in overrides):
        return jobs
    swept = {override.get_key_element() for override in overrides if override.is_sweep_override()}
    names = run_folders(jobs, swept)
    return [[*job, f"hydra.sweep.subdir='{name}'"] for job, name in zip(jobs, names, strict=True)]


def runs_of(master: DictConfig, composer: SweepComposer, jobs: Sequence[Sequence[str]], folder: Path) -> list[Run]:
    """The runs of a sweep, checked for all that needs no file: `jobs` are their overrides, `folder` is the sweep's.

    Raises:
        UserError: a setting is wrong, or two runs would share a directory.
    """
    runs, folders = [], set()
    console = Console(stderr=True, force_jupyter=False)
    for number, job in enumerate(track(jobs, "checking", transient=True, disable=len(jobs) < 10, console=console)):
        try:
            name = composer.subdir(master, job, number)
            run = Run(typed(composer.task_config(master, job)), folder / name, composer.task_words(job), name)
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(explain(error)) from None
        if run.folder in folders:
            raise UserError(f"hydra.sweep.subdir='{name}': several runs would share it; leave it out")
        folders.add(run.folder)
        runs.append(run)
    return runs


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
