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
from rich.progress import track

from mlp_study.errors import UserError
from mlp_study.runs.run import Run, name_of
from mlp_study.showing import console
from mlp_study.sweeps.checks import check_hydra, is_file_name, typed
from mlp_study.sweeps.compose import BasicSweeper, SweepComposer
from mlp_study.sweeps.explain import explain, hydra_with_conf
from mlp_study.sweeps.grammar import check_words
from mlp_study.sweeps.values import check_values

MAX_NAME = 200  # bytes; most file systems take 255
NUMBERED = "${hydra.job.num}"  # Hydra's own name for the directory of a run in a sweep

# Two programs started in the same second, or microsecond, must not share a directory.
OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(2), use_cache=True, replace=True)


def study_runs(words: Sequence[str], folder: Path | None = None) -> list[Run]:
    """The runs of the sweep that `words` describe, in `folder`, or where the configuration says.

    Raises:
        UserError: a word is wrong.
    """
    master, loader, parsed = _composed(words, RunMode.MULTIRUN)
    if (chosen := master.hydra.runtime.choices["hydra/sweeper"]) != "study":
        raise UserError(f"hydra/sweeper={chosen}: only the command mlp train searches; expected values to go through")
    params = [f"{key}={value}" for key, value in (master.hydra.sweeper.params or {}).items()]
    check_words(params)
    everything = [*OverridesParser.create(config_loader=loader).parse_overrides(params), *parsed]
    return runs_of(master, SweepComposer(loader), jobs_of(everything, master), folder)


def single_run(words: Sequence[str], folder: Path | None = None) -> Run:
    """The one run that `words` describe; the same errors."""
    master, _, _ = _composed(words, RunMode.RUN)
    config = typed(master)
    task = [str(word) for word in master.hydra.overrides.task]
    return Run(config, folder or _directory(master.hydra.run), tuple(task), name_of(task))


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
            master = loader.load_configuration("train", fixed, run_mode=mode)
            check_hydra(master.hydra)
            return master, loader, parsed
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explain(error)) from None


def jobs_of(overrides: list[Override], master: DictConfig) -> list[list[str]]:
    """Every combination of the values given, each job's overrides with the name of its directory as the last.

    The directory has no name yet where the configuration without what is swept, `master`, says how it is to be called.

    Raises:
        UserError: there is no combination, one is there twice, or there are more than `master` allows.
    """
    overrides = list({override.get_key_element(): override for override in overrides}.values())  # the last of a key
    check_values(overrides, master.hydra.sweeper.max_runs)
    (jobs,) = BasicSweeper.split_arguments(overrides, None)
    said: Any = OmegaConf.to_container(master.hydra.overrides.hydra, resolve=False)
    if _raw(master, "subdir") != NUMBERED or any("hydra.sweep.subdir=" in word for word in said):
        return jobs
    swept = {override.get_key_element() for override in overrides if override.is_sweep_override()}
    return [[*job, f"hydra.sweep.subdir='{run_folder(job, swept)}'"] for job in jobs]


def runs_of(
    master: DictConfig, composer: SweepComposer, jobs: Sequence[Sequence[str]], folder: Path | None = None
) -> list[Run]:
    """The runs of a sweep, checked for all that needs no file.

    Args:
        master: the configuration without what is swept.
        composer: composes the jobs.
        jobs: their overrides.
        folder: the sweep's directory, where it is not the one that the configuration says.

    Raises:
        UserError: a setting is wrong, two runs would share a directory, or they would not share the sweep's.
    """
    runs, folders = [], set()
    home = folder or _directory(master.hydra.sweep)
    may_differ = folder is None and "${" in re.sub(r"\$\{(now|unique):[^{}]*\}", "", _raw(master, "dir"))
    output = console(stderr=True)
    is_shown = output.is_terminal and len(jobs) >= 10
    for number, job in enumerate(track(jobs, "checking", transient=True, disable=not is_shown, console=output)):
        try:
            name = composer.subdir(master, job, number)
            run = Run(typed(composer.task_config(master, job)), home / name, composer.task_words(job), name)
            if may_differ and (other := composer.task_config(master, job).hydra.sweep.dir) != master.hydra.sweep.dir:
                raise UserError(
                    f"hydra.sweep.dir='{_raw(master, 'dir')}': {other} for {name}, {home} for the study; expected one "
                    "directory for all runs; what differs belongs into hydra.sweep.subdir"
                )
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(explain(error)) from None
        if not is_file_name(name):
            raise UserError(f"hydra.sweep.subdir='{name}': expected a name for each run, not a path")
        if run.folder in folders:
            raise UserError(f"hydra.sweep.subdir='{name}': several runs would share it; leave it out")
        folders.add(run.folder)
        runs.append(run)
    return runs


def _directory(node: DictConfig) -> Path:
    try:
        return Path(str(node.dir))
    except OmegaConfBaseException as error:  # an interpolation that leads nowhere
        raise UserError(explain(error)) from None


def _raw(master: DictConfig, key: str) -> str:
    """`hydra.sweep.KEY` with its interpolations as they are written."""
    return str(OmegaConf.to_container(master.hydra.sweep, resolve=False)[key])  # type: ignore[call-overload,index]


def run_folder(job: Sequence[str], swept: set[str]) -> str:
    """The name of a job's directory: its overrides that are swept, in the order typed.

    It depends on this job alone, so that the same cell has the same directory in whatever company. Where the overrides
    are no name as they are, or too long for one, a digest of them keeps apart what would be called the same.
    """
    raw = ",".join(override for override in job if override.split("=", 1)[0] in swept) or "run-0"
    name = re.sub(r"[^A-Za-z0-9_=,.+\[\]-]", "_", raw)
    if name == raw and len(name) <= MAX_NAME:
        return name
    return name[: MAX_NAME - 9] + "-" + hashlib.sha256(raw.encode()).hexdigest()[:8]
