"""Compose quickly: YAML files are read and merged once for each choice of options, in a whole process.

Hydra composes from its files each time, .1 s or more: twice for one run, as it first asks for the mode, and once for
every job of a sweep. The values that are set on top of the options (`optim.lr=0.1`) change nothing in that; they are
applied to a copy, by Hydra's own function.

Whatever this project takes from Hydra's private modules is taken here and in the sweeper plugin, which must have the
class that Hydra has just loaded; tests compare what comes out with Hydra's public `compose`.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

from hydra._internal import hydra as hydra_start
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.errors import ConfigCompositionException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from mlp_study.sweeps.written import plain

__all__ = ["BasicSweeper", "SweepComposer", "get_args_parser", "quick_hydra"]

# What Hydra itself writes while it composes, or looks at on the way: whoever sets it has Hydra compose afresh.
WRITTEN_BY_HYDRA = ("hydra.job", "hydra.overrides", "hydra.runtime", "hydra.searchpath")

# What was composed from choices, the files read for it, and the names of the groups.
_known: dict[Any, bytes] = {}


@contextmanager
def quick_hydra(conf: Path) -> Iterator[None]:
    """While this is open, a Hydra that starts composes each choice of options in the directory `conf` once."""
    before = hydra_start.ConfigLoaderImpl
    hydra_start.ConfigLoaderImpl = partial(QuickLoader, conf)  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        hydra_start.ConfigLoaderImpl = before  # type: ignore[misc]


class QuickRepository(ConfigRepository):
    """Hydra's repository, which reads a file once.

    Args:
        config_search_path: Hydra's.
        known: what was read.
        state: of all files, part of the key.
    """

    def __init__(self, config_search_path: ConfigSearchPath, known: dict[Any, bytes], state: Any) -> None:
        super().__init__(config_search_path)
        self._known, self._state = known, state

    def __deepcopy__(self, memo: Any) -> ConfigRepository:  # every composition begins with a copy of it
        return QuickRepository(self.config_search_path, self._known, self._state)

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """See Hydra's."""
        super().initialize_sources(config_search_path)
        self.config_search_path = config_search_path
        self._known = {}  # other directories than before: `hydra.searchpath`

    def load_config(self, config_path: str) -> ConfigResult | None:
        """See Hydra's."""
        key = (self._state, "file", config_path)
        if key not in self._known:
            self._known[key] = pickle.dumps(super().load_config(config_path))
        return pickle.loads(self._known[key])


