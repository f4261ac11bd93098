"""The words that a configuration follows from, whatever it was composed of: an experiment's file, say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlp_study.config import Config
from mlp_study.sweeps.spelling import spelled_value
from mlp_study.sweeps.words import single_run

NAMES = ("name", "source")  # what says in a section which option of its group it is
NOT_THE_NETWORK = ("seed", "resume", "engine", "logger", "callbacks")


def spelled_out(config: Config) -> list[str]:
    """Its choices, and what differs from their defaults; without its seed, and without what only watches it."""
    wanted = {key: value for key, value in config.as_dict().items() if key not in NOT_THE_NETWORK}
    choices = _choices(wanted)
    standard = single_run(choices).config.as_dict()
    plain = [word for word in choices if word not in _choices(single_run([]).config.as_dict())]
    return [*plain, *(f"{key}={spelled_value(key, value)}" for key, value in _differing(wanted, standard))]


def _choices(values: dict[str, Any]) -> list[str]:
    sections = [(key, value) for key, value in values.items() if isinstance(value, dict)]
    return [f"{key}={value[name]}" for key, value in sections for name in NAMES if name in value]


def _differing(wanted: dict[str, Any], standard: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in wanted.items():
        if isinstance(value, dict):
            yield from _differing(value, standard[key], f"{prefix}{key}.")
        elif value != standard[key]:
            yield f"{prefix}{key}", value
