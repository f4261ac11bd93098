"""Compose the configs of a sweep quickly: YAML files are read once for each choice of options.

Hydra composes every job from its files, .15-.2 s each. The values that a job sets on top of its options
(`optim.lr=0.1`) change nothing in that; they are applied to a copy, by Hydra's own function.

Whatever this project takes from Hydra's private modules is taken here and in the sweeper plugin, which must have the
class that Hydra has just loaded; tests compare what comes out with Hydra's public `compose`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from omegaconf import DictConfig, OmegaConf, open_dict

__all__ = ["BasicSweeper", "SweepComposer", "get_args_parser"]


class SweepComposer:
    """Stands in for `ConfigLoader.load_sweep_config` during a sweep, with the same results.

    Args:
        loader: Hydra's own.
    """

    def __init__(self, loader: ConfigLoaderImpl) -> None:
        self._compose = loader.load_sweep_config
        self._groups = {*loader.list_groups(""), "hydra"}
        self._parser = OverridesParser.create(config_loader=loader)
        self._bases: dict[tuple[str, ...], DictConfig] = {}
        self._parsed: dict[str, Override] = {}

    def __call__(self, master_config: DictConfig, sweep_overrides: Sequence[str]) -> DictConfig:
        """The composed config of one job."""
        overrides = [self._parse(override) for override in sweep_overrides]
        config = copy.deepcopy(self._base(master_config, overrides))
        ConfigLoaderImpl._apply_overrides_to_config([o for o in overrides if self._is_value(o)], config)
        said: Any = OmegaConf.to_container(config.hydra.overrides.hydra, resolve=False)
        before = said[: len(master_config.hydra.overrides.hydra)]
        task = [override for override in overrides if not override.is_hydra_override()]
        config.hydra.overrides.hydra = before + [o.input_line for o in overrides if o.is_hydra_override()]
        config.hydra.overrides.task = [override.input_line for override in task]
        naming = config.hydra.job.config.override_dirname
        with open_dict(config.hydra.job):
            config.hydra.job.override_dirname = get_overrides_dirname(
                overrides=task, kv_sep=naming.kv_sep, item_sep=naming.item_sep, exclude_keys=naming.exclude_keys
            )
        OmegaConf.copy_cache(from_config=master_config, to_config=config)
        return config

    def task_config(self, master_config: DictConfig, sweep_overrides: Sequence[str]) -> DictConfig:
        """The same without Hydra's own part, which is the larger one: enough to check a job."""
        overrides = [self._parse(override) for override in sweep_overrides]
        base = self._base(master_config, overrides)
        config = OmegaConf.masked_copy(base, [str(key) for key in base if key != "hydra"])
        values = [o for o in overrides if self._is_value(o) and not o.is_hydra_override()]
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        return config

    def task_words(self, sweep_overrides: Sequence[str]) -> tuple[str, ...]:
        """Those of a job's overrides that are not Hydra's own, as typed."""
        overrides = map(self._parse, sweep_overrides)
        return tuple(str(override.input_line) for override in overrides if not override.is_hydra_override())

    def subdir(self, master_config: DictConfig, sweep_overrides: Sequence[str], number: int) -> str:
        """The name of a job's directory in the sweep's; `number` is the job's."""
        given = [o for o in map(self._parse, sweep_overrides) if o.get_key_element() == "hydra.sweep.subdir"]
        if given and isinstance(name := given[-1].value(), (str, QuotedString)) and "$" not in (text := _text(name)):
            return text
        config = self(master_config, sweep_overrides)
        with open_dict(config.hydra.job):
            config.hydra.job.num = number
        return str(config.hydra.sweep.subdir)

    def _base(self, master_config: DictConfig, overrides: Sequence[Override]) -> DictConfig:
        choices = tuple(o.input_line or "" for o in overrides if not self._is_value(o))
        if choices not in self._bases:
            self._bases[choices] = self._compose(master_config, list(choices))
        return self._bases[choices]

    def _parse(self, override: str) -> Override:
        if override not in self._parsed:
            self._parsed[override] = self._parser.parse_override(override)
        return self._parsed[override]

    def _is_value(self, override: Override) -> bool:
        """Whether this sets a value and chooses no file. `hydra/launcher=...` and `a@b=...` choose; `a.b=...` sets."""
        key: Any = override.key_or_group
        return override.package is None and "/" not in key and key not in self._groups


def _text(value: str | QuotedString) -> str:
    return value.text if isinstance(value, QuotedString) else value
