"""Snapshots: where the training of a task, one run or a stack, has come to, so that a kill costs little.

A task's snapshot lies in the directory of its first run. It says who trains together and, from the first one on that
was due, holds for each that still does what a checkpoint holds and what its record needs. Who ends a stack early
changes, by a last bit, what the others compute on some processors: a stack that goes on is put together as it was, with
those that have ended since as ghosts, so that what it leaves is byte for byte what it would have left.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from mlp_study.engines.checkpoint import read_plain
from mlp_study.engines.interrupts import Interrupts
from mlp_study.errors import NotWritten, UserError
from mlp_study.files import replaced
from mlp_study.runs.listener import Listener
from mlp_study.runs.run import SNAPSHOT, Run
from mlp_study.version import __version__

LARGEST_SHARE = 0.02  # of the time may go into snapshots


@dataclass(frozen=True)
class Snapshot:
    """One, read back.

    Attributes:
        path: its file.
        engine: that trained.
        folders: names of the directories of the runs that train together, in their order.
        hashes: of their settings.
        states: what each has come to, see `mlp_study.engines.attempt.Attempt.state`; None where nothing was due yet.
        common: what the engine needs besides.
    """

    path: Path
    engine: str
    folders: list[str]
    hashes: list[str]
    states: list[dict[str, Any]] | None
    common: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Snapshot:
        """The one in `path`; nothing in it is executed.

        Raises:
            UserError: it is damaged, or of another version.
        """
        found = read_plain(path, "damaged")
        keys = {"version": str, "engine": str, "folders": list, "hashes": list, "common": dict}
        if not isinstance(found, dict) or any(not isinstance(found.get(key), kind) for key, kind in keys.items()):
            raise UserError(f"{path}: damaged: no snapshot of ours")
        if found["version"] != __version__:
            raise UserError(f"{path}: of version {found['version']}, this is {__version__}")
        states = found.get("states")
        is_whole = len(found["folders"]) == len(found["hashes"]) and (
            states is None or (isinstance(states, list) and len(states) == len(found["folders"]))
        )
        if not is_whole:
            raise UserError(f"{path}: damaged: no snapshot of ours")
        return cls(path, found["engine"], found["folders"], found["hashes"], states, found["common"])

    def runs_of(self, runs: Mapping[Path, Run]) -> list[Run] | None:
        """Those of `runs`, by their directories, that it is of; None where some are not among them.

        Raises:
            UserError: one has other settings now.
        """
        found = [runs.get(self.path.parent.parent / folder) for folder in self.folders]
        for run, config_hash in zip(found, self.hashes, strict=True):
            if run is not None and run.config.hash() != config_hash:
                raise UserError(f"{self.path}: of other settings for {run.name}")
        return None if None in found else found  # type: ignore[return-value]

    def set_aside(self) -> None:
        """Leave it for whoever wants to look at it, under another name."""
        set_aside(self.path)


def set_aside(path: Path) -> None:
    """Rename a snapshot that cannot be used."""
    with suppress(OSError):
        path.replace(path.with_name(f"{path.name}.aside"))


@dataclass
class Saver:
    """Saves the snapshots of one task, every so often and when it is interrupted.

    Args:
        runs: of the task, in its order; all in directories beside each other.
        engine: that trains them.
        restored: what is gone on from, if anything is.
    """

    runs: Sequence[Run]
    engine: str
    restored: Snapshot | None = None
    _last: float = field(default_factory=lambda: time.monotonic())
    _pause: float = 0.0
    interrupts: Interrupts = field(default_factory=Interrupts)
    _listener: Listener = field(default_factory=Listener)
    _is_answered: bool = False

    def __post_init__(self) -> None:
        intervals = [run.config.trainer.snapshot_seconds for run in self.runs]
        self.interval = min((seconds for seconds in intervals if seconds is not None), default=None)
        self.path = self.runs[0].folder / SNAPSHOT if self.restored is None else self.restored.path

    def plan(self) -> None:
        """Say who trains together, before anything has come of it: who is alone needs no such word."""
        is_new = self.restored is None or self.restored.states is None  # beginning has removed the latter
        if self.interval is not None and len(self.runs) > 1 and is_new:
            self._write(self.runs, None, {})

    @contextmanager
    def interruptible(self, listener: Listener) -> Iterator[None]:
        """While inside, a first Ctrl-C or SIGTERM makes `save` due and be the end; `listener` is told.

        Without snapshots, there is nothing to wait for, and it ends as it would outside.
        """
        if self.interval is None:
            yield
            return
        self._listener = listener
        with self.interrupts:
            try:
                yield
            except Exception as error:
                self._not_saved(error)
                raise
            if self.interrupts.is_asked:  # too late to be saved: all is done, and that it ends is still to come
                self.remove()

    def is_due(self, is_inside: bool = False) -> bool:
        """Whether it is time to `save`.

        Args:
            is_inside: an epoch, not at its end; there an interval of 0, every epoch, is no reason.
        """
        if self.interrupts.is_asked:
            return True
        if self.interval is None or (is_inside and not self.interval):
            return False
        return time.monotonic() - self._last >= max(self.interval, self._pause)

    def save(self, runs: Sequence[Run], states: Callable[[], list[dict[str, Any]]], common: dict[str, Any]) -> None:
        """Save what `states` makes of `runs`, those that still train.

        Raises:
            KeyboardInterrupt: that was all that there was to do before the end.
        """
        self.answer()
        started = time.monotonic()
        if self._write(runs, states(), common):
            self._listener.saved()
        self._last = time.monotonic()
        self._pause = (self._last - started) / LARGEST_SHARE if self.interval else 0.0
        if self.interrupts.is_asked:
            raise KeyboardInterrupt

    def answer(self) -> None:
        """Say of an interrupt that it was heard, once; between two steps, since nothing can be said at any moment."""
        if self.interrupts.is_asked and not self._is_answered:
            self._is_answered = True
            self._listener.remarked("interrupted: saving where training has come to; once more ends at once")

    def _not_saved(self, error: Exception) -> None:
        if self.interrupts.is_asked:
            self._listener.remarked(f"not saved: {error or type(error).__name__}")

    def remove(self) -> None:
        """There is nothing to go on with any more."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _write(self, runs: Sequence[Run], states: list[dict[str, Any]] | None, common: dict[str, Any]) -> bool:
        """Whether it could be written."""
        try:
            write(self.path, self.engine, runs, states, common)
        except NotWritten as error:  # a disk without room for it is none of the runs' failure
            self._not_saved(error)
            return False
        return True


def write(
    path: Path, engine: str, runs: Sequence[Run], states: list[dict[str, Any]] | None, common: dict[str, Any]
) -> None:
    """Write a snapshot; the arguments are the attributes of `Snapshot`.

    Raises:
        NotWritten: the disk is full, or the like.
    """
    content = io.BytesIO()
    torch.save(
        {
            "version": __version__,
            "engine": engine,
            "folders": [run.folder.name for run in runs],
            "hashes": [run.config.hash() for run in runs],
            "states": states,
            "common": common,
        },
        content,
    )
    with replaced(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def split(path: Path, parts: Sequence[Sequence[Run]]) -> None:
    """Make of a snapshot one for each of some parts of its runs.

    There is none for a part that is not in it, or where it is damaged or the disk is full.
    """
    with suppress(UserError):
        whole = Snapshot.read(path)
        known = {} if whole.states is None else dict(zip(whole.folders, whole.states, strict=True))
        for part in reversed(parts):  # the first one may take its place
            if all(run.folder.name in known for run in part):
                states = [known[run.folder.name] for run in part]
                write(part[0].folder / SNAPSHOT, whole.engine, part, states, whole.common)
    if path.parent not in [part[0].folder for part in parts]:
        path.unlink(missing_ok=True)
