"""Finished runs that go on for more epochs, as the snapshot of a task that was killed at the end of their last one.

From there all is as after a kill: what they have left is read once, the snapshot is written before any of it is
touched, and a kill at any moment leaves either what was there or something that is gone on with.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from mlp_study.engines.attempt import Attempt
from mlp_study.engines.checkpoint import read_plain
from mlp_study.engines.events import EventFile
from mlp_study.engines.snapshot import Snapshot, write
from mlp_study.errors import UserError
from mlp_study.runs.listener import Listener
from mlp_study.runs.raised import LAST
from mlp_study.runs.result import COMPLETED, EVIDENCE, Result, read_rows
from mlp_study.runs.run import SNAPSHOT, Run


def continued(runs: Sequence[Run], engine: str, common: dict[str, Any]) -> Snapshot | None:
    """The snapshot from which runs go on that have finished with fewer epochs, written beside them.

    Args:
        runs: whose directories are held.
        engine: that is to train them.
        common: see `mlp_study.engines.snapshot.Snapshot`.

    Returns:
        None where they have not all finished the same number of epochs: there is nothing to go on with together.

    Raises:
        UserError: a checkpoint is not as training has written it; or NotWritten, the disk is full. All is as it was.
    """
    ends = [run.earlier() for run in runs]
    finished = [end for end in ends if end is not None and end.status == COMPLETED]
    if len(finished) < len(runs) or len({end.epochs for end in finished}) != 1:
        return None
    path = runs[0].folder / SNAPSHOT
    write(path, engine, runs, [_state(run, end) for run, end in zip(runs, finished, strict=True)], common)
    return Snapshot.read(path)


def _state(run: Run, end: Result) -> dict[str, Any]:
    """What the run has come to: what its attempt would have said at its end."""
    path = run.folder / LAST
    network = read_plain(path, "not a checkpoint: damaged, or of another kind")
    attempt = Attempt(run, Listener())
    record = attempt.writer.record
    record.history, record.evidence = read_rows(run.folder), read_rows(run.folder, EVIDENCE)
    try:
        if network["epoch"] + 1 != end.epochs:
            raise ValueError("another epoch")
        for number, row in enumerate(record.history, 1):
            attempt.judge.epoch(row, number, network["LitMLP"]["first_loss"])
    except (LookupError, TypeError, ValueError):
        raise UserError(f"{path}: not a checkpoint of the end of this run") from None
    timings = {key: value or 0.0 for key, value in end.timings.items()}
    record.started = time.time() - timings.get("seconds", 0.0)  # the time between the two commands does not count
    attempt.train_seconds = timings.get("train_seconds", 0.0)
    attempt.num_images = round(timings.get("images_per_second", 0.0) * attempt.train_seconds)
    events = max(run.folder.glob("events.out.tfevents.*"), default=None)
    with suppress(OSError):
        if events is not None:
            attempt.writer.events = EventFile.resumed(events, events.stat().st_size)
    try:
        return attempt.state(network)
    finally:
        attempt.close()
