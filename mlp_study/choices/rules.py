"""What a setting may be: small checks that turn a value from YAML or the command line into a typed one.

A rule is a callable that returns the value in its right type, or raises ValueError with what it expected instead
("a number > 0"). `settings` applies a table of rules to a mapping and puts the setting's full name and the bad
value in front. Pure Python: this runs before torch is imported.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlp_study.errors import UserError

Rule = Callable[[Any], Any]


def number(
    above: float | None = None, below: float | None = None, least: float | None = None, most: float | None = None
) -> Rule:
    """A finite number inside open (`above`, `below`) or closed (`least`, `most`) bounds."""
    bounds = [
        f"{sign} {bound:g}"
        for sign, bound in ((">", above), (">=", least), ("<", below), ("<=", most))
        if bound is not None
    ]
    expected = "a number " + " and ".join(bounds) if bounds else "a finite number"

    def rule(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError(expected)
        try:
            result = float(value)
        except (ValueError, OverflowError):
            raise ValueError(expected) from None
        inside = (
            math.isfinite(result)
            and (above is None or result > above)
            and (below is None or result < below)
            and (least is None or result >= least)
            and (most is None or result <= most)
        )
        if not inside:
            raise ValueError(expected)
        return result

    return rule


def integer(least: int | None = None, most: int | None = None) -> Rule:
    """A whole number; 10.0 and "10" count, 10.5 and true do not."""
    bounds = [f"{sign} {bound}" for sign, bound in ((">=", least), ("<=", most)) if bound is not None]
    expected = "a whole number " + " and ".join(bounds) if bounds else "a whole number"
    as_number = number()

    def rule(value: Any) -> int:
        try:
            # An int never passes through float, which would round a seed above 2**53.
            exact = value if isinstance(value, int) and not isinstance(value, bool) else as_number(value)
        except ValueError:
            raise ValueError(expected) from None
        if exact != int(exact) or (least is not None and exact < least) or (most is not None and exact > most):
            raise ValueError(expected)
        return int(exact)

    return rule


def boolean(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def any_text(value: Any) -> str:
    """A text, an empty one too."""
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def text(value: Any) -> str:
    """Some text, not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return value


def one_of(*names: str) -> Rule:
    """One of the given names."""

    def rule(value: Any) -> str:
        if value not in names or not isinstance(value, str):
            raise ValueError("one of " + ", ".join(names))
        return value

    return rule


def optional(inner: Rule) -> Rule:
    """Null, or what `inner` accepts."""

    def rule(value: Any) -> Any:
        if value is None:
            return None
        try:
            return inner(value)
        except ValueError as error:
            raise ValueError(f"null or {error}") from None

    return rule


def list_of(inner: Rule) -> Rule:
    """A list, possibly empty, of what `inner` accepts."""

    def rule(value: Any) -> list[Any]:
        try:
            if not isinstance(value, list):
                raise ValueError(_expected(inner))
            return [inner(item) for item in value]
        except ValueError as error:
            raise ValueError(f"a list, each entry {error}") from None

    return rule


def one_or_list_of(inner: Rule) -> Rule:
    """One value for all layers, or a list with one for each."""

    def rule(value: Any) -> Any:
        try:
            return [inner(item) for item in value] if isinstance(value, list) else inner(value)
        except ValueError as error:
            raise ValueError(f"{error}, or a list of such, one per layer") from None

    return rule


def layer_names(value: Any) -> list[str]:
    """Distinct names that can stand in file names, column headings and TensorBoard tags."""
    if (
        not isinstance(value, list)
        or not all(isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in value)
        or len(set(value)) != len(value)
    ):
        raise ValueError("a list of distinct names made of letters, digits, _ . -")
    return list(value)


def _expected(inner: Rule) -> str:
    try:
        inner(None)
    except ValueError as error:
        return str(error)
    return "of the right type"


def settings(section: str, values: Any, rules: Mapping[str, Rule]) -> dict[str, Any]:
    """Apply `rules` to the mapping `values`; every rule needs its key and every key its rule.

    Raises:
        UserError: naming the setting in full (`section` and key), quoting its value, and saying what was expected.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{section}={quoted(values)}: expected a group of settings: {', '.join(rules)}")
    prefix = f"{section}." if section else ""
    for key in values:
        if key not in rules:
            raise UserError(unknown(f"{prefix}{key}", str(key), rules, what="setting"))
    result = {}
    for key, rule in rules.items():
        if key not in values:
            raise UserError(
                f"{prefix}{key} is missing; the settings of {section or 'the config'} are {', '.join(rules)}"
            )
        try:
            result[key] = rule(values[key])
        except ValueError as error:
            raise UserError(f"{prefix}{key}={quoted(values[key])}: expected {error}") from None
    return result


def unknown(full_name: str, name: str, known: Iterable[str], what: str) -> str:
    """One line that says a name is unknown, offers the nearest one, and lists all."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{full_name}: unknown {what} {name!r}.{hint} Known: {', '.join(known) or 'none'}"


def quoted(value: Any) -> str:
    """The value as the user would type it."""
    return (
        f"'{value}'"
        if isinstance(value, str)
        else "null"
        if value is None
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
