"""hydra/sweeper=search: trials of a space, asked for in batches, trained together. Thin: Optuna waits for its use."""

from typing import Any

from hydra.core.config_store import ConfigStore

from hydra_plugins.mlp_study_plugins.study_sweeper import StudySweeper
from mlp_study.search.search_settings import SearchSettings

TARGET = "hydra_plugins.mlp_study_plugins.search_sweeper.SearchSweeper"
NODE = {"_target_": TARGET, "params": {}, **SearchSettings().as_dict()}

ConfigStore.instance().store(group="hydra/sweeper", name="search", node=NODE, provider="mlp_study")


class SearchSweeper(StudySweeper):
    """Asks for batches of trials, has them trained, and learns from them.

    Args:
        params: what the configuration itself sweeps.
        settings: those of `SearchSettings`, not checked yet.
    """

    def __init__(self, params: dict[str, str] | None, **settings: Any) -> None:
        super().__init__(None, params, max_runs=0)
        self.settings = settings

    def sweep(self, arguments: list[str]) -> Any:
        """Search, and show the table and the best."""
        from mlp_study.search.searching import run_search

        return run_search(self, arguments)
