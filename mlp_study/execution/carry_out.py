"""The one way in which runs are trained. The command line, the launcher, a notebook and the benchmarks are its callers.

    carry_out([run, ...])    ->    a Result for each

Runs that are complete are passed over, the others grouped into tasks, which are trained here, or by workers. Torch is
imported by whoever trains.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace

from mlp_study.config.configuration import ENGINES
from mlp_study.engines.stack.grouping import describe, plan
from mlp_study.errors import UserError
from mlp_study.execution.dispatch import Dispatch
from mlp_study.execution.raising import bring_up, rests
from mlp_study.execution.task import Task, completed
from mlp_study.execution.workers import Workers
from mlp_study.files import remove_dead_lock
from mlp_study.machine import device_names, free_memory
from mlp_study.runs.halving import Halving
from mlp_study.runs.listener import Listener, Worker
from mlp_study.runs.result import Result
from mlp_study.runs.run import SNAPSHOT, Run, engine_of


def carry_out(
    runs: Sequence[Run],
    engine: str = "stack",
    listener: Listener | None = None,
    max_members: int | None = None,
    number: int = 0,
    workers: Callable[[Sequence[Run]], Workers | None] | None = None,
    halving: Halving | None = None,
) -> list[Result]:
    """Train what is not complete; returns how each run ended, in the order of `runs`.

    A run that fails is a result like any other, with status "failed".

    Args:
        runs: to be carried out, each in its directory.
        engine: "stack", runs of one shape together, or "lightning", one after the other; what their settings ask for
            goes before.
        listener: is told what happens.
        max_members: the most runs in a stack; default what memory and speed allow.
        number: of the first task, which spreads tasks over CUDA devices.
        workers: gives those who train these runs; default, or where it gives None, this process.
        halving: how a search judges them on the way. Stacks are then the same for any number of workers.

    Raises:
        UserError: before anything is trained: the engine is unknown, or not the same for all, a directory holds the
            result of another configuration, or the directory of the only run is in use.
    """
    check_engine(engine)
    engine = engine_of(runs, engine)
    listener = listener or Listener()
    results = {run.folder: result for run in runs if (result := completed(run)) is not None}
    results |= bring_up([run for run in runs if run.folder not in results])
    for folder in results:
        remove_dead_lock(folder)
    todo = [run for run in runs if run.folder not in results]
    for run in todo:
        if damage := run.damage():
            listener.remarked(f"{damage}; the run is trained anew")
    begun = _begun(runs, todo, engine, listener)
    resumed = {run.folder for task in begun for run in task.runs}
    hired = workers(todo) if workers is not None and todo else None
    if raised := [run for run in todo if run.folder not in resumed and run.earlier() is not None]:
        begun += rests(raised, _tasks(runs, engine, max_members, hired)[0])
        resumed |= {run.folder for run in raised}
    fresh, lines = _tasks(
        [run for run in todo if run.folder not in resumed], engine, max_members, hired, halving is not None
    )
    if begun:
        lines = [f"going on with {sum(run in todo for task in begun for run in task.runs)} runs", *lines]
    num_epochs = sum(run.config.trainer.max_epochs for run in todo)
    num_epochs -= sum(len(task.runs) * task.num_before for task in begun)
    listener.planned(len(runs), len(runs) - len(todo), num_epochs, lines)
    tasks = [replace(task, halving=halving) for task in (*begun, *fresh)]
    if hired is not None:
        results |= Dispatch(hired, listener).carry_out(tasks)
    elif tasks:
        from mlp_study.execution.train_task import train_task

        accelerator = runs[0].config.trainer.accelerator
        here = Worker("this process", socket.gethostname(), os.getpid(), "cuda" if device_names(accelerator) else "cpu")
        for i, task in enumerate(tasks):
            listener.taken(here, [run.name for run in task.runs])
            results |= train_task(task, listener, number + i, is_alone=len(runs) == 1)
            listener.freed(here)
    return [results[run.folder] for run in runs]


def check_engine(engine: str) -> None:
    """See that there is an engine of this name; otherwise raises a UserError."""
    if engine not in ENGINES:
        raise UserError(f"engine={engine!r}: expected one of {', '.join(ENGINES)}")


def _begun(runs: Sequence[Run], todo: Sequence[Run], engine: str, listener: Listener) -> list[Task]:
    """The tasks that an earlier command has begun."""
    if not any((run.folder / SNAPSHOT).exists() for run in runs):
        return []
    from mlp_study.execution.begun import find_begun

    return [Task(begun.runs, engine, begun.snapshot.path) for begun in find_begun(runs, todo, engine, listener)]


def _tasks(
    runs: Sequence[Run],
    engine: str,
    max_members: int | None,
    workers: Workers | None,
    are_judged: bool = False,
) -> tuple[list[Task], list[str]]:
    """What is trained together, and the lines that say so: something for each worker."""
    if engine == "lightning" or not runs:
        return [Task.of([run], engine) for run in runs], []
    memory = 0.5 * free_memory(runs[0].config.trainer.accelerator) if workers is None else workers.memory
    num = 1 if workers is None or are_judged else workers.num
    stacks = plan([run.config for run in runs], max_members, memory, num)
    return [Task.of([runs[i] for i in stack.members], engine) for stack in stacks], describe(stacks, len(runs))
