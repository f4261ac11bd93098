"""What a sweep asks of Slurm, in the terms of sbatch and submitit."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlp_study.choices.choice import Section, setting
from mlp_study.choices.rules import integer, list_of, number, optional, text
from mlp_study.errors import UserError


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("a mapping of sbatch's options to values, {nice: 100}")
    return dict(value)


@dataclass(frozen=True)
class SlurmSettings(Section):
    """The settings of `hydra/launcher=slurm`.

    Attributes:
        partition, account, qos, constraint: as sbatch takes them; null leaves them to the cluster.
        array_parallelism: jobs of an array at the same time at most; the runs are made into so many tasks, as far as
            there is a minute's work for each.
        timeout_min: minutes until Slurm ends a job; it is requeued, and goes on.
        signal_delay_s: seconds before that at which it saves and is requeued.
        max_num_timeout: times that a job is requeued after its time; then a new one goes on.
        cpus_per_task: processor cores, and threads, of a job.
        gpus_per_task: CUDA devices of a job, 1 at most; null asks for one with trainer.accelerator=cuda alone.
        mem_gb: memory of a job, in GiB; a stack takes half of it at most.
        max_members: the most runs to train together; null leaves it to the memory and to what is fastest.
        setup: lines of shell for a job to begin with.
        additional_parameters: more of sbatch's options, by name.
    """

    partition: str | None = setting(optional(text), None)
    account: str | None = setting(optional(text), None)
    qos: str | None = setting(optional(text), None)
    constraint: str | None = setting(optional(text), None)
    array_parallelism: int = setting(integer(least=1), 8)
    timeout_min: int = setting(integer(least=1), 60)
    signal_delay_s: int = setting(integer(least=15), 60)
    max_num_timeout: int = setting(integer(least=0), 10)
    cpus_per_task: int = setting(integer(least=1), 1)
    gpus_per_task: int | None = setting(optional(integer(least=0, most=1)), None)
    mem_gb: float = setting(number(above=0), 4.0)
    max_members: int | None = setting(optional(integer(least=1)), None)
    setup: tuple[str, ...] = setting(list_of(text), ())
    additional_parameters: Mapping[str, Any] | None = setting(optional(_mapping), None)

    def check(self, study: Path) -> None:
        """See that a job is saved before its end, and that Slurm can be used from here.

        Args:
            study: the directory of the study.

        Raises:
            UserError: in one line, what is wrong or missing.
        """
        if self.signal_delay_s >= 60 * self.timeout_min:
            raise UserError(
                f"hydra.launcher.signal_delay_s={self.signal_delay_s}: expected fewer seconds than "
                f"hydra.launcher.timeout_min={self.timeout_min} minutes"
            )
        if "%" in str(study):
            raise UserError(f"hydra.sweep.dir='{study}': expected a directory without %, which Slurm replaces in names")
        if importlib.util.find_spec("submitit") is None:
            raise UserError("hydra/launcher=slurm: needs submitit: pip install 'mlp_study[slurm]'")
        if shutil.which("sbatch") is None:
            raise UserError("hydra/launcher=slurm: no sbatch on PATH; expected a machine that submits to Slurm")
