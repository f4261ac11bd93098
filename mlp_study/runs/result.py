"""result.json: how a run ended. The one door through which it is read, and the history.csv beside it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlp_study.choices.choice import Section, setting
from mlp_study.choices.rules import Rule, any_text, integer, list_of, number, one_of, optional
from mlp_study.errors import UserError
from mlp_study.files import finite

if TYPE_CHECKING:
    import pandas as pd

COMPLETED, DIVERGED, STOPPED, FAILED = "completed", "diverged", "stopped", "failed"
PRUNED = "pruned"  # by a search, as others were better after as many epochs
UNFINISHED, DAMAGED = "unfinished", "damaged"  # what a run without a result is called
RESULT, HISTORY, EVIDENCE = "result.json", "history.csv", "evidence.csv"
LARGEST = 2**24  # bytes of a record that is ours; a larger one is not read


class Damaged(UserError):
    """A file of a run is not as it was written; the run counts as not trained."""


def _mapping_to(inner: Rule) -> Rule:
    def rule(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError("a mapping of names to values")
        return {str(key): inner(item) for key, item in value.items()}

    return rule


_numbers = _mapping_to(optional(number()))


@dataclass(frozen=True)
class Result(Section):
    """The content of result.json.

    Attributes:
        name: what the run was called.
        status: completed, stopped, pruned, diverged or failed.
        reason: why, in a line; empty for completed.
        overrides: what the user typed for it.
        config_hash: of its settings, see `mlp_study.config.Config.hash`.
        seed: its seed.
        num_parameters: of the network; 0 where it failed before there was one.
        epochs: finished.
        metrics: losses and accuracies at the end, the best of them and when, those of the test images; None where a
            number is not finite.
        timings: seconds, train_seconds, images_per_second.
        device: what trained it.
        started, finished: when.
        versions: of what it was trained with.
        sha256: of the files that training wrote, by their names in the run's directory; empty in records from before
            there were any.
        confusion: test images by their class, a row each, and what they were taken for; None where there are none, or
            very many classes.
    """

    name: str = setting(any_text)
    status: str = setting(one_of(COMPLETED, STOPPED, PRUNED, DIVERGED, FAILED))
    reason: str = setting(any_text)
    overrides: tuple[str, ...] = setting(list_of(any_text))
    config_hash: str = setting(any_text)
    seed: int = setting(integer(least=0, most=2**53))
    num_parameters: int = setting(integer(least=0, most=2**53))
    epochs: int = setting(integer(least=0, most=2**53))
    metrics: Mapping[str, float | None] = setting(_numbers)
    timings: Mapping[str, float | None] = setting(_numbers)
    device: str = setting(any_text)
    started: str = setting(any_text)
    finished: str = setting(any_text)
    versions: Mapping[str, str] = setting(_mapping_to(any_text))
    sha256: Mapping[str, str] = setting(_mapping_to(any_text))
    confusion: tuple[tuple[int, ...], ...] | None = setting(optional(list_of(list_of(integer(least=0, most=2**53)))))

    def line(self) -> str:
        """One line on how the run ended."""
        metrics = self.metrics
        shown = ((key, metrics.get(key)) for key in ("val_acc", "test_acc"))
        return (
            f"{self.name}: {self.status} after {self.epochs} epochs"
            + (f" ({self.reason})" if self.reason else "")
            + "  "
            + "  ".join(f"{key} {value:.4f}" for key, value in shown if value is not None)
        )


def result_of(values: Mapping[str, Any]) -> Result:
    """A result just made, the same as it will be read back."""
    return Result.read("result", finite(dict(values)))


def read_result(folder: Path) -> Result | None:
    """The result in `folder`; None where there is none.

    Raises:
        Damaged: it is no record of ours, or history.csv is not the one that belongs to it.
    """
    path = folder / RESULT
    content = read_bytes(path)
    if content is None:
        return None
    try:
        values = json.loads(content)
        if not isinstance(values, dict):
            raise ValueError("no mapping")
    except (ValueError, RecursionError):
        raise Damaged(f"{path}: damaged: not a JSON object") from None
    known = {field.name for field in fields(Result)}
    try:
        ours = {"sha256": {}, "confusion": None} | {key: value for key, value in values.items() if key in known}
        result = Result.read("result", ours)
    except (UserError, ValueError, RecursionError) as error:
        said = str(error)
        raise Damaged(f"{path}: damaged: {said if len(said) < 200 else said[:200] + ' ...'}") from None
    if result.status != FAILED:  # that may be why
        _check_history(folder / HISTORY, result)
    return result


def _check_history(path: Path, result: Result) -> None:
    written = result.sha256.get(HISTORY)
    if not result.epochs and written is None:
        return
    content = read_bytes(path)
    if content is None:
        raise Damaged(f"{path}: missing, where result.json speaks of {result.epochs} epochs")
    if written is not None:
        if hashlib.sha256(content).hexdigest() != written:
            raise Damaged(f"{path}: damaged: its bytes are not those that training wrote")
    elif content.count(b"\n") != result.epochs + 1:  # of a version that wrote no digests
        raise Damaged(f"{path}: damaged: not {result.epochs} epochs, as result.json has it")


def read_history(folder: Path) -> pd.DataFrame:
    """history.csv: a row for each epoch, numbers alone.

    Raises:
        Damaged: there is none, or it is not as training writes it.
    """
    import pandas as pd

    path = folder / HISTORY
    try:
        frame = pd.read_csv(path)
    except FileNotFoundError:
        raise Damaged(f"{path}: missing") from None
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise Damaged(f"{path}: damaged ({(str(error).splitlines() or [''])[0]})") from None
    numeric = all(kind.kind in "if" for kind in frame.dtypes)
    if not numeric or "train_loss" not in frame or list(frame.get("epoch", ())) != list(range(1, len(frame) + 1)):
        raise Damaged(f"{path}: damaged: not numbers for epochs 1, 2, ...")
    return frame


def read_rows(folder: Path, name: str = HISTORY) -> list[dict[str, float]]:
    """The rows of history.csv, or of evidence.csv, to the last bit: as training went on with them.

    Raises:
        Damaged: it is not as training writes it.
    """
    path = folder / name
    try:
        rows = list(csv.DictReader(io.StringIO((read_bytes(path) or b"").decode())))
        return [{key: int(text) if key == "epoch" else float(text) for key, text in row.items()} for row in rows]
    except (ValueError, TypeError, csv.Error):
        raise Damaged(f"{path}: damaged: not numbers for epochs 1, 2, ...") from None


def read_bytes(path: Path) -> bytes | None:
    """The content of a record; None where there is none.

    Raises:
        Damaged: it is no regular file, cannot be read, or is far too large to be ours.
    """
    try:
        if not path.exists():
            return None
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise Damaged(f"{path}: damaged: not a file of ours")
        return path.read_bytes()
    except OSError as error:
        raise Damaged(f"{path}: cannot be read ({error.strerror or error})") from None
