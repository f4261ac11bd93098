"""hydra/launcher=stacked: the runs of a sweep trained together. Thin: torch is imported when `launch` is called."""

from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class StackedLauncherConf:
    """Settings: the most runs to train together; null leaves it to the memory and to what is fastest."""

    _target_: str = "hydra_plugins.mlp_study_plugins.stacked_launcher.StackedLauncher"
    max_members: int | None = None


ConfigStore.instance().store(group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="mlp_study")


class StackedLauncher(Launcher):
    """Plans which runs of a sweep can be trained as one, and trains stack after stack.

    With the engine "lightning" it trains one run after the other, as `hydra/launcher=basic`: see the sweeper beside it.
    """

    def __init__(self, max_members: int | None = None, engine: str = "stack") -> None:
        self.max_members, self.engine = max_members, engine

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Train all jobs."""
        from mlp_study.execution.launch import launch

        return launch(self, job_overrides, initial_job_idx)
