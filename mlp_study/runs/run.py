"""A run: one configuration, one directory, one name. A value; what follows from it is asked of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlp_study.config import Config, check
from mlp_study.errors import UserError

COMPLETED, DIVERGED, STOPPED, FAILED = "completed", "diverged", "stopped", "failed"


@dataclass(frozen=True)
class Run:
    """A run, trained or not.

    Attributes:
        config: its settings.
        folder: its directory.
        overrides: what the user typed for it.
        name: what it is called in lines and tables.
    """

    config: Config
    folder: Path
    overrides: tuple[str, ...] = ()
    name: str = "default"

    def result(self) -> dict[str, Any] | None:
        """The content of its result.json; None where there is none or no valid one."""
        return read_result(self.folder)

    def is_complete(self) -> bool:
        """Whether its directory already holds the result of this very configuration.

        Raises:
            UserError: it holds the result of another one, or files that no run of ours has left, which must not be
                lost; or it is not to be passed over.
        """
        _check_ours(self.folder)
        result = self.result()
        if result is None or result["status"] == FAILED:
            return False
        if result["config_hash"] != self.config.hash():
            raise UserError(
                f"{self.folder}: holds the result of another configuration; choose another directory or remove it"
            )
        if not self.config.resume:
            raise UserError(
                f"{self.folder}: already holds this run's result; resume=true passes over it, "
                "or remove it to train anew"
            )
        return True


def _check_ours(folder: Path) -> None:
    """A run clears what an interrupted one has left; what somebody else keeps under these names is not ours to clear.

    Raises:
        UserError: there is such a file, and no config.yaml, which a run writes before any of them.
    """
    if (folder / "config.yaml").is_file():
        return
    names = ("history.csv", "result.json", "summary.txt", "scaler.npz", "checkpoints", "events.out.tfevents.*")
    strange = next((path.name for name in names for path in folder.glob(name)), None)
    if strange is not None:
        raise UserError(f"{folder}: holds {strange} and no config.yaml: not a run's directory; choose another one")


def name_of(overrides: Sequence[str]) -> str:
    """What a run alone is called: its overrides, without what only says where it goes."""
    return ",".join(override for override in overrides if not override.startswith("hydra.")) or "default"


def read_result(folder: Path) -> dict[str, Any] | None:
    """The content of `folder`/result.json, or None where there is none or no valid one."""
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return result if isinstance(result, dict) and {"status", "config_hash", "metrics"} <= result.keys() else None


def read_config(folder: Path) -> Config:
    """The settings of the run in `folder`.

    Raises:
        UserError: there is none, or it is damaged.
    """
    if not (folder / "config.yaml").is_file():
        raise UserError(f"{folder}: not a run: it has no config.yaml")
    try:
        return check(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UserError(f"{folder / 'config.yaml'}: damaged: not YAML") from None


def outcome_line(result: dict[str, Any]) -> str:
    """One line on how a run ended."""
    metrics, name = result["metrics"], result["name"]
    shown = "  ".join(f"{key} {metrics[key]:.4f}" for key in ("val_acc", "test_acc") if metrics.get(key) is not None)
    return (
        f"{name}: {result['status']} after {result['epochs']} epochs"
        + (f" ({result['reason']})" if result["reason"] else "")
        + f"  {shown}"
    )
