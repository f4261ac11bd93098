"""Where Hydra meets the typed configuration: check every run before any starts, and say in one line what is wrong.

Nothing here imports torch.
"""

from __future__ import annotations

import re
import sys
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NoReturn

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mlp_study import config as settings
from mlp_study.config import Config
from mlp_study.data import sources, split
from mlp_study.errors import UserError
from mlp_study.rules import unknown

USAGE_EXIT_CODE = 2


class CheckFirst(Callback):
    """Hydra calls this before it creates the directory of a single run; a grid is checked by the sweeper."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the composed config; end the program if it is wrong (Hydra would swallow an ordinary exception)."""
        try:
            check_run(config)
        except UserError as error:
            fail(str(error))


def fail(message: str, exit_code: int = USAGE_EXIT_CODE) -> NoReturn:
    """One line on standard error, and out."""
    print("mlp_study: error: " + " ".join(message.split()), file=sys.stderr)
    raise SystemExit(exit_code)


def check_run(composed: DictConfig) -> Config:
    """The typed config of one run, its data files and its device looked at too.

    Raises:
        UserError: one line for the first thing that is wrong.
    """
    config = typed(composed)
    _check_data(tuple(sorted(config.data.items())), config.model["batch_norm"])
    if config.trainer["accelerator"] == "cuda" and not _driver_has_devices():
        raise UserError("trainer.accelerator='cuda': no CUDA device was found; expected auto or cpu")
    return config


def typed(composed: DictConfig) -> Config:
    """What Hydra composed, as a `Config`."""
    try:
        values = {}
        for key in composed:
            if key != "hydra":
                value = composed[key]
                is_node = isinstance(value, (DictConfig, ListConfig))
                values[str(key)] = OmegaConf.to_container(value, resolve=True) if is_node else value
        return settings.check(values)
    except OmegaConfBaseException as error:  # an interpolation that leads nowhere, a missing value
        raise UserError(str(error)) from None


@cache  # the runs of a grid share few kinds of data
def _check_data(data_items: tuple[tuple[str, Any], ...], batch_norm: bool) -> None:
    data = dict(data_items)
    num_train, _ = split.split_sizes(data, sources.count_training_images(data))
    if batch_norm and num_train % data["batch_size"] == 1:
        raise UserError(
            f"data.batch_size={data['batch_size']}: leaves a last mini-batch of a single image of {num_train}, "
            "which model.batch_norm=true cannot normalize; expected another batch size"
        )


def _driver_has_devices() -> bool:
    """Ask the CUDA driver itself: torch, which would tell too, takes seconds to import."""
    import ctypes

    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return sys.platform != "linux"  # elsewhere, leave the answer to torch
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def explain(error: Exception) -> str:
    """A mistake that Hydra or OmegaConf found, in one line that quotes the value and names the good ones."""
    text = str(error)
    cause = error.__cause__
    if match := re.search(r"Could not (?:find|load) '(\w+)/([^']*)'", text):
        group, option = match[1], match[2]
        available = text.split("Available options")[-1].split("Config search path")[0]
        known = [line.strip() for line in available.splitlines()[1:] if line.strip()]
        return unknown(f"{group}={option}", option, known or _options(group), what="option")
    if match := re.search(r"Could not override '([^']*)'\.? ?(.*)", text, re.DOTALL):
        if key := re.search(r"Key '([^']*)' is not in struct", f"{text} {cause}"):
            section = match[1].rpartition(key[1])[0].rstrip(".") if key[1] in match[1] else ""
            return unknown(match[1], key[1], _keys(section), what="setting")
        if "No match in the defaults list" in text:
            return unknown(match[1], match[1], [*_keys(""), *_groups()], what="setting or group")
        return f"{match[1]}: {cause or match[2]}"
    if override := getattr(error, "override", None):
        return f"cannot read {override!r}: {text.split('See https')[0]}"
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {error.msg or text}"
    return f"{text} {cause or ''}"


@lru_cache(maxsize=1)
def _composed() -> DictConfig:
    """The default configuration, for the names of its settings."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("train")


def _keys(section: str) -> list[str]:
    node = OmegaConf.select(_composed(), section) if section else _composed()
    return [str(key) for key in node if key != "hydra"] if isinstance(node, DictConfig) else []


def _groups() -> list[str]:
    return sorted(folder.name for folder in conf_dir().iterdir() if folder.is_dir())


def _options(group: str) -> list[str]:
    folder = conf_dir() / group
    return (
        sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml"))
        if folder.is_dir()
        else []
    )


def conf_dir() -> Path:
    """Where the configuration is: inside an installed package, or beside it in the repository."""
    installed = Path(__file__).parent / "conf"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "conf"
