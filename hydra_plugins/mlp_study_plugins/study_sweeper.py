"""hydra/sweeper=study: Hydra's basic sweeper, plus names for the runs, checks before any starts, and a table."""

from dataclasses import dataclass, field
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Override
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.mlp_study_plugins.stacked_launcher import StackedLauncher


@dataclass
class StudySweeperConf:
    """Settings: those of the basic sweeper, and the most runs that are started without asking."""

    _target_: str = "hydra_plugins.mlp_study_plugins.study_sweeper.StudySweeper"
    max_batch_size: int | None = None
    params: dict[str, str] | None = field(default_factory=dict)
    max_runs: int = 100_000


ConfigStore.instance().store(group="hydra/sweeper", name="study", node=StudySweeperConf, provider="mlp_study")


class StudySweeper(BasicSweeper):
    """Every combination of the values given, as one study.

    Each run's directory is named after the overrides that are swept (`optim=sgd,init=glorot`), written into its own
    `hydra.sweep.subdir`, so that every launcher, in whatever process, uses the same one.
    """

    def __init__(self, max_batch_size: int | None, params: dict[str, str] | None, max_runs: int) -> None:
        super().__init__(max_batch_size, params)
        self.max_runs = max_runs

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher; ours for `hydra/launcher=basic`.

        Hydra's own would stop a grid at the first run whose directory cannot be made.
        """
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        if isinstance(self.launcher, BasicLauncher):
            self.launcher = StackedLauncher(engine="lightning")
            self.launcher.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def split_arguments(self, overrides: list[Override], max_batch_size: int | None) -> list[list[list[str]]]:  # type: ignore[override]
        """The jobs' overrides, in batches; each with its directory."""
        from mlp_study.sweeps.words import jobs_of

        assert self.config is not None
        jobs = jobs_of(overrides, self.config)
        size = max_batch_size or len(jobs)
        return [jobs[start : start + size] for start in range(0, len(jobs), size)]

    def words(self) -> list[str]:
        """What the configuration itself sweeps."""
        return [f"{key}={value}" for key, value in (self.params or {}).items()]

    def sweep(self, arguments: list[str]) -> Any:
        """Check every run, claim the study's directory, launch, and show the table."""
        from mlp_study.sweeps.sweep import run_study

        return run_study(self, super().sweep, arguments)
