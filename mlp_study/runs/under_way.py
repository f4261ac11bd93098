"""progress.json: what a study that is being carried out says of itself, for whoever asks from elsewhere.

It is there as long as a command carries the study out, and after one that was interrupted or killed.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlp_study.choices.choice import Section, setting
from mlp_study.choices.rules import any_text, integer, list_of, number
from mlp_study.errors import UserError
from mlp_study.files import finite, write_json
from mlp_study.reading import text

PROGRESS = "progress.json"
SILENCE = 30.0  # seconds without a word, after which nobody is thought to be there


@dataclass(frozen=True)
class Trainer(Section):
    """A process that trains some of the runs.

    Attributes:
        name: what it is called.
        host: its machine.
        pid: its number there.
        device: that it trains on.
        runs: their names.
        since: seconds since 1970.
    """

    name: str = setting(any_text)
    host: str = setting(any_text)
    pid: int = setting(integer(least=0, most=2**53))
    device: str = setting(any_text)
    runs: tuple[str, ...] = setting(list_of(any_text))
    since: float = setting(number())


def _trainer(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("a process")
    return Trainer.read("workers", value).as_dict()


@dataclass(frozen=True)
class UnderWay(Section):
    """The content of progress.json.

    Attributes:
        words: of the training command that goes on with the study; empty where it was none. Only words: a file of a
            stranger's must not make us show another program's command.
        host, pid: of the process that carries it out.
        started, written: seconds since 1970; the latter of these words.
        ended: how it ended, if not as it should: "interrupted".
        num_runs: all of them.
        num_epochs: that it set out to train.
        epochs: of these, done.
        rate: training images in a second, over the last seconds.
        workers: that train now.
        remarks: the last lines that a person should know.
    """

    words: tuple[str, ...] = setting(list_of(any_text))
    host: str = setting(any_text)
    pid: int = setting(integer(least=0, most=2**53))
    started: float = setting(number())
    written: float = setting(number())
    ended: str = setting(any_text)
    num_runs: int = setting(integer(least=0, most=2**53))
    num_epochs: int = setting(integer(least=0, most=2**53))
    epochs: float = setting(number())
    rate: float = setting(number())
    workers: tuple[Mapping[str, Any], ...] = setting(list_of(_trainer))
    remarks: tuple[str, ...] = setting(list_of(any_text))

    @classmethod
    def in_folder(cls, folder: Path) -> UnderWay | None:
        """What the study in `folder` says; None where it says nothing.

        Raises:
            UserError: the file is damaged.
        """
        path = folder / PROGRESS
        if not os.path.lexists(path):
            return None
        try:
            values = json.loads(text(path, "damaged"))
        except (ValueError, RecursionError):
            raise UserError(f"{path}: damaged: not JSON") from None
        return cls.read(PROGRESS, values)

    @property
    def command(self) -> str:
        """As it is typed; empty where there is none."""
        return command(self.words) if self.words else ""

    def write(self, folder: Path) -> None:
        """Put it into `folder`.

        Raises:
            NotWritten: the disk is full, or the like.
        """
        write_json(folder / PROGRESS, finite(self.as_dict()))

    def is_alive(self, folder: Path) -> bool:
        """Whether the process that wrote it is still there: asked of this machine, or told by the age of the file."""
        if self.ended:
            return False
        if self.host == socket.gethostname():
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                return False
            except OSError:
                pass  # somebody else's
        return silence(folder) < SILENCE


def command(words: Sequence[str]) -> str:
    """A training command as it is typed."""
    return shlex.join(["python", "-m", "mlp_study.train", *words])


def silence(folder: Path) -> float:
    """Seconds since the study in `folder` has said something."""
    with suppress(OSError):
        return time.time() - (folder / PROGRESS).stat().st_mtime
    return float("inf")


def remove(folder: Path) -> None:
    """The study is complete."""
    with suppress(OSError):
        (folder / PROGRESS).unlink(missing_ok=True)
