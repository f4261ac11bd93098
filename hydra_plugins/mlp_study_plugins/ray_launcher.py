"""hydra/launcher=ray: the runs of a sweep trained on a Ray cluster. Thin: Ray is imported when it is used."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore

from hydra_plugins.mlp_study_plugins.stacked_launcher import StackedLauncher


@dataclass
class RayLauncherConf:
    """Settings.

    address: HOST:PORT of a cluster that this machine is a node of, or auto, which finds it; null starts one of this
        machine alone, which ends with the sweep.
    workers: how many tasks to train at the same time; auto is as many as the cluster has room for.
    cpus_per_task: processor cores, and threads, of each.
    gpus_per_task: CUDA devices of each, 1 at most; null is 1 where the cluster has any.
    max_members: the most runs to train together; null leaves it to the memory and to what is fastest.
    """

    _target_: str = "hydra_plugins.mlp_study_plugins.ray_launcher.RayLauncher"
    address: str | None = None
    workers: Any = "auto"
    cpus_per_task: Any = 1
    gpus_per_task: Any = None
    max_members: int | None = None


ConfigStore.instance().store(group="hydra/launcher", name="ray", node=RayLauncherConf, provider="mlp_study")


class RayLauncher(StackedLauncher):
    """Plans which runs of a sweep can be trained as one, and has a cluster train the stacks."""

    trains_here = False

    def __init__(
        self, address: str | None, workers: Any, cpus_per_task: Any, gpus_per_task: Any, max_members: int | None
    ) -> None:
        super().__init__(max_members, workers)
        self.address, self.cpus_per_task, self.gpus_per_task = address, cpus_per_task, gpus_per_task

    def check(self) -> None:
        """See that Ray is there, and the settings are some."""
        self._asked().check()

    def hire(self) -> Callable[[Any], Any]:
        """Those who train: processes of the cluster."""
        from mlp_study.execution.ray_workers import hire

        return hire(self._asked())

    def _asked(self) -> Any:
        from mlp_study.execution.ray_cluster import Asked

        return Asked(self.address, self.workers, self.cpus_per_task, self.gpus_per_task)
