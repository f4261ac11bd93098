"""What Hydra and OmegaConf found wrong, in one line; and the names that there are, for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mlp_study.choices.rules import unknown
from mlp_study.sweeps.compose import quick_hydra


def explain(error: Exception) -> str:
    """A mistake that Hydra or OmegaConf found, in one line that quotes the value and names the good ones."""
    return " ".join(_explained(error).split())


def _explained(error: Exception) -> str:
    text = str(error)
    cause = error.__cause__
    if match := re.search(r"Could not (?:find|load) '((?:hydra/)?\w+)/([^']*)'", text):
        available = text.split("Available options")[-1].split("Config search path")[0]
        known = [line.strip() for line in available.splitlines()[1:] if line.strip()]
        return _unknown_option(match[1], match[2], known)
    if match := re.search(r"Could not override '([^']*)'\.? ?(.*)", text, re.DOTALL):
        if key := re.search(r"Key '([^']*)' is not in struct", f"{text} {cause}"):
            return _unknown_setting(match[1], key[1], cause)
        if "No match in the defaults list" in text:
            return unknown(match[1], match[1], [*_keys(""), *groups()], what="setting or group")
        return f"{match[1]}: {_said(cause or match[2])}"
    if match := re.search(r"Multiple values for (\S+)\. To override a value use 'override \S+ (\S+)'", text):
        return f"+{match[1]}={match[2]}: {match[1]} has an option already; to choose another: {match[1]}={match[2]}"
    if match := re.search(r"(?:Ambiguous value for argument|Sweep parameters) '(.*?)'(?:\n| requires)", text):
        name, _, values = match[1].partition("=")
        takes_list = name == "callbacks" or isinstance(OmegaConf.select(_composed(), name), ListConfig)
        hint = f"; as a list: {name}=[{values}]" if takes_list else ""
        return f"{match[1]}: several values; to try each: -m {match[1]}{hint}"
    if match := re.search(r"Cannot find primary config '(.*?)'", text):
        return f"--config-name={match[1]}: no such configuration; expected train, or one of your own in --config-dir"
    if (override := getattr(error, "override", None)) is not None:
        if "LexerNoViableAlt" in text:
            return f"cannot read {override!r}: some character needs quotes around the value, KEY='VALUE'"
        reason = text.split("See https")[0].split(" expecting {")[0].replace(f"Error parsing override '{override}'", "")
        return f"cannot read {override!r}: {reason}"
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {_said(error.msg or text)}"
    return f"{_said(text)} {_said(cause or '')}"


def _said(text: object) -> str:
    """A message of OmegaConf's without the lines about its own types."""
    said = re.sub(r"\s+(full_key|reference_type|object_type)[:=].*", "", str(text))
    return said.removeprefix("ValueError raised while resolving interpolation: ")  # a resolver of ours says why


def _unknown_option(group: str, option: str, known: list[str]) -> str:
    inside = [name for name in options(group) if name.startswith(f"{option}/")]
    if inside:
        return f"{group}={option}: holds several; expected one of {', '.join(inside)}"
    return unknown(f"{group}={option}", option, dict.fromkeys([*known, *options(group)]), what="option")


def _unknown_setting(name: str, key: str, cause: BaseException | None) -> str:
    if name.split(".")[:2] == ["callbacks", key] and key in options("callbacks"):
        return (
            f"{name}: {key} is not chosen; expected callbacks={key}, or callbacks=[{key},...] with others, "
            "beside this word"
        )
    if name.lstrip("+").startswith("hydra.sweeper.params"):
        return f"{name}: what is swept stands in words of its own; expected -m {key}=VALUE,VALUE"
    section = name.rpartition(key)[0].rstrip(".") if key in name else ""
    parent = getattr(cause, "parent_node", None)
    known = [str(k) for k in parent if k != "hydra"] if isinstance(parent, DictConfig) and parent else _keys(section)
    return unknown(name, key, known, what="setting")


@contextmanager
def hydra_with_conf() -> Iterator[Any]:
    """Hydra over this project's conf/, inside a program that may use Hydra itself; gives its config loader."""
    instance = GlobalHydra.instance()
    before = instance.hydra
    instance.clear()
    try:
        with quick_hydra(conf_dir()), initialize_config_dir(str(conf_dir()), version_base="1.3"):
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


def groups() -> list[str]:
    """The groups of options of conf/."""
    return sorted(folder.name for folder in conf_dir().iterdir() if folder.is_dir())


def options(group: str) -> list[str]:
    """The options of a group, such as optim or hydra/launcher; none where there is no such group."""
    if group.startswith("hydra/"):
        Plugins.instance()  # finds the plugins, which store their options
        try:
            return [name.removesuffix(".yaml") for name in ConfigStore.instance().list(group)]
        except OSError:
            return []
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
