"""A finished run that is asked for with more epochs: whether it can go on, from its files alone.

A larger `trainer.max_epochs` changes nothing of what a run has done, unless its schedule spreads over all of them. Then
last.ckpt and history.csv are where the longer run would be at the same epoch; and where a run had ended before its last
epoch, because it diverged or stopped early, the longer one ends there, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from mlp_study.config import Config
from mlp_study.errors import UserError
from mlp_study.files import digest
from mlp_study.runs.result import COMPLETED, PRUNED, Result

LAST, BEST = "checkpoints/last.ckpt", "checkpoints/best.ckpt"


def check_raised(config: Config, folder: Path, result: Result, written: int | None) -> None:
    """See that the run in `folder` goes on with `config`, which are not the settings of its result.

    Args:
        config: what it is to be.
        folder: of the run.
        result: how it ended.
        written: trainer.max_epochs in its config.yaml, if known; needed for a run that ended before its last epoch.

    Raises:
        UserError: it does not: more than a larger trainer.max_epochs is new, or something else stands against it.
    """
    asked = config.trainer.max_epochs
    if result.status == COMPLETED:
        candidates: Iterable[int] = [result.epochs]
    else:  # a kill in the middle of `RunRecord.bring_up` leaves a config.yaml that is ahead of its result
        candidates = [*([] if written is None else [written]), *range(max(1, result.epochs), asked)]
    trained = next((number for number in candidates if _hash(config, number) == result.config_hash), None)
    elsewhere = "choose another directory or remove it"
    if trained is None:
        raise UserError(f"{folder}: holds the result of another configuration; {elsewhere}")
    said = f"{folder}: holds the result of trainer.max_epochs={trained}"
    if asked < trained:
        raise UserError(f"{said}, and {asked} are fewer; {elsewhere}")
    said += f", and cannot go on to {asked}"
    if config.schedule.SPANS_TRAINING:
        raise UserError(
            f"{said}: schedule={config.schedule.name} spreads over all epochs, so that the first {trained} would have "
            f"been others; {elsewhere}"
        )
    if result.status == PRUNED:
        raise UserError(
            f"{said}: it was pruned beside others of {trained} epochs, and beside longer ones it might not have been; "
            f"{elsewhere}"
        )
    if result.status != COMPLETED:
        return
    asked_for = config.callbacks.checkpoint
    if asked_for is None or not asked_for.save_last:
        raise UserError(
            f"{said}: it was trained without callbacks=checkpoint, which saves the last.ckpt to go on from; {elsewhere}"
        )
    for name in (LAST, BEST) if asked_for.save_best else (LAST,):
        if name not in result.sha256 or _digest(folder / name) != result.sha256[name]:
            raise UserError(f"{said}: {name} is missing or not the file that training wrote; {elsewhere}")


def _hash(config: Config, max_epochs: int) -> str:
    return replace(config, trainer=replace(config.trainer, max_epochs=max_epochs)).hash()


def _digest(path: Path) -> str:
    """Of a file that may be missing."""
    try:
        found = path.stat()
        return _known_digest(path, found.st_mtime_ns, found.st_size, found.st_ino)
    except OSError:
        return ""


@lru_cache(maxsize=4096)  # a run is checked before anything starts, and again when its turn has come
def _known_digest(path: Path, *state: int) -> str:
    return digest(path)