class QuickLoader(ConfigLoaderImpl):
    """Hydra's loader, with the same results and the same errors.

    What was composed is kept for the process if all of it comes from `conf` and from packages, and nothing in there has
    changed since; else, with `--config-dir` say, for this loader, which is one command's or one call's.

    Args:
        conf: the directory that is known to be small enough to be looked through every time.
        config_search_path: Hydra's.
    """

    def __init__(self, conf: Path, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self._state = _state(conf, config_search_path)
        self._known: dict[Any, bytes] = {} if self._state is None else _known
        self.repository = QuickRepository(config_search_path, self._known, self._state)

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """See Hydra's."""
        parsed = [parse(word) for word in overrides]
        if any(_is_for_hydra(override.key_or_group) for override in parsed):
            return super().load_configuration(config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
        if validate_sweep_overrides:
            self.validate_sweep_overrides_legal(parsed, run_mode, from_shell)
        fixed = [override for override in parsed if not override.is_sweep_override()]
        choices = tuple(override.input_line or "" for override in fixed if not self._is_value(override))
        config = self._base(config_name, choices, run_mode)
        try:
            self._apply_overrides_to_config([override for override in fixed if self._is_value(override)], config)
        except OmegaConfBaseException as error:
            raise ConfigCompositionException().with_traceback(sys.exc_info()[2]) from error
        task = [override for override in parsed if not override.is_hydra_override()]
        config.hydra.overrides.hydra = [o.input_line for o in parsed if o.is_hydra_override()]
        config.hydra.overrides.task = [override.input_line for override in task]
        config.hydra.runtime.cwd = os.getcwd()
        naming = config.hydra.job.config.override_dirname
        config.hydra.job.override_dirname = get_overrides_dirname(
            overrides=task, kv_sep=naming.kv_sep, item_sep=naming.item_sep, exclude_keys=naming.exclude_keys
        )
        return config

    def _base(self, config_name: str | None, choices: tuple[str, ...], mode: RunMode) -> DictConfig:
        """What the choices alone compose to."""
        key = (self._state, config_name, choices)
        if (*key, mode) not in self._known:
            base = super().load_configuration(config_name, list(choices), mode, validate_sweep_overrides=False)
            if base.hydra.job.env_copy or base.hydra.searchpath:
                return base  # which depends on more than the files
            OmegaConf.clear_cache(base)
            made = OmegaConf.to_container(base.hydra.runtime.choices)
            assert isinstance(made, dict)
            # An option that is missing is passed over in a sweep and a mistake in a run.
            content = pickle.dumps(base)
            for alike in [mode] if "???" in made.values() else RunMode:
                self._known[(*key, alike)] = content
        return pickle.loads(self._known[(*key, mode)])

    @cached_property
    def _groups(self) -> set[str]:
        key = (self._state, "groups")
        if key not in self._known:
            self._known[key] = pickle.dumps({*self.list_groups(""), "hydra"})
        return pickle.loads(self._known[key])

    def _is_value(self, override: Override) -> bool:
        """Whether this sets a value and chooses no file. `hydra/launcher=...` and `a@b=...` choose; `a.b=...` sets."""
        key: Any = override.key_or_group
        is_group = override.package is not None or "/" in key or key in self._groups
        return not is_group or isinstance(override.value(), dict)


class SweepComposer:
    """The jobs of a sweep.

    Args:
        loader: Hydra's, made inside `quick_hydra`.
        composed: where to keep what is composed, by the overrides of a job: plain, its interpolations as they are
            written. None: nowhere.
    """

    def __init__(self, loader: ConfigLoaderImpl, composed: dict[tuple[str, ...], dict[Any, Any]] | None = None) -> None:
        self._loader, self._composed = loader, composed

    def task_config(self, master_config: DictConfig, sweep_overrides: Sequence[str]) -> DictConfig:
        """The composed config of one job."""
        config = self._loader.load_sweep_config(master_config, list(sweep_overrides))
        if self._composed is not None:
            self._composed[tuple(sweep_overrides)] = plain(config)
        return config

    def task_words(self, sweep_overrides: Sequence[str]) -> tuple[str, ...]:
        """Those of a job's overrides that are not Hydra's own, as typed."""
        overrides = map(parse, sweep_overrides)
        return tuple(str(override.input_line) for override in overrides if not override.is_hydra_override())

    def subdir(self, master_config: DictConfig, sweep_overrides: Sequence[str], number: int) -> str:
        """The name of a job's directory in the sweep's; `number` is the job's."""
        given = [o for o in map(parse, sweep_overrides) if o.get_key_element() == "hydra.sweep.subdir"]
        if given and isinstance(name := given[-1].value(), (str, QuotedString)) and "$" not in (text := _text(name)):
            return text
        config = self.task_config(master_config, sweep_overrides)
        with open_dict(config.hydra.job):
            config.hydra.job.num = number
        return str(config.hydra.sweep.subdir)


@lru_cache(maxsize=10_000)  # the jobs of a grid share most of their words
def parse(word: str) -> Override:
    """A word as Hydra understands it.

    Raises:
        OverrideParseException: it is none.
    """
    (override,) = OverridesParser.create().parse_overrides([word])
    return override


def _state(conf: Path, search_path: ConfigSearchPath) -> Any:
    """What every file in `conf`, and what is registered with Hydra, is by now; None where other directories count."""
    paths = [str(source.path).removeprefix("file://") for source in search_path.get_path()]
    if any("://" not in path and Path(path) != conf for path in paths):
        return None
    entries = [entry for folder, _, _ in os.walk(conf) for entry in os.scandir(folder)]
    files = sorted((entry.path, entry.stat().st_mtime_ns, entry.stat().st_size) for entry in entries)
    return (*paths, *files, *_registered(ConfigStore.instance().repo))


def _registered(entries: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for name, entry in entries.items():
        if isinstance(entry, dict):
            yield from ((f"{name}/{inner}", number) for inner, number in _registered(entry))
        else:
            yield name, id(entry)


def _is_for_hydra(key: str) -> bool:
    return key == "hydra" or key.startswith(WRITTEN_BY_HYDRA)


def _text(value: str | QuotedString) -> str:
    return value.text if isinstance(value, QuotedString) else value
