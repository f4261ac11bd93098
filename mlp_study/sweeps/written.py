"""Configurations as Hydra writes them, by the YAML emitter that is written in C: a sweep writes three for each run."""

from __future__ import annotations

from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

BOOLEANS = {"y", "yes", "n", "no", "true", "false", "on", "off"}


class _Dumper(yaml.CSafeDumper):
    """Quotes the texts that OmegaConf would read as something else."""

    def text(self, value: str) -> yaml.ScalarNode:
        is_other = value.lower() in BOOLEANS or _is_number(value)
        return self.represent_scalar("tag:yaml.org,2002:str", value, style="'" if is_other else None)


_Dumper.add_representer(str, _Dumper.text)


def to_yaml(content: Any) -> str:
    """Plain containers as YAML that reads as what `OmegaConf.to_yaml` gives; with other line breaks."""
    return yaml.dump(content, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=False)


def plain(config: DictConfig) -> dict[Any, Any]:
    """A configuration as plain containers, its interpolations as they are written."""
    content = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    assert isinstance(content, dict)
    return content


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
