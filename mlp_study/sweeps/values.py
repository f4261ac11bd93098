"""The values that a sweep goes through: counted without being listed, and none of them twice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hydra.core.override_parser.types import Override, QuotedString, RangeSweep

from mlp_study.choices.rules import quoted
from mlp_study.errors import UserError
from mlp_study.sweeps.explain import options


def check_values(overrides: Sequence[Override], max_runs: int) -> None:
    """See that a sweep has an end, is not larger than the user expects, and has no two equal cells.

    Args:
        overrides: one for each key.
        max_runs: what the user expects at most.

    Raises:
        UserError: a sweep has no value or no end, there are more runs than `max_runs`, or a value is there twice.
    """
    swept = {o.get_key_element(): o for o in overrides if o.is_sweep_override()}
    num_runs = math.prod(map(num_values, swept.values()))
    if num_runs > max_runs:
        raise UserError(
            f"{num_runs} runs: more than hydra.sweeper.max_runs={max_runs}; "
            f"to train them all: hydra.sweeper.max_runs={num_runs}"
        )
    named: dict[str, str] = {}
    for key, override in swept.items():
        if (name := key.lstrip("+")) in named:
            raise UserError(f"{override.input_line}: {named[name]} goes through values of {name}, too; expected one")
        named[name] = str(override.input_line)
        check_distinct(override)


def num_values(override: Override) -> int:
    """How many values a sweep goes through.

    Raises:
        UserError: none, or no end of them.
    """
    word = override.input_line
    if override.is_interval_sweep():
        raise UserError(
            f"{word}: an interval has no end of values; expected them with commas, or range(...), or "
            "hydra/sweeper=search, which searches it"
        )
    if isinstance(override.value(), RangeSweep):
        number = _length(str(word), override.value())
    elif override.is_choice_sweep():
        number = sum(1 for _ in override.sweep_iterator())
    if number == 0:
        known = options(override.key_or_group)
        hint = f". Known: {', '.join(known)}" if known else ""
        raise UserError(f"{word}: no value to go through; expected at least one{hint}")
    return number


def _length(word: str, sweep: Any) -> int:
    """The number of values of a range, by arithmetic."""
    start, stop, step = (Decimal(number) for number in (sweep.start, sweep.stop, sweep.step))
    if not (start.is_finite() and stop.is_finite() and step.is_finite()) or step == 0:
        raise UserError(f"{word}: expected range(start,stop,step) of finite numbers with a step that is not 0")
    return max(0, math.ceil((stop - start) / step))


def check_distinct(override: Override) -> None:
    """See that no value of a sweep is there twice; otherwise raises a UserError."""
    seen = set()
    for value in map(plain, override.sweep_iterator()):
        if (same := _comparable(value)) in seen:
            raise UserError(f"{override.input_line}: {quoted(value)} is there twice; expected each value once")
        seen.add(same)


def _comparable(value: Any) -> Any:
    """Something to look up that is equal for equal values, such as 1 and 1.0; but true is not 1."""
    if isinstance(value, dict):
        return tuple((str(key), _comparable(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(map(_comparable, value))
    return (value, bool) if isinstance(value, bool) else value


def plain(value: Any) -> Any:
    """A value of Hydra's grammar without its quotes."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return list(map(plain, value))
    return value.text if isinstance(value, QuotedString) else value
