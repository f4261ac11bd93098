"""hydra/sweeper=study: Hydra's basic sweeper, plus names for the runs, checks before any starts, and a table."""

from dataclasses import dataclass, field
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Override


@dataclass
class StudySweeperConf:
    """Settings: those of the basic sweeper."""

    _target_: str = "hydra_plugins.mlp_study_plugins.study_sweeper.StudySweeper"
    max_batch_size: int | None = None
    params: dict[str, str] | None = field(default=None)


ConfigStore.instance().store(group="hydra/sweeper", name="study", node=StudySweeperConf, provider="mlp_study")


class StudySweeper(BasicSweeper):
    """Every combination of the values given, as one study.

    Each run's directory is named after the overrides that are swept (`optim=sgd,init=glorot`), written into its own
    `hydra.sweep.subdir`, so that every launcher, in whatever process, uses the same one.
    """

    def split_arguments(self, overrides: list[Override], max_batch_size: int | None) -> list[list[list[str]]]:  # type: ignore[override]
        """The jobs' overrides, in batches; each with its directory."""
        from mlp_study.sweep import run_folders

        batches = BasicSweeper.split_arguments(overrides, max_batch_size)
        if any(override.get_key_element() == "hydra.sweep.subdir" for override in overrides):
            return batches
        swept = {override.get_key_element() for override in overrides if override.is_sweep_override()}
        folders = iter(run_folders([job for batch in batches for job in batch], swept))
        return [[[*job, f"hydra.sweep.subdir='{next(folders)}'"] for job in batch] for batch in batches]

    def sweep(self, arguments: list[str]) -> Any:
        """Check every run, claim the study's directory, launch, and show the table."""
        from mlp_study.sweep import run_study

        return run_study(self, super().sweep, arguments)
