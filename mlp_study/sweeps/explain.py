"""What Hydra and OmegaConf found wrong, in one line; and the names that there are, for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mlp_study.choices.rules import unknown


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


@contextmanager
def hydra_with_conf() -> Iterator[Any]:
    """Hydra over this project's conf/, inside a program that may use Hydra itself; gives its config loader."""
    instance = GlobalHydra.instance()
    before = instance.hydra
    instance.clear()
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            yield GlobalHydra.instance().config_loader()
    finally:
        GlobalHydra.instance().hydra = before


@lru_cache(maxsize=1)
def _composed() -> DictConfig:
    """The default configuration, for the names of its settings."""
    with hydra_with_conf():
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
    package = Path(__file__).parents[1]
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"
