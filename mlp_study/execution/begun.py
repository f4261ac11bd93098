"""What an earlier command has begun and not ended, found by its snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlp_study.engines.snapshot import Snapshot, set_aside
from mlp_study.errors import UserError
from mlp_study.runs.listener import Listener
from mlp_study.runs.run import SNAPSHOT, Run


@dataclass(frozen=True)
class Task:
    """Runs that are trained together.

    Attributes:
        runs: in the order in which they train.
        snapshot: what they go on from; then some of them may have ended.
    """

    runs: list[Run]
    snapshot: Snapshot | None = None


def find_begun(runs: Sequence[Run], todo: Sequence[Run], engine: str, listener: Listener) -> list[Task]:
    """The tasks that can be gone on with.

    A snapshot that is damaged, of other settings or of another engine is set aside, and the listener told of it; one
    whose runs have all ended is removed; one with runs that are none of these is left for whoever asks for them.

    Args:
        runs: all that were asked for.
        todo: those of them that have not ended.
        engine: that is to train them.
        listener: is told.
    """
    by_folder, unfinished = {run.folder: run for run in runs}, {run.folder for run in todo}
    taken: set[Path] = set()
    tasks = []
    for path in (run.folder / SNAPSHOT for run in runs):
        if not path.exists():
            continue
        try:
            snapshot = Snapshot.read(path)
            if snapshot.engine != engine:
                raise UserError(f"{path}: of the engine {snapshot.engine}, this is {engine}")
            members = snapshot.runs_of(by_folder)
        except UserError as error:
            listener.remarked(f"{error}; it is set aside, and what it was of is trained anew")
            set_aside(path)
            continue
        if members is None or taken & {run.folder for run in members}:
            continue
        if not any(run.folder in unfinished for run in members):
            with suppress(OSError):
                path.unlink()
            continue
        taken |= {run.folder for run in members}
        tasks.append(Task(members, snapshot))
    return tasks
