"""The one way in which runs are trained. The command line, the launcher, a notebook and the benchmarks are its callers.

    carry_out([run, ...])    ->    a Result for each

Runs that are complete are passed over, the others grouped into tasks and handed to an engine. One run's failure is
recorded and touches no other: what goes wrong while a run is written is its own failure already; what goes wrong in a
stack otherwise makes its runs be tried again in smaller stacks, until the one that fails is alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from mlp_study.engines import plain
from mlp_study.engines.attempt import Attempt, Ghost
from mlp_study.engines.datamodule import ImageDataModule
from mlp_study.engines.device import free_memory, pick_device, prepare_processor
from mlp_study.engines.snapshot import Saver, Snapshot
from mlp_study.engines.stack import trainer as stack
from mlp_study.engines.stack.grouping import describe, plan
from mlp_study.errors import UserError
from mlp_study.execution.begun import Task, find_begun
from mlp_study.files import claimed, remove_dead_lock
from mlp_study.runs.listener import Listener
from mlp_study.runs.result import Result
from mlp_study.runs.run import Run

ENGINES = {"lightning": plain.train, "stack": stack.train}


def carry_out(
    runs: Sequence[Run],
    engine: str = "stack",
    listener: Listener | None = None,
    max_members: int | None = None,
    number: int = 0,
) -> list[Result]:
    """Train what is not complete; returns how each run ended, in the order of `runs`.

    A run that fails is a result like any other, with status "failed".

    Args:
        runs: to be carried out, each in its directory.
        engine: "stack", runs of one shape together, or "lightning", one after the other.
        listener: is told what happens.
        max_members: the most runs in a stack; default what memory and speed allow.
        number: of the first task, which spreads tasks over CUDA devices.

    Raises:
        UserError: before anything is trained: the engine is unknown, a directory holds the result of another
            configuration, or the directory of the only run is in use.
    """
    check_engine(engine)
    listener = listener or Listener()
    results = {run.folder: result for run in runs if (result := _completed(run)) is not None}
    for folder in results:
        remove_dead_lock(folder)
    todo = [run for run in runs if run.folder not in results]
    for run in todo:
        if damage := run.damage():
            listener.remarked(f"{damage}; the run is trained anew")
    begun = find_begun(runs, todo, engine, listener)
    resumed = {run.folder for task in begun for run in task.runs}
    fresh, lines = _tasks([run for run in todo if run.folder not in resumed], engine, max_members)
    if begun:
        lines = [f"going on with {sum(run in todo for task in begun for run in task.runs)} runs", *lines]
    num_epochs = sum(run.config.trainer.max_epochs for run in todo)
    listener.planned(len(runs), len(runs) - len(todo), num_epochs, lines)
    prepare_processor()
    for i, task in enumerate([*begun, *fresh]):
        results |= _claim_and_train(task, engine, listener, number + i, is_alone=len(runs) == 1)
    return [results[run.folder] for run in runs]


def check_engine(engine: str) -> None:
    """See that there is an engine of this name; otherwise raises a UserError."""
    if engine not in ENGINES:
        raise UserError(f"engine={engine!r}: expected one of {', '.join(ENGINES)}")


def _completed(run: Run) -> Result | None:
    return run.result() if run.is_complete() else None


def _tasks(runs: Sequence[Run], engine: str, max_members: int | None) -> tuple[list[Task], list[str]]:
    """What is trained together, and the lines that say so."""
    if engine == "lightning" or not runs:
        return [Task([run]) for run in runs], []
    memory = 0.5 * free_memory(pick_device(runs[0].config.trainer))
    stacks = plan([run.config for run in runs], max_members, memory)
    return [Task([runs[i] for i in stack.members]) for stack in stacks], describe(stacks, len(runs))


def _claim_and_train(task: Task, engine: str, listener: Listener, number: int, is_alone: bool) -> dict[Path, Result]:
    """A task, from claiming its directories to letting go of them."""
    refused: list[Attempt] = []
    attempts: list[Attempt] = []
    with ExitStack() as claims:
        for run in task.runs:
            try:
                claims.enter_context(claimed(run.folder))
                # Another process may have trained it since.
                attempts.append(Attempt(run, listener) if _completed(run) is None else Ghost(run))
            except UserError as error:
                if is_alone:
                    raise
                refused.append(Attempt(run, listener))
                refused[-1].fail(error, is_held=False)
        snapshot = None if refused else task.snapshot
        if snapshot is None:  # those that have ended are needed beside others only where these go on
            ended, attempts = attempts, [attempt for attempt in attempts if attempt.result is None]
        else:
            ended = attempts
        results = _results(refused) | _results(ended)
        return results | (_train(attempts, engine, listener, number, snapshot) if attempts else {})


def _train(
    attempts: Sequence[Attempt], engine: str, listener: Listener, number: int, snapshot: Snapshot | None = None
) -> dict[Path, Result]:
    """Train runs whose directories are held; where the engine itself fails, again in halves, down to single runs."""
    again: list[list[Attempt]] = []
    saver = Saver([attempt.run for attempt in attempts], engine, snapshot)
    try:
        if (data := _data(attempts, number)) is not None:
            for i, attempt in enumerate(attempts):
                if snapshot is None or snapshot.states is None:
                    attempt.begin(data)
                else:
                    attempt.resume(data, snapshot.states[i])
            saver.plan()
            if begun := [attempt for attempt in attempts if not attempt.status]:
                ENGINES[engine](begun, data, listener, saver)
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
        results |= _train([Attempt(attempt.run, listener) for attempt in half], engine, listener, number)
    return results


def _data(attempts: Sequence[Attempt], number: int) -> ImageDataModule | None:
    """The images that the attempts share; None where they cannot be had, and all attempts have failed."""
    config = attempts[0].run.config
    try:
        return ImageDataModule.of(config, pick_device(config.trainer, number))
    except Exception as error:
        for attempt in attempts:
            attempt.fail(error)
        return None


def _results(attempts: Sequence[Attempt]) -> dict[Path, Result]:
    return {attempt.run.folder: attempt.result for attempt in attempts if attempt.result is not None}
