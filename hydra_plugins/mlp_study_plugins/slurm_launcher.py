"""hydra/launcher=slurm: the runs of a sweep trained by jobs of Slurm. Thin: submitit is imported when it is used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore

from hydra_plugins.mlp_study_plugins.stacked_launcher import StackedLauncher
from mlp_study.execution.slurm_settings import SlurmSettings

TARGET = {"_target_": "hydra_plugins.mlp_study_plugins.slurm_launcher.SlurmLauncher", "_convert_": "all"}
NODE = {**TARGET, **SlurmSettings().as_dict()}

ConfigStore.instance().store(group="hydra/launcher", name="slurm", node=NODE, provider="mlp_study")


class SlurmLauncher(StackedLauncher):
    """Plans which runs of a sweep can be trained as one, and has Slurm's jobs train the stacks.

    Args:
        settings: those of `SlurmSettings`, not checked yet.
    """

    trains_here = False

    def __init__(self, **settings: Any) -> None:
        super().__init__(settings["max_members"])
        self._settings = settings

    def check(self) -> None:
        """See that the settings are some, and that Slurm can be used from here."""
        self._checked().check(self._study())

    def hire(self) -> Callable[[Any], Any]:
        """Those who train: Slurm's jobs."""
        from mlp_study.execution.slurm_workers import hire

        return hire(self._checked(), self._study())

    def _study(self) -> Path:
        return Path(str(self.config.hydra.sweep.dir)).absolute()

    def _checked(self) -> SlurmSettings:
        return SlurmSettings.read("hydra.launcher", self._settings)
