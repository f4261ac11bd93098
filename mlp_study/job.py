"""One job of a sweep, or the only one: pass over what is complete, train, and record a failure as a result."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from mlp_study.config import Config
from mlp_study.errors import UserError
from mlp_study.files import claimed
from mlp_study.record import FAILED, RunRecord, is_complete, read_result

log = logging.getLogger("mlp_study")


def run_job(config: Config, folder: Path, overrides: Sequence[str], job: int, verbose: bool) -> dict[str, Any]:
    """Train `config` in `folder`; returns the content of result.json.

    Args:
        config: the run's settings.
        folder: its directory.
        overrides: what the user typed for it.
        job: its number in a sweep.
        verbose: show every epoch, not only the outcome.

    Raises:
        UserError: the directory holds another run, or another process writes there.
    """
    console = Console(highlight=False, soft_wrap=True, markup=False)
    name = run_name(overrides)
    with claimed(folder):
        if is_complete(folder, config):
            console.print(f"{name}: already complete in {folder}")
            return read_result(folder) or {}

        def report(line: str) -> None:
            log.info(line)
            if verbose:
                console.print(line)

        try:
            from mlp_study.run import train_run

            result = train_run(config, folder, overrides, name, job, report)
        except (KeyboardInterrupt, UserError):
            raise
        except Exception as error:
            log.error("%s", traceback.format_exc())
            reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
            result = RunRecord(folder, config, overrides, name).finish(FAILED, reason, {}, 0.0, 0)
            if not verbose:
                console.print(f"{name}: failed ({reason}); the traceback is in {folder / 'train.log'}")
        if verbose:
            console.print(f"results: {folder}")
        elif result["status"] != FAILED:
            from mlp_study.run import outcome_line

            console.print(outcome_line(result))
    return result


def run_name(overrides: Sequence[str]) -> str:
    """What a run is called: its overrides, without what only says where it goes."""
    return ",".join(override for override in overrides if not override.startswith("hydra.")) or "default"
