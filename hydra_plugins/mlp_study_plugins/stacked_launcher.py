"""hydra/launcher=stacked: the runs of a sweep trained together. Thin: torch is imported when `launch` is called."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class StackedLauncherConf:
    """Settings.

    max_members: the most runs to train together; null leaves it to the memory and to what is fastest.
    workers: how many processes train; auto is one for each CUDA device, or for each core of the processor, as far as
        there is enough to do for them.
    """

    _target_: str = "hydra_plugins.mlp_study_plugins.stacked_launcher.StackedLauncher"
    max_members: int | None = None
    workers: Any = "auto"


ConfigStore.instance().store(group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="mlp_study")


class StackedLauncher(Launcher):
    """Plans which runs of a sweep can be trained as one, and trains stack after stack.

    With the engine "lightning" it trains one run after the other, as `hydra/launcher=basic`: see the sweeper beside it.

    Attributes:
        trains_here: whether this machine is the one that needs the devices.
        halving: how a search wants the next runs judged on the way, a `mlp_study.runs.halving.Halving`; None: not.
        known: runs that the sweeper has checked, by the overrides of their jobs, each with what Hydra composed for it.
    """

    trains_here = True
    halving: Any = None

    def __init__(self, max_members: int | None = None, workers: Any = "auto", engine: str = "stack") -> None:
        self.max_members, self.workers, self.engine = max_members, workers, engine
        self.known: dict[tuple[str, ...], tuple[Any, dict[Any, Any]]] = {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def check(self) -> None:
        """See, before anything is started, that it can be used; otherwise raises a UserError."""

    def hire(self) -> Callable[[Any], Any]:
        """What gives those who train, as `carry_out` asks for: processes of this machine."""
        from mlp_study.execution.choosing import local

        return local(self.workers)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Train all jobs."""
        from mlp_study.execution.launch import launch

        return launch(self, job_overrides, initial_job_idx)
