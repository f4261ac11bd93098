"""What an earlier command, or a worker that is gone, has begun and not ended, found by its snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlp_study.engines.snapshot import Snapshot, set_aside
from mlp_study.errors import UserError
from mlp_study.runs.listener import Listener
from mlp_study.runs.run import SNAPSHOT, Run


@dataclass(frozen=True)
class Begun:
    """Runs that can be gone on with together.

    Attributes:
        runs: in the order in which they train; some of them may have ended.
        snapshot: what they go on from.
    """

    runs: tuple[Run, ...]
    snapshot: Snapshot


def read_begun(path: Path, runs: Mapping[Path, Run], engine: str, listener: Listener) -> Begun | None:
    """What the snapshot `path` is of; None where there is none, or where it is of runs that are none of these.

    One that is damaged, of other settings or of another engine is set aside, and the listener told of it.

    Args:
        path: the file.
        runs: by their directories.
        engine: that is to train them.
        listener: is told.
    """
    if not path.exists():
        return None
    try:
        snapshot = Snapshot.read(path)
        if snapshot.engine != engine:
            raise UserError(f"{path}: of the engine {snapshot.engine}, this is {engine}")
        members = snapshot.runs_of(runs)
    except UserError as error:
        listener.remarked(f"{error}; it is set aside, and what it was of is trained anew")
        set_aside(path)
        return None
    return None if members is None else Begun(tuple(members), snapshot)


def find_begun(runs: Sequence[Run], todo: Sequence[Run], engine: str, listener: Listener) -> list[Begun]:
    """What can be gone on with.

    A snapshot whose runs have all ended is removed; one with runs that are none of these is left for whoever asks for
    them.

    Args:
        runs: all that were asked for.
        todo: those of them that have not ended.
        engine: that is to train them.
        listener: is told of what is set aside.
    """
    by_folder, unfinished = {run.folder: run for run in runs}, {run.folder for run in todo}
    taken: set[Path] = set()
    found = []
    for run in runs:
        begun = read_begun(run.folder / SNAPSHOT, by_folder, engine, listener)
        if begun is None or taken & {run.folder for run in begun.runs}:
            continue
        if not any(run.folder in unfinished for run in begun.runs):
            with suppress(OSError):
                begun.snapshot.path.unlink()
            continue
        taken |= {run.folder for run in begun.runs}
        found.append(begun)
    return found
