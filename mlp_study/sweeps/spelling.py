"""Settings given as Python values, spelled as the words of the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlp_study.errors import UserError
from mlp_study.sweeps.grammar import spelled

Words = str | Mapping[str, Any]


def words_of(given: Sequence[Words], is_sweep: bool) -> list[str]:
    """Words as typed, and mappings like {"optim.lr": [0.1, 0.01], "model.hidden": [[100], [512, 512]]} spelled out.

    In a sweep a list holds the values to go through; for a run alone it is the value.

    Raises:
        UserError: something is neither, or a value cannot be spelled.
    """
    words: list[str] = []
    for item in given:
        if isinstance(item, str):
            words.append(item)
        elif isinstance(item, Mapping):
            words += [f"{key}={_values(key, value, is_sweep)}" for key, value in item.items()]
        else:
            raise UserError(f"{item!r}: expected a text such as 'optim=sgd,adam', or a mapping of settings to values")
    return words


def _values(key: str, value: Any, is_sweep: bool) -> str:
    value = _plain(value)
    if not is_sweep or not isinstance(value, (list, tuple)):
        return spelled_value(key, value)
    if not value:
        raise UserError(f"{key}={value!r}: no value to go through; expected a list with at least one")
    return ",".join(spelled_value(key, item) for item in value)


def spelled_value(key: str, value: Any) -> str:
    """A value as it is typed after "key=".

    Raises:
        UserError: it cannot be spelled.
    """
    value = _plain(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return spelled(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(spelled_value(key, item) for item in value) + "]"
    raise UserError(f"{key}={value!r}: expected a number, a text, true or false, None, or a list of such")


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value
