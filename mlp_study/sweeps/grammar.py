"""Words as typed, read before Hydra composes anything of them: what it would choke on, or take for something else."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any, NoReturn

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from hydra.errors import HydraException

from mlp_study.choices.rules import quoted, unknown
from mlp_study.errors import UserError
from mlp_study.sweeps.explain import explain, groups, options
from mlp_study.sweeps.values import plain

LAUNCHER, SWEEPER = "hydra/launcher", "hydra/sweeper"
SWEEPERS = ("study", "search")  # what other plugins there may be, they know nothing of tables


def check_words(words: Iterable[str]) -> None:
    """See that words can be read, and that a group of options gets the name of one.

    Raises:
        UserError: one line for the first word that is wrong.
    """
    for override in read(words):
        if not override.is_delete() and override.key_or_group in {*groups(), LAUNCHER, SWEEPER}:
            _check_choice(override)


def read(words: Iterable[str]) -> list[Override]:
    """Words as Hydra understands them.

    Raises:
        UserError: it does not.
    """
    words = list(words)
    for word in words:
        check_readable(word)
    try:
        overrides = OverridesParser.create().parse_overrides(words)
    except HydraException as error:
        raise UserError(explain(error)) from None
    for override in overrides:
        if not override.key_or_group:
            raise UserError(f"{override.input_line}: expected key=value")
    return list(overrides)


def check_readable(word: str) -> None:
    """Refuse bytes that are no text, and characters that no terminal shows: names of directories are made of words.

    Raises:
        UserError: with what is wrong written out.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in word):
        raise UserError(f"{word!a}: expected text without control characters, in UTF-8")


def _check_choice(override: Override) -> None:
    """`optim=adam`, or several names to try each; a dictionary sets single settings and is left to Hydra."""
    word, group = str(override.input_line), override.key_or_group
    if override.value_type == ValueType.GLOB_CHOICE_SWEEP:
        return
    if override.is_sweep_override() and not override.is_choice_sweep():
        raise UserError(f"{word}: expected names of options. Known: {', '.join(options(group))}")
    values = list(map(plain, override.sweep_iterator())) if override.is_sweep_override() else [override.value()]
    for value in values:
        if group == SWEEPER and value not in SWEEPERS:
            raise UserError(
                f"{word}: expected study, which checks the runs, names them and writes their table, or search, which "
                "chooses them, too"
            )
        for name in value if isinstance(value, list) else [value]:
            if not isinstance(name, (str, dict)):
                _refuse(word, group, name)
        if isinstance(value, list) and group != "callbacks":
            tried = ",".join(map(str, value))
            raise UserError(f"{word}: one option of {group} is to be chosen; to try each: -m {group}={tried}")


def _refuse(word: str, group: str, value: Any) -> NoReturn:
    if group == "experiment" and value is None:
        raise UserError(f"{word}: expected the name of an experiment; without the word there is none")
    raise UserError(unknown(word, quoted(value), options(group), "option"))


def spelled(text: str) -> str:
    """A text that Hydra reads as it is, whatever is in it: in quotes, where it needs them."""
    if text and all(c.isalnum() or c in "_./-+" for c in text):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
