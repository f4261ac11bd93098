"""A run: one configuration, one directory, one name. A value; what follows from it is asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlp_study.config import Config, check
from mlp_study.errors import UserError
from mlp_study.runs.raised import check_raised
from mlp_study.runs.result import COMPLETED, FAILED, RESULT, Damaged, Result, read_bytes, read_result

CONFIG = "config.yaml"
SNAPSHOT = "snapshot.pt"  # while it or its stack trains, see `mlp_study.engines.snapshot`
JOBS = ".slurm"  # in the directory of a study, while Slurm's jobs train it, see `mlp_study.execution.slurm_queue`


@dataclass(frozen=True)
class Run:
    """A run, trained or not.

    Attributes:
        config: its settings.
        folder: its directory.
        overrides: what the user typed for it.
        name: what it is called in lines and tables.
        columns: settings that its study sweeps, each with whether all its values are numbers; none for a run alone.
    """

    config: Config
    folder: Path
    overrides: tuple[str, ...] = ()
    name: str = "default"
    columns: tuple[tuple[str, bool], ...] = ()

    def result(self) -> Result | None:
        """How it ended; None where it has not.

        Raises:
            Damaged: its record is.
        """
        result = read_result(self.folder)
        if result is not None and result.status != FAILED and not _has_our_sections(self.folder / CONFIG):
            raise Damaged(f"{self.folder / CONFIG}: damaged or missing")
        return result

    def damage(self) -> str:
        """What is wrong with its record; empty if nothing is, or there is none."""
        try:
            self.result()
        except Damaged as error:
            return str(error)
        return ""

    def earlier(self) -> Result | None:
        """How it ended with fewer epochs, where it is to go on from there: `is_complete` says whether it can."""
        try:
            result = self.result()
        except Damaged:
            return None
        is_other = result is not None and result.status != FAILED and result.config_hash != self.config.hash()
        return result if is_other else None

    def is_complete(self) -> bool:
        """Whether its directory already holds the result of this very configuration; a damaged one is none.

        Raises:
            UserError: it holds the result of another one, with which it cannot go on, or files that no run of ours
                has left, which must not be lost; or it is not to be passed over.
        """
        _check_ours(self.folder)
        try:
            result = self.result()
        except Damaged:
            return False
        if result is None or result.status == FAILED:
            return False
        is_ours = result.config_hash == self.config.hash()
        if not is_ours:
            written = None if result.status == COMPLETED else _written_max_epochs(self.folder)
            check_raised(self.config, self.folder, result, written)
        if not self.config.resume:
            does = "passes over it" if is_ours else "goes on from there"
            raise UserError(
                f"{self.folder}: already holds this run's result; resume=true {does}, or remove it to train anew"
            )
        return is_ours


def _check_ours(folder: Path) -> None:
    """A run clears what an interrupted one has left; what somebody else keeps under these names is not ours to clear.

    Raises:
        UserError: there is such a file, and no config.yaml of ours, which a run writes before any of them, nor what
            tells where that was lost.
    """
    names = ("history.csv", "result.json", "summary.txt", "scaler.npz", "checkpoints", "events.out.tfevents.*")
    strange = next((path.name for name in names for path in folder.glob(name)), None)
    if strange is not None and not _is_ours(folder):
        raise UserError(f"{folder}: holds {strange} and no config.yaml: not a run's directory; choose another one")


def _is_ours(folder: Path) -> bool:
    """Whether a run of ours was here: one whose config.yaml is lost has a copy of Hydra's, or a result."""
    if any(_has_our_sections(folder / name) for name in (CONFIG, f".hydra/{CONFIG}")):
        return True
    try:
        return b'"config_hash": "' in (read_bytes(folder / RESULT) or b"")
    except Damaged:
        return False


def _has_our_sections(path: Path) -> bool:
    """Whether a config.yaml is one of ours, be it damaged: nothing else begins these sections."""
    try:
        lines = (read_bytes(path) or b"").splitlines()
    except Damaged:
        return False
    return {b"model:", b"optim:", b"trainer:"} <= set(lines)


def _written_max_epochs(folder: Path) -> int | None:
    try:
        return read_config(folder).trainer.max_epochs
    except UserError:
        return None


def name_of(overrides: Sequence[str]) -> str:
    """What a run alone is called: its overrides, without what only says where it goes."""
    return ",".join(override for override in overrides if not override.startswith("hydra.")) or "default"


def run_folders(folder: Path) -> list[Path]:
    """The directories of a study's runs, sorted by name; `.hydra`, in a run's own directory, is none."""
    return sorted({path.parent for name in (CONFIG, RESULT) for path in folder.glob(f"[!.]*/{name}")})


def part_of(config: Config, key: str) -> Any:
    """A setting, or a whole group of them as a dict; None where there is no such."""
    value: Any = config.as_dict()
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def setting_of(config: Config, key: str) -> str:
    """A setting as it may be typed; a whole group by the name of its choice; empty where there is no such."""
    value = part_of(config, key)
    if isinstance(value, dict):
        value = value.get("name", value.get("source"))
    if isinstance(value, list):
        return "[" + ",".join(map(str, value)) + "]"
    return "" if value is None else str(value)


def engine_of(runs: Iterable[Run], default: str) -> str:
    """What trains runs together: what their settings ask for, or else `default`.

    Raises:
        UserError: it is not the same for all.
    """
    asked = sorted({run.config.engine or default for run in runs})
    if len(asked) > 1:
        raise UserError(f"engine={','.join(asked)}: all runs of a study are trained by one engine; expected one")
    return asked[0] if asked else default


def read_config(folder: Path) -> Config:
    """The settings of the run in `folder`.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = folder / CONFIG
    content = read_bytes(path)
    if content is None:
        raise UserError(f"{folder}: not a run: it has no config.yaml")
    try:
        text = content.decode("utf-8")
        # Ours has no aliases; with some a small file can stand for a huge one.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.CSafeLoader)):
            raise yaml.YAMLError
        values = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise Damaged(f"{path}: damaged: not YAML of ours") from None
    if not isinstance(values, dict):
        raise Damaged(f"{path}: damaged: it holds no settings")
    try:
        return check(values)
    except (UserError, TypeError, ValueError, RecursionError) as error:
        said = str(error)
        raise Damaged(f"{path}: damaged: {said if len(said) < 300 else said[:300] + ' ...'}") from None
