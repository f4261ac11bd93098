"""The runs of one or several studies, read for the page; what has ended is read once, however often it is made."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlp_study.config import Config
from mlp_study.diagnosis.verdict import said_of
from mlp_study.errors import UserError
from mlp_study.runs.asked import Asked, differing_keys, pairs
from mlp_study.runs.comparing import STUDY
from mlp_study.runs.result import HISTORY, RESULT, UNFINISHED, Damaged, Result, read_rows
from mlp_study.runs.run import part_of, read_config, run_folders, setting_of
from mlp_study.runs.table import State, state_of

Stamp = tuple[float, int] | None  # when a file was written, and its size; None where there is none


@dataclass(frozen=True)
class ReadRun:
    """A run as it stands.

    Attributes:
        folder: its directory.
        state: its result, or what is wrong with its record.
        columns: of its history, `epoch` left out.
        curves: (epochs, columns), float32.
        diagnosis: in a line.
    """

    folder: Path
    state: State
    columns: tuple[str, ...]
    curves: np.ndarray
    diagnosis: str = ""


class Reader:
    """Of the studies in `folders`."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = list(folders)
        self._known: dict[Path, tuple[Stamp, ReadRun]] = {}

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
        if len(self.folders) > 1:
            runs = _completed(runs)
        return runs, replace(all_asked[0], runs=words, swept=swept)

    def _run(self, folder: Path, asked: Asked) -> ReadRun:
        stamp = _stamp(folder / RESULT) or _stamp(folder / HISTORY)
        known = self._known.get(folder)
        if known is None or known[0] != stamp:
            known = self._known[folder] = stamp, _read(folder, asked)
        return known[1]


def _completed(runs: Sequence[ReadRun]) -> list[ReadRun]:
    """The same runs, which all say what some say: a setting that a study does not sweep has the value that it had.

    A study over init=glorot,zeros and one that left init at its default have settings in common: what the default is
    called is looked up among those that were typed.
    """
    results = {run.folder: run.state for run in runs if isinstance(run.state, Result)}
    said = {folder: pairs(result.overrides) for folder, result in results.items()}
    keys = [k for k in differing_keys([r.overrides for r in results.values()]) if k not in (STUDY, "seed")]
    configs: dict[Path, Config] = {}
    for folder in results:
        with suppress(UserError):
            configs[folder] = read_config(folder)
    typed = {
        (key, repr(part_of(config, key))): said[folder][key]
        for folder, config in configs.items()
        for key in keys
        if key in said[folder]
    }
    found = []
    for run in runs:
        config = configs.get(run.folder)
        if isinstance(run.state, Result) and config is not None:
            values = {
                key: typed.get((key, repr(part_of(config, key)))) or setting_of(config, key)
                for key in keys if key not in said[run.folder]
            }  # fmt: skip
            also = [f"{key}={value}" for key, value in values.items() if value]
            found.append(replace(run, state=replace(run.state, overrides=(*run.state.overrides, *also))))
        else:
            found.append(run)
    return _without_constants(found)


def _without_constants(runs: Sequence[ReadRun]) -> list[ReadRun]:
    """The same runs without settings that have one value in each study: in these, `study` says the difference."""
    values: dict[str, dict[str, set[str | None]]] = {}
    said = {run.folder: pairs(run.state.overrides) for run in runs if isinstance(run.state, Result)}
    keys = dict.fromkeys(key for own in said.values() for key in own if key not in (STUDY, "seed"))
    for own in said.values():
        for key in keys:
            values.setdefault(key, {}).setdefault(own.get(STUDY, ""), set()).add(own.get(key))
    constant = {key for key, by_study in values.items() if all(len(found) == 1 for found in by_study.values())}
    found = []
    for run in runs:
        if isinstance(run.state, Result):
            kept = tuple(word for word in run.state.overrides if not pairs([word]).keys() & constant)
            run = replace(run, state=replace(run.state, overrides=kept))
        found.append(run)
    return found


def study_names(folders: Sequence[Path]) -> list[str]:
    """What studies are called beside each other: the last parts of their paths, as many as tell them apart."""
    parts = [folder.absolute().parts for folder in folders]
    num = next((n for n in range(1, 20) if len({part[-n:] for part in parts}) == len(parts)), 20)
    return ["/".join(part[-num:]) for part in parts]


def _read(folder: Path, asked: Asked) -> ReadRun:
    state = state_of(folder, asked)
    nothing = ReadRun(folder, state, (), np.empty((0, 0), np.float32), said_of(folder, state))
    if isinstance(state, str) or not state.epochs:
        return nothing
    try:
        rows = read_rows(folder)
    except Damaged:
        return nothing
    columns = tuple(key for key in rows[0] if key != "epoch")
    values = [[row.get(key, np.nan) for key in columns] for row in rows]
    with np.errstate(over="ignore"):  # what is beyond float32 is drawn as what is not finite: not at all
        curves = np.asarray(values, np.float64).astype(np.float32)
    return ReadRun(folder, state, columns, curves, nothing.diagnosis)


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime, found.st_size


def is_begun(run: ReadRun) -> bool:
    """Whether there is anything to say of it: a finished epoch, or an end."""
    return isinstance(run.state, str) or bool(run.state.epochs) or run.state.status != UNFINISHED
