"""What our launcher does: every run's directory as Hydra makes it, and then the one way to carry out runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.experimental.callback import Callback
from omegaconf import open_dict

from mlp_study.engines.hparams import with_columns
from mlp_study.errors import UserError
from mlp_study.execution.carry_out import carry_out
from mlp_study.execution.console import ConsoleListener
from mlp_study.execution.heartbeat import Heartbeat
from mlp_study.execution.slurm_queue import end_earlier_jobs
from mlp_study.files import claimed, make_folder, write_text
from mlp_study.runs.asked import Asked
from mlp_study.runs.listener import Both
from mlp_study.runs.run import Run
from mlp_study.sweeps.checks import typed
from mlp_study.sweeps.sweep import continuing
from mlp_study.sweeps.written import plain, to_yaml


def launch(launcher: Any, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
    """Train all jobs of a batch; see `hydra.plugins.launcher.Launcher.launch`."""
    setup_globals()
    configure_log(launcher.config.hydra.hydra_logging, launcher.config.hydra.verbose)
    jobs = [_prepare(launcher, list(overrides), initial_job_idx + i) for i, overrides in enumerate(job_overrides)]
    folder = jobs[0][0].folder.parent
    runs = with_columns([run for run, _ in jobs], Asked.in_folder(folder).swept)
    with ConsoleListener(runs) as console, Heartbeat(folder, continuing(folder)) as heartbeat:
        listener = Both(console, heartbeat)
        end_earlier_jobs(folder, listener)
        results = carry_out(
            runs, launcher.engine, listener, launcher.max_members, workers=launcher.hire(), halving=launcher.halving
        )
    for (_, returned), result in zip(jobs, results, strict=True):
        returned.return_value = result
        returned.status = JobStatus.COMPLETED
        if returned.hydra_cfg is not None:
            launcher.hydra_context.callbacks.on_job_end(config=returned.hydra_cfg, job_return=returned)
    console.costs()
    return [returned for _, returned in jobs]


def _is_heard(callbacks: Any) -> bool:
    """Whether one of Hydra's callbacks wants to know of a job's beginning or end."""
    names = ("on_job_start", "on_job_end")
    return any(getattr(type(one), name) is not getattr(Callback, name) for one in callbacks.callbacks for name in names)


def _prepare(launcher: Any, overrides: list[str], number: int) -> tuple[Run, JobReturn]:
    """The run, its directory with its .hydra/ as Hydra's `run_job` makes it, and what Hydra expects back."""
    context = launcher.hydra_context
    composed = None
    run, content = launcher.known.pop(tuple(overrides), (None, {}))
    if run is None or _is_heard(context.callbacks):
        composed = context.config_loader.load_sweep_config(launcher.config, overrides)
        task = composed.hydra.overrides.task
        folder = Path(str(composed.hydra.sweep.dir)) / str(composed.hydra.sweep.subdir)
        with open_dict(composed.hydra):
            composed.hydra.job.id = composed.hydra.job.num = number
            composed.hydra.runtime.output_dir = str(folder.absolute())
        run, content = Run(typed(composed), folder, tuple(task), str(composed.hydra.sweep.subdir)), plain(composed)
    run = replace(run, folder=run.folder.absolute())
    task = dict(content)
    hydra = task.pop("hydra")
    hydra["job"] |= {"id": number, "num": number}
    hydra["runtime"]["output_dir"] = str(run.folder)
    returned = JobReturn(
        overrides=list(hydra["overrides"]["task"]),
        hydra_cfg=composed,  # for those who want to hear of the job's end: a thousand of them fill a gigabyte
        working_dir=os.getcwd(),
        task_name=hydra["job"]["name"],
    )
    if hydra["output_subdir"] is not None:
        parts = {"config": task, "hydra": {"hydra": hydra}, "overrides": hydra["overrides"]["task"]}
        # A directory that is in use, or cannot be written, is the run's own failure, and is recorded as that later.
        with suppress(UserError, OSError), claimed(run.folder):
            saved = make_folder(run.folder / hydra["output_subdir"])
            for name, part in parts.items():
                write_text(saved / f"{name}.yaml", to_yaml(part))
    if composed is not None:
        context.callbacks.on_job_start(config=composed, task_function=launcher.task_function)
    return run, returned
