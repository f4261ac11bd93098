"""What the stacked launcher does: prepare every run's directory, plan the stacks, train them, record failures."""

from __future__ import annotations

import os
import resource
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from omegaconf import OmegaConf, open_dict
from rich.console import Console

from mlp_study.config import Config
from mlp_study.errors import UserError
from mlp_study.hydra_checks import typed
from mlp_study.job import run_name
from mlp_study.progress import TrainingBar
from mlp_study.record import FAILED, RunRecord, is_complete, read_result
from mlp_study.run import (
    data_module,
    flops_per_step,
    lit_module,
    outcome_line,
    pick_device,
    prepare_processor,
    use_threads,
)
from mlp_study.stack.plan import Stack, describe, plan
from mlp_study.stack.trainer import Member, StackTrainer
from mlp_study.summary import summary
from mlp_study.writer import RunWriter

MOST_LINES = 48  # outcomes printed one by one; the table and study.csv hold all


@dataclass
class Job:
    """One run of the sweep: its settings, directory and overrides, and what Hydra expects back."""

    number: int
    config: Config
    folder: Path
    overrides: list[str]
    returned: JobReturn

    @property
    def name(self) -> str:
        """What the run is called."""
        return run_name(self.overrides)

    def report(self, line: str) -> None:
        """Into the run's own log, in the form of Hydra's."""
        now = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now)) + f",{int(now % 1 * 1000):03d}"
        with (self.folder / "train.log").open("a", encoding="utf-8") as file:
            file.write(f"{stamp} INFO {line}\n")


def launch(launcher: Any, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
    """Train all jobs of a batch; see `hydra.plugins.launcher.Launcher.launch`."""
    if launcher.max_members is not None and launcher.max_members < 1:
        raise UserError(f"hydra.launcher.max_members={launcher.max_members}: expected null or a whole number >= 1")
    setup_globals()
    started = time.perf_counter()
    configure_log(launcher.config.hydra.hydra_logging, launcher.config.hydra.verbose)
    console = Console(highlight=False, soft_wrap=True, markup=False)
    jobs = [_prepare(launcher, list(overrides), initial_job_idx + i) for i, overrides in enumerate(job_overrides)]
    todo = [job for job in jobs if not is_complete(job.folder, job.config)]
    if len(todo) < len(jobs):
        console.print(f"{len(jobs) - len(todo)} of {len(jobs)} runs are already complete")
    stacks = plan([job.config for job in todo], launcher.max_members, 0.5 * free_memory(pick_device(jobs[0].config)))
    for line in describe(stacks, len(todo)) if todo else []:
        console.print(line)
    prepare_processor()
    trained = 0.0
    with GridBar(todo, console) as bar:
        for number, stack in enumerate(stacks):
            trained += _train(stack, [todo[i] for i in stack.members], number, bar)
    for job in jobs:
        job.returned.return_value = read_result(job.folder)
        job.returned.status = JobStatus.COMPLETED
        launcher.hydra_context.callbacks.on_job_end(config=job.returned.hydra_cfg, job_return=job.returned)
    if todo:
        whole = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        console.print(
            f"{len(todo)} runs in {whole:.1f} s, {whole - trained:.1f} s of it outside training; "
            f"peak memory {peak:.2f} GiB"
        )
    return [job.returned for job in jobs]


def free_memory(device: torch.device) -> int:
    """Bytes that are free on `device`."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _prepare(launcher: Any, overrides: list[str], number: int) -> Job:
    """The run's directory with its .hydra/, as Hydra's `run_job` makes it, in a quarter of its time."""
    context = launcher.hydra_context
    composed = context.config_loader.load_sweep_config(launcher.config, overrides)
    hydra = composed.hydra
    with open_dict(hydra):
        hydra.job.id = hydra.job.num = number
        folder = Path(str(hydra.sweep.dir)).absolute() / str(hydra.sweep.subdir)
        hydra.runtime.output_dir = str(folder)
    with open_dict(composed):
        task = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    returned = JobReturn(
        overrides=list(hydra.overrides.task),
        cfg=task,
        hydra_cfg=composed,
        working_dir=os.getcwd(),
        task_name=hydra.job.name,
    )
    job = Job(number, typed(task), folder, list(hydra.overrides.task), returned)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{hydra.job.name}.log").touch()
    if hydra.output_subdir is not None:
        saved = folder / hydra.output_subdir
        saved.mkdir(exist_ok=True)
        (saved / "config.yaml").write_text(OmegaConf.to_yaml(task), encoding="utf-8")
        only_hydra = OmegaConf.to_yaml(OmegaConf.masked_copy(composed, "hydra"))
        (saved / "hydra.yaml").write_text(only_hydra, encoding="utf-8")
        (saved / "overrides.yaml").write_text(OmegaConf.to_yaml(hydra.overrides.task), encoding="utf-8")
    context.callbacks.on_job_start(config=composed, task_function=launcher.task_function)
    return job


class GridBar:
    """The bar of a whole grid, and one line for each run that ends."""

    def __init__(self, jobs: Sequence[Job], console: Console) -> None:
        self.num_jobs, self.num_done, self.console = len(jobs), 0, console
        enabled = bool(jobs) and jobs[0].config.trainer["progress_bar"]
        # A run's share of the bar is its number of epochs: how many images that is, is known once data are read.
        self.bar = TrainingBar(f"0/{len(jobs)} runs", sum(job.config.trainer["max_epochs"] for job in jobs), enabled)

    def ended(self, job: Job, result: dict[str, Any]) -> None:
        """A run has ended."""
        self.num_done += 1
        self.bar.describe(f"{self.num_done}/{self.num_jobs} runs")
        line = outcome_line(result)
        job.report(line)
        if self.num_jobs <= MOST_LINES:
            self.console.print(line)

    def __enter__(self) -> GridBar:
        self.bar.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.bar.__exit__(*error)


def _train(stack: Stack, jobs: list[Job], number: int, bar: GridBar) -> float:
    """Train one stack; returns the seconds spent in training. A failure is recorded for all runs still under way."""
    writers: list[RunWriter] = []
    by_writer: dict[int, Job] = {}
    done: set[int] = set()

    def finished(member: Member, result: dict[str, Any]) -> None:
        job = by_writer[id(member.writer)]
        done.add(job.number)
        bar.ended(job, result)

    try:
        first = jobs[0].config
        device = pick_device(first, number)
        data = data_module(first, device)
        # What the Lightning Trainer does for a run alone; cuBLAS asks for the variable.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(first.trainer["deterministic"])
        members = []
        for job in jobs:
            module = lit_module(job.config, data)
            writer = RunWriter(job.folder, job.config, job.overrides, job.name)
            writers.append(writer)
            by_writer[id(writer)] = job
            writer.begin(module.mlp, data)
            job.report(summary(module.mlp))
            members.append(Member(job.config, module, writer, job.report))
        use_threads(len(members) * flops_per_step(members[0].module.mlp, first.data["batch_size"]))
        trainer = StackTrainer(members, data, bar.bar, finished)
        trainer.fit()
        return trainer.seconds
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        for job in jobs:
            if job.number not in done:
                job.report(traceback.format_exc())
                result = RunRecord(job.folder, job.config, job.overrides, job.name).finish(FAILED, reason, {}, 0.0, 0)
                bar.ended(job, result)
        return 0.0
    finally:
        for writer in writers:
            writer.close()
