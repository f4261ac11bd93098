"""Submitting jobs, by submitit and sbatch."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from mlp_study.execution.slurm_job import SlurmJob
from mlp_study.execution.slurm_settings import SlurmSettings


class Refused(Exception):
    """What sbatch says of a job that it does not take, in one line."""


def submit_array(
    jobs: Sequence[SlurmJob], folder: Path, name: str, settings: SlurmSettings, accelerator: str
) -> list[Any]:
    """Submit jobs as an array, in their order; returns submitit's of each, with its `job_id` and `paths`.

    Args:
        jobs: one at least.
        folder: takes what submitit and the jobs write.
        name: of them all.
        settings: what is asked of Slurm.
        accelerator: auto, cpu or cuda.

    Raises:
        Refused: by sbatch.
    """
    import submitit
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    executor = submitit.SlurmExecutor(folder, settings.max_num_timeout)
    executor.update_parameters(job_name=name, **_parameters(settings, accelerator))
    try:
        with _outside_jobs(), redirect_stderr(io.StringIO()):  # it prints what sbatch says, too
            return executor.submit_array(jobs)
    except (FailedJobError, FailedSubmissionError) as error:
        said = [line.removeprefix("sbatch: ").removeprefix("error: ") for line in str(error).splitlines()]
        raise Refused(f"sbatch: {'; '.join(said)}") from None


def _parameters(asked: SlurmSettings, accelerator: str) -> dict[str, Any]:
    """What submitit makes the head of a script of."""
    num_gpus = asked.gpus_per_task if asked.gpus_per_task is not None else int(accelerator == "cuda")
    setup = [
        f"export OMP_NUM_THREADS={asked.cpus_per_task} OPENBLAS_NUM_THREADS=1",
        f"export SRUN_CPUS_PER_TASK={asked.cpus_per_task}",  # from 22.05 on srun does not take sbatch's word
    ]
    if not num_gpus:  # a cluster that does not hide its devices lets everyone take them
        setup.append("export CUDA_VISIBLE_DEVICES=")
    given = {
        "partition": asked.partition,
        "account": asked.account,
        "qos": asked.qos,
        "constraint": asked.constraint,
        "gpus_per_task": num_gpus or None,
    }
    return {
        "time": asked.timeout_min,
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": asked.cpus_per_task,
        "mem": f"{max(1, round(asked.mem_gb * 1024))}MB",
        "signal_delay_s": asked.signal_delay_s,
        "array_parallelism": asked.array_parallelism,
        "setup": [*setup, *asked.setup],
        "additional_parameters": {"requeue": True, **(asked.additional_parameters or {})},
        **{key: value for key, value in given.items() if value is not None},
    }


@contextmanager
def _outside_jobs() -> Iterator[None]:
    """Let jobs inherit nothing of the job that this process may be part of: its number, say, and what it asked for."""
    if "SLURM_JOB_ID" not in os.environ:
        yield
        return
    from submitit.helpers import clean_env

    kept = {key: value for key, value in os.environ.items() if key == "SLURM_CONF"}
    with clean_env():
        os.environ.update(kept)
        yield
