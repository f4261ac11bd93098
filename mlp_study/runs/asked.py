"""study.json: what was asked of a study, in the order typed: its runs, what was swept, by which command and where.

The directories of runs are sorted by name, and one that has not begun is not there: the order of what was typed, and
the settings of what is still to come, are known from here. It describes; nothing is trained because of it, and a study
whose file is lost or damaged is read without it.
"""

from __future__ import annotations

import json
import platform
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlp_study.choices.choice import Section, setting
from mlp_study.choices.rules import any_text, list_of
from mlp_study.errors import UserError
from mlp_study.files import write_json
from mlp_study.machine import free_memory, num_cores
from mlp_study.reading import text
from mlp_study.runs.run import Run

ASKED = "study.json"


def _runs(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise ValueError("a mapping of the names of runs to their overrides")
    rule = list_of(any_text)
    return {str(name): tuple(rule(words)) for name, words in value.items()}


@dataclass(frozen=True)
class Asked(Section):
    """The content of study.json.

    Attributes:
        command: the last one, as typed; empty where it was none.
        started: when it was given.
        machine: where, in words.
        swept: the settings that differ between runs, in the order typed.
        runs: the overrides of each run by its name, in the order typed.
    """

    command: str = setting(any_text, "")
    started: str = setting(any_text, "")
    machine: str = setting(any_text, "")
    swept: tuple[str, ...] = setting(list_of(any_text), ())
    runs: Mapping[str, tuple[str, ...]] = field(default_factory=dict, metadata={"rule": _runs})

    @classmethod
    def in_folder(cls, folder: Path) -> Asked:
        """What was asked of the study in `folder`; nothing where its file is missing or damaged."""
        try:
            values = json.loads(text(folder / ASKED, "damaged"))
            return cls.read(ASKED, values)
        except (UserError, ValueError, RecursionError):
            return cls()

    def order(self, key: str) -> dict[str, int]:
        """The place of each value of a setting, in the order typed."""
        found = (pairs(words).get(key) for words in self.runs.values())
        return {value: i for i, value in enumerate(dict.fromkeys(value for value in found if value is not None))}


def ask(folder: Path, runs: Sequence[Run], command: str = "", swept: Sequence[str] = ()) -> Asked:
    """Note that `runs` were asked of the study in `folder`, which is claimed, beside those of before.

    Args:
        folder: of the study.
        runs: in the order typed.
        command: as typed.
        swept: settings that are swept, though they may not differ between these runs.

    Raises:
        NotWritten: the disk is full, or the like.
    """
    before = Asked.in_folder(folder)
    words = {**before.runs, **{run.name: tuple(run.overrides) for run in runs}}
    differ = differing_keys(list(words.values()))
    asked = Asked(
        command=command,
        started=datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds"),
        machine=f"{socket.gethostname()}: {num_cores()} cores, {free_memory('cpu') / 2**30:.0f} GiB of memory free, "
        f"{platform.platform()}",
        swept=tuple(dict.fromkeys([*before.swept, *swept, *differ])),
        runs=words,
    )
    write_json(folder / ASKED, asked.as_dict())
    return asked


def pairs(overrides: Sequence[str]) -> dict[str, str]:
    """Overrides `key=value` as a mapping."""
    return dict(override.lstrip("+~").split("=", 1) for override in overrides if "=" in override)


def differing_keys(all_overrides: Sequence[Sequence[str]]) -> list[str]:
    """The settings that not all runs share, in the order typed."""
    found = [pairs(overrides) for overrides in all_overrides]
    keys = dict.fromkeys(key for pair in found for key in pair)
    return [key for key in keys if len({pair.get(key) for pair in found}) > 1]


LOG_FROM = 10  # positive values that span so large a factor are looked at by their logarithms


def is_log(numbers: Sequence[float]) -> bool:
    """Whether the values of a setting belong on a logarithmic axis."""
    return min(numbers) > 0 and max(numbers) >= LOG_FROM * min(numbers)


def as_number(typed: str) -> float | None:
    """The number that a value is as it was typed, or None."""
    try:
        return float(typed)
    except ValueError:
        return None
