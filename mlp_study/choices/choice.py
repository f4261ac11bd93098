"""Settings as frozen dataclasses: every field carries the rule that its value must pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

from mlp_study.choices.rules import Rule, settings, unknown
from mlp_study.errors import UserError

C = TypeVar("C", bound="Choice")


def setting(rule: Rule, default: Any = dataclasses.MISSING) -> Any:
    """A field whose value `rule` checks; `default` is for Python alone, the command line takes conf/'s."""
    return dataclasses.field(default=default, metadata={"rule": rule})


@dataclass(frozen=True)
class Section:
    """A group of settings, checked and typed."""

    @classmethod
    def rules(cls) -> dict[str, Rule]:
        """The rule of each setting, by its name."""
        return {field.name: field.metadata["rule"] for field in dataclasses.fields(cls)}

    @classmethod
    def read(cls, section: str, values: Any) -> Self:
        """Check `values`, a mapping, which stands under `section` in the configuration.

        Raises:
            UserError: one line for the first thing that is wrong.
        """
        return cls(**{key: _frozen(value) for key, value in settings(section, values, cls.rules()).items()})

    def as_dict(self) -> dict[str, Any]:
        """The settings as a plain dict, lists for tuples."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}


@dataclass(frozen=True)
class Choice(Section):
    """One of several that go by a name, with settings of its own."""

    KEY: ClassVar[str] = "name"  # the setting that says which it is
    name: ClassVar[str]

    def as_dict(self) -> dict[str, Any]:
        """The same with the name in front."""
        return {self.KEY: self.name, **super().as_dict()}


def choose(section: str, values: Any, known: Mapping[str, type[C]], key: str = "name") -> C:
    """The choice that `values`, a mapping with the name under `key`, stands for.

    Raises:
        UserError: the name is unknown, or a setting is wrong.
    """
    name = values.get(key) if isinstance(values, Mapping) else values
    if not isinstance(name, str) or name not in known:
        raise UserError(unknown(f"{section}.{key}={name}", str(name), known, what=key))
    if not isinstance(values, Mapping):
        raise UserError(f"{section}={name}: expected a group of settings: {key}, {', '.join(known[name].rules())}")
    kind = known[name]
    checked = settings(section, values, {key: str, **kind.rules()})
    return kind(**{setting: _frozen(value) for setting, value in checked.items() if setting != key})


def named(what: str, known: Mapping[str, type[C]], name: str, numbers: Mapping[str, Any]) -> C:
    """The choice `name` from Python, with its `numbers`; those that have a default may be left out.

    Raises:
        ValueError: the name is unknown.
        TypeError: a number is, or one is missing.
    """
    if name not in known:
        raise ValueError(f"{what} {name!r}: expected one of {', '.join(known)}")
    return known[name](**numbers)


def by_name(*kinds: type[C]) -> dict[str, type[C]]:
    """A table of choices."""
    return {kind.name: kind for kind in kinds}


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
