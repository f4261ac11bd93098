"""Configurations as Hydra writes them, by the YAML emitter that is written in C: a sweep writes three for each run."""

from __future__ import annotations

from typing import Any

import yaml
from omegaconf import OmegaConf

BOOLEANS = {"y", "yes", "n", "no", "true", "false", "on", "off"}


class _Dumper(yaml.CSafeDumper):
    """Quotes the texts that OmegaConf would read as something else."""

    def text(self, value: str) -> yaml.ScalarNode:
        is_other = value.lower() in BOOLEANS or _is_number(value)
        return self.represent_scalar("tag:yaml.org,2002:str", value, style="'" if is_other else None)


_Dumper.add_representer(str, _Dumper.text)


def to_yaml(config: Any) -> str:
    """Reads as what `OmegaConf.to_yaml` gives; with other line breaks. A dict of configurations will do, too."""
    return yaml.dump(_plain(config), Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=False)


def _plain(config: Any) -> Any:
    if OmegaConf.is_config(config):
        return OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    return {key: _plain(value) for key, value in config.items()}


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
