"""What a search chooses from, as it was typed: intervals, ranges and choices; a trial of it, as words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override

from mlp_study.choices.rules import quoted
from mlp_study.errors import UserError
from mlp_study.sweeps.values import check_distinct, num_values

DIGITS = 4  # of a number that is drawn: what is trained has a name that can be read, and typed

Trial = dict[str, str]  # by their keys, settings as they are typed


@dataclass(frozen=True)
class Dimension:
    """One setting that is searched.

    Attributes:
        key: as typed, with a + where it had one.
        choices: as typed; empty for numbers.
        low, high: of numbers; both can be reached.
        step: between numbers; 0 where there are all of them.
        is_whole: whether the numbers are.
        is_log: whether they are drawn evenly by their logarithm.
    """

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    is_whole: bool = False
    is_log: bool = False

    @property
    def num_values(self) -> float:
        """How many values it has; infinite for an interval."""
        if self.choices:
            return len(self.choices)
        return round((self.high - self.low) / self.step) + 1 if self.step else math.inf

    def text(self, value: Any) -> str:
        """A value that was drawn as it is typed; numbers of an interval with `DIGITS` digits."""
        if self.choices:
            return str(value)
        if self.is_whole:
            return str(int(value))
        digits = 12 if self.step else DIGITS
        return repr(min(max(float(f"{value:.{digits}g}"), self.low), self.high))

    def value(self, text: str) -> Any:
        """What `text` stands for.

        Raises:
            ValueError: it is none of its values.
        """
        if self.choices:
            if text not in self.choices:
                raise ValueError(text)
            return text
        number = int(text) if self.is_whole else float(text)
        if not self.low <= number <= self.high:
            raise ValueError(text)
        return number

    def at(self, share: float) -> Any:
        """The value at a share of all, in [0, 1)."""
        if self.choices:
            return self.choices[int(share * len(self.choices))]
        if self.step and not self.is_log:
            return self.low + self.step * int(share * self.num_values)
        if not self.is_log:
            return self.low + share * (self.high - self.low)
        half = 0.5 if self.is_whole else 0.0  # so that each whole number has its due
        low, high = math.log(self.low - half), math.log(self.high + half)
        number = min(max(math.exp(low + share * (high - low)), self.low), self.high)
        return round(number) if self.is_whole else number

    @property
    def ends(self) -> tuple[str, ...]:
        """Values that say whether others can be trained: all choices, or the smallest and the largest number."""
        return self.choices or (self.text(self.low), self.text(self.high))


class Space:
    """All of them, and what is fixed beside them.

    Args:
        overrides: of the command; of several for one key the last counts.

    Raises:
        UserError: there is nothing to search, or something that cannot be.
    """

    def __init__(self, overrides: Sequence[Override]) -> None:
        self._overrides = list({override.get_key_element(): override for override in overrides}.values())
        swept = [override for override in self._overrides if override.is_sweep_override()]
        if not swept:
            raise UserError(
                "hydra/sweeper=search: nothing to search; expected a setting with several values, such as "
                "'optim.lr=tag(log, interval(1e-4, 10))' or init=glorot,he_normal"
            )
        self.dimensions = tuple(map(_dimension, swept))
        names = [dimension.key.lstrip("+") for dimension in self.dimensions]
        if twice := [name for name in names if names.count(name) > 1]:
            raise UserError(f"{twice[0]}: searched by two words; expected one")

    @property
    def num_settings(self) -> float:
        """How many trials differ; infinite with an interval."""
        return math.prod(dimension.num_values for dimension in self.dimensions)

    def trial(self, values: Mapping[str, Any]) -> Trial:
        """Values that were drawn, as they are typed."""
        return {dimension.key: dimension.text(values[dimension.key]) for dimension in self.dimensions}

    def job(self, trial: Trial) -> list[str]:
        """The overrides of a trial, in the order typed."""
        return [
            f"{key}={trial[key] if key in trial else override.get_value_element_as_str()}"
            for override in self._overrides
            for key in [override.get_key_element()]
        ]

    def read(self, words: Sequence[str]) -> Trial | None:
        """The trial that has these overrides; None where it is not of this space."""
        said = dict(word.split("=", 1) for word in words if "=" in word)
        try:
            return {each.key: each.text(each.value(said[each.key])) for each in self.dimensions}
        except (KeyError, ValueError):
            return None

    def probes(self) -> list[Trial]:
        """Trials in which each end of each dimension stands once: if these can be trained, so can the others."""
        first = {dimension.key: dimension.ends[0] for dimension in self.dimensions}
        found = [{**first, dimension.key: end} for dimension in self.dimensions for end in dimension.ends]
        return list({tuple(trial.items()): trial for trial in found}.values())


def _dimension(override: Override) -> Dimension:
    word, key = override.input_line, override.get_key_element()
    sweep: Any = override.value()
    tags = {str(tag) for tag in sweep.tags} if hasattr(sweep, "tags") else set()
    if strange := sorted(tags - {"log"}):
        raise UserError(f"{word}: unknown tag {quoted(strange[0])}. Known: log")
    if tags and not override.is_interval_sweep():
        raise UserError(f"{word}: the tag log is for intervals; expected tag(log, interval(LOW, HIGH))")
    if getattr(sweep, "shuffle", False):
        raise UserError(f"{word}: a search has an order of its own; expected no shuffle")
    if override.is_interval_sweep():
        low, high = sweep.start, sweep.end
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise UserError(f"{word}: expected interval(LOW, HIGH) of finite numbers with LOW < HIGH")
        if tags and low <= 0:
            raise UserError(f"{word}: has no logarithm at {low}; expected LOW > 0 with the tag log")
        is_whole = isinstance(low, int) and isinstance(high, int)
        return Dimension(key, (), low, high, 1 if is_whole else 0, is_whole, "log" in tags)
    number = num_values(override)
    if not override.is_range_sweep():
        check_distinct(override)
        return Dimension(key, tuple(override.sweep_string_iterator()))
    is_whole = all(isinstance(value, int) for value in (sweep.start, sweep.stop, sweep.step))
    start, step = (sweep.start, sweep.step) if is_whole else (float(sweep.start), float(sweep.step))
    low, high = sorted((start, start + step * (number - 1)))
    return Dimension(key, (), low, high if is_whole else float(f"{high:.12g}"), abs(step), is_whole)
