"""The runs of one or several studies, read for the page; what has ended is read once, however often it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlp_study.runs.asked import Asked
from mlp_study.runs.comparing import STUDY
from mlp_study.runs.result import HISTORY, RESULT, UNFINISHED, Damaged, Result, read_rows
from mlp_study.runs.run import run_folders
from mlp_study.runs.table import State, state_of


@dataclass(frozen=True)
class ReadRun:
    """A run as it stands.

    Attributes:
        folder: its directory.
        state: its result, or what is wrong with its record.
        columns: of its history, `epoch` left out.
        curves: (epochs, columns), float32.
    """

    folder: Path
    state: State
    columns: tuple[str, ...]
    curves: np.ndarray


class Reader:
    """Of the studies in `folders`."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = list(folders)
        self._ended: dict[Path, tuple[float, ReadRun]] = {}
        self._open: dict[Path, tuple[tuple[float, int], ReadRun]] = {}

    def read(self) -> tuple[list[ReadRun], Asked]:
        """All runs as they stand now, sorted by name, and what was asked of the studies."""
        runs: list[ReadRun] = []
        words: dict[str, tuple[str, ...]] = {}
        all_asked = [Asked.in_folder(folder) for folder in self.folders]
        labels = study_names(self.folders)
        for folder, asked, label in zip(self.folders, all_asked, labels, strict=True):
            also = (f"{STUDY}={label}",) if len(self.folders) > 1 else ()
            words |= {f"{label}/{name}": (*also, *typed) for name, typed in asked.runs.items()}
            for run in run_folders(folder) or [folder]:
                found = self._run(run, asked)
                if also and isinstance(found.state, Result):
                    found = replace(found, state=replace(found.state, overrides=(*also, *found.state.overrides)))
                runs.append(found)
        swept = tuple(dict.fromkeys(key for asked in all_asked for key in asked.swept))
        return runs, replace(all_asked[0], runs=words, swept=swept)

    def _run(self, folder: Path, asked: Asked) -> ReadRun:
        stamp = _stamp(folder / RESULT)
        if stamp is not None:
            known = self._ended.get(folder)
            if known is None or known[0] != stamp[0]:
                known = self._ended[folder] = stamp[0], _read(folder, asked)
            return known[1]
        stamp = _stamp(folder / HISTORY) or (0.0, 0)
        begun = self._open.get(folder)
        if begun is None or begun[0] != stamp:
            begun = self._open[folder] = stamp, _read(folder, asked)
        return begun[1]


def study_names(folders: Sequence[Path]) -> list[str]:
    """What studies are called beside each other: the last parts of their paths, as many as tell them apart."""
    parts = [folder.absolute().parts for folder in folders]
    num = next((n for n in range(1, 20) if len({part[-n:] for part in parts}) == len(parts)), 20)
    return ["/".join(part[-num:]) for part in parts]


def _read(folder: Path, asked: Asked) -> ReadRun:
    state = state_of(folder, asked)
    nothing = ReadRun(folder, state, (), np.empty((0, 0), np.float32))
    if isinstance(state, str) or not state.epochs:
        return nothing
    try:
        rows = read_rows(folder)
    except Damaged:
        return nothing
    columns = tuple(key for key in rows[0] if key != "epoch")
    values = [[row.get(key, np.nan) for key in columns] for row in rows]
    with np.errstate(over="ignore"):  # what is beyond float32 is drawn as what is not finite: not at all
        return ReadRun(folder, state, columns, np.asarray(values, np.float64).astype(np.float32))


def _stamp(path: Path) -> tuple[float, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime, found.st_size


def is_begun(run: ReadRun) -> bool:
    """Whether there is anything to say of it: a finished epoch, or an end."""
    return isinstance(run.state, str) or bool(run.state.epochs) or run.state.status != UNFINISHED
