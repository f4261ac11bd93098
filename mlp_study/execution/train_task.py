"""Training a task in this process: claims its directories, goes on from its snapshot, lets each run fail alone.

One run's failure is recorded and touches no other: what goes wrong while a run is written is its own failure already;
what goes wrong in a stack otherwise makes its runs be tried again in smaller stacks, until the one that fails is alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from mlp_study.engines.attempt import Attempt, Ghost
from mlp_study.engines.cohort import Cohort
from mlp_study.engines.continued import continued
from mlp_study.engines.device import pick_device, prepare_processor
from mlp_study.engines.image_data import ImageData
from mlp_study.engines.later import defer
from mlp_study.engines.learner import Learner
from mlp_study.engines.snapshot import Saver, Snapshot
from mlp_study.errors import UserError
from mlp_study.execution.begun import read_begun
from mlp_study.execution.task import Task, completed
from mlp_study.files import claimed
from mlp_study.runs.listener import Listener
from mlp_study.runs.result import Result


def train_task(
    task: Task, listener: Listener, number: int = 0, is_alone: bool = False, patience: float = 0.0
) -> dict[Path, Result]:
    """Carry out a task, from claiming its directories to letting go of them; returns how each run ended.

    It goes on from its snapshot, where there is one; a run that had ended before is not trained again.

    Args:
        task: its runs; those that are complete are passed over.
        listener: is told what happens.
        number: of the task, which spreads tasks over the CUDA devices that this process sees.
        is_alone: whether the only run of a command is refused, instead of failing, where its directory is in use.
        patience: seconds to wait for another process that holds a directory.
    """
    prepare_processor()
    begun = read_begun(task.snapshot, {run.folder: run for run in task.runs}, task.engine, listener)
    runs, snapshot = (task.runs, None) if begun is None else (begun.runs, begun.snapshot)
    # The others have ended since the task was made.
    results = {run.folder: result for run in task.runs if run not in runs and (result := run.result()) is not None}
    refused: list[Attempt] = []
    attempts: list[Attempt] = []
    with ExitStack() as claims:
        for run in runs:
            try:
                claims.enter_context(claimed(run.folder, patience))
                # Another process may have trained it since.
                attempts.append(Attempt(run, listener) if completed(run) is None else Ghost(run))
            except UserError as error:
                if is_alone:
                    raise
                refused.append(Attempt(run, listener))
                refused[-1].fail(error, is_held=False)
        snapshot = None if refused else snapshot
        if snapshot is None:  # those that have ended are needed beside others only where these go on
            ended, attempts = attempts, [attempt for attempt in attempts if attempt.result is None]
        else:
            ended = attempts
        num_left = len(refused) + sum(attempt.result is None for attempt in attempts)
        listener.advanced(-task.num_before * num_left, 0)
        if snapshot is None and task.rest is not None:
            try:
                snapshot = continued([attempt.run for attempt in attempts], task.engine, task.rest.common)
            except UserError as error:
                if is_alone:
                    raise
                for attempt in attempts:
                    attempt.fail(error, is_held=False)
                refused, attempts = [*refused, *attempts], []
        results |= _results(refused) | _results(ended)
        return results | (_train(attempts, task, listener, number, snapshot) if attempts else {})


def _train(
    attempts: Sequence[Attempt], task: Task, listener: Listener, number: int, snapshot: Snapshot | None = None
) -> dict[Path, Result]:
    """Train runs whose directories are held; where the engine itself fails, again in halves, down to single runs."""
    again: list[list[Attempt]] = []
    saver = Saver([attempt.run for attempt in attempts], task.engine, snapshot)
    common = None if snapshot is None else snapshot.common
    cohort = Cohort(task.halving, [attempt.run.name for attempt in attempts], common)
    try:
        train, module_kind, data_kind = _engine(task.engine)
        if (data := _data(data_kind, attempts, number)) is not None:
            for i, attempt in enumerate(attempts):
                if snapshot is None or snapshot.states is None:
                    attempt.begin(data, module_kind)
                else:
                    attempt.resume(data, snapshot.states[i], module_kind)
            saver.plan()
            if begun := [attempt for attempt in attempts if not attempt.status]:
                train(begun, data, listener, saver, cohort)
        saver.remove()
    except Exception as error:
        left = [attempt for attempt in attempts if attempt.result is None]
        if not left:
            raise
        for attempt in left:
            attempt.abandon()
        if snapshot is not None:
            listener.remarked(f"{snapshot.path}: cannot be gone on with ({error}); its runs are trained anew")
            snapshot.set_aside()
            again = [left]
        elif len(left) > 1:
            again = [left[: len(left) // 2], left[len(left) // 2 :]]
        else:
            left[0].fail(error)
        if snapshot is None:
            saver.remove()
    finally:
        for attempt in attempts:
            attempt.close()
    results = _results(attempts)
    for half in again:
        results |= _train([Attempt(attempt.run, listener) for attempt in half], task, listener, number)
    return results


def _engine(name: str) -> tuple[Callable[..., None], type[Learner], type[ImageData]]:
    """What trains, and the kinds of module and of images that it works with. Lightning is imported where it trains."""
    defer()
    if name == "lightning":
        from mlp_study.engines import plain

        return plain.train, plain.LitMLP, plain.ImageDataModule
    from mlp_study.engines.stack import trainer

    return trainer.train, Learner, ImageData


def _data(kind: type[ImageData], attempts: Sequence[Attempt], number: int) -> ImageData | None:
    """The images that the attempts share; None where they cannot be had, and all attempts have failed."""
    config = attempts[0].run.config
    try:
        return kind.of(config, pick_device(config.trainer, number))
    except Exception as error:
        for attempt in attempts:
            attempt.fail(error)
        return None


def _results(attempts: Sequence[Attempt]) -> dict[Path, Result]:
    return {attempt.run.folder: attempt.result for attempt in attempts if attempt.result is not None}
