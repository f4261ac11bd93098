"""`sweep`, `train` and `open`: the command line's words, from a notebook or a script."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mlp_study.data import arrays
from mlp_study.door.study import Study
from mlp_study.door.trained_run import Run
from mlp_study.errors import RunsFailed, UserError
from mlp_study.files import claimed, replaced
from mlp_study.runs.asked import ask
from mlp_study.runs.listener import Both, Listener
from mlp_study.runs.result import FAILED, Result
from mlp_study.runs.run import name_of
from mlp_study.sweeps.checks import check_ready, check_workers
from mlp_study.sweeps.grammar import spelled
from mlp_study.sweeps.spelling import Words, words_of
from mlp_study.sweeps.sweep import check_all, tables, write_tables
from mlp_study.sweeps.words import single_run, study_runs

Data = tuple[Any, ...] | Mapping[str, Any]


def sweep(
    *words: Words,
    folder: str | Path | None = None,
    data: Data | None = None,
    engine: str = "stack",
    workers: int | str = "auto",
    progress: bool = True,
) -> Study:
    """Train every combination of the values given; what is complete in `folder` is passed over.

    Each run's last network is saved, unless the words say something else about callbacks or name an experiment.

    Args:
        words: "optim=sgd,adam" as on the command line, or {"optim.lr": [0.1, 0.01], "model.hidden": [[100], [50, 50]]},
            where a list holds the values to go through.
        folder: of the study; default where the command line would put it.
        data: arrays of your own, (X, y) or (X, y, X_test, y_test) or a mapping of these names; saved in `folder`.
        engine: "stack", runs of one shape together, or "lightning", one after the other.
        workers: processes that train: a number, or "auto", as many as devices and cores deserve.
        progress: print how runs end, and a bar on a terminal.

    Raises:
        UserError: a word is wrong, or the folder is in use or holds other runs; nothing was trained.
    """
    from mlp_study.engines.hparams import with_columns
    from mlp_study.execution.carry_out import carry_out, check_engine
    from mlp_study.execution.choosing import local
    from mlp_study.execution.console import ConsoleListener
    from mlp_study.execution.heartbeat import Heartbeat
    from mlp_study.execution.slurm_queue import end_earlier_jobs

    check_engine(engine)
    check_workers("workers", workers)
    typed = _with_checkpoint(words_of(words, is_sweep=True))
    given = _folder(folder)
    checked = _checked_data(typed, data)
    if checked is not None:
        home = given if given is not None else study_runs(typed)[0].folder.parent
        given = home
    with _saved(checked, given) as saved:
        runs = study_runs([*typed, *saved], given)
        check_all(runs)
    home = runs[0].folder.parent
    with (
        claimed(home),
        ConsoleListener(runs) if progress else _Silent() as shown,
        Heartbeat(home, ()) as heartbeat,
    ):
        runs = with_columns(runs, ask(home, runs).swept)
        results: list[Result] = []
        try:
            listener = Both(shown, heartbeat)
            end_earlier_jobs(home, listener)
            results = carry_out(runs, engine, listener, workers=local(workers))
        finally:  # of an interrupted one, too
            write_tables(home, *tables(home, [result for result in results if result.status == FAILED]))
    failed = [f"{result.name}: {result.reason}" for result in results if result.status == FAILED]
    if failed:
        warnings.warn(f"{len(failed)} of {len(results)} runs failed: {'; '.join(failed)}", stacklevel=2)
    return Study(home)


def train(
    *words: Words,
    folder: str | Path | None = None,
    data: Data | None = None,
    engine: str = "lightning",
    progress: bool = True,
) -> Run:
    """Train one run; the arguments are those of `sweep`, where in a mapping a list is a value: {"model.hidden": [512]}.

    Raises:
        UserError: a word is wrong, or the folder is in use or holds another run; nothing was trained.
        RunsFailed: training was started, and failed.
    """
    from mlp_study.execution.carry_out import carry_out, check_engine
    from mlp_study.execution.console import ConsoleListener

    check_engine(engine)
    said = words_of(words, is_sweep=False)
    typed = _with_checkpoint(said)
    given = _folder(folder)
    checked = _checked_data(typed, data)
    if checked is not None:
        given = given if given is not None else single_run(typed).folder
    with _saved(checked, given) as saved:
        run = replace(single_run([*typed, *saved], given), name=name_of(said))
        check_ready(run.config)
        run.is_complete()
    with ConsoleListener([run], is_verbose=True) if progress else _Silent() as listener:
        (result,) = carry_out([run], engine, listener)
    if result.status == FAILED:
        raise RunsFailed(f"the run failed: {result.reason}; the traceback is in {run.folder / 'train.log'}")
    return Run(run.config, run.folder, run.overrides, run.name)


def open(folder: str | Path) -> Study | Run:
    """A study or a run that was trained before, here or from the command line.

    Raises:
        UserError: there is neither in `folder`.
    """
    folder = Path(folder)
    if (folder / "config.yaml").is_file():
        return Run.read(folder)
    return Study(folder)


def _folder(given: str | Path | None) -> Path | None:
    if given is not None and (not str(given) or "\0" in str(given)):
        raise UserError(f"folder={str(given)!r}: expected a directory, or None for one by the time")
    return None if given is None else Path(given)


class _Silent(Listener):
    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *error: Any) -> None:
        pass


def _with_checkpoint(words: Sequence[str]) -> list[str]:
    """Save the network, where the words leave that open: `Run.model` is for nothing otherwise."""
    if any(word.lstrip("+~").startswith(("callbacks", "experiment=")) for word in words):
        return list(words)
    return ["callbacks=checkpoint", "callbacks.checkpoint.save_best=false", *words]


def _checked_data(words: Sequence[str], data: Data | None) -> dict[str, np.ndarray] | None:
    if data is None:
        return None
    if any(word.startswith(("data=", "data.file=")) for word in words):
        raise UserError("data: given as arrays and as a word; expected one of them")
    names = ("X", "y", "X_test", "y_test")
    if not isinstance(data, Mapping):
        if not isinstance(data, tuple) or len(data) not in (2, 4):
            raise UserError("data: expected (X, y) or (X, y, X_test, y_test)")
        data = dict(zip(names, data, strict=False))
    try:
        found = {str(name): np.asarray(value) for name, value in data.items()}
    except ValueError as error:  # rows of unlike length
        raise UserError(f"data: not arrays: {error}") from None
    arrays.check("data", found)
    return found


@contextmanager
def _saved(data: dict[str, np.ndarray] | None, folder: Path | None) -> Iterator[list[str]]:
    """Write the arrays into `folder`, under a name that follows from their content; gives the words that read them.

    Where what is done with the words is refused, nothing is left there.
    """
    if data is None or folder is None:
        yield []
        return
    digest = hashlib.sha256()
    for name in sorted(data):
        digest.update(f"{name} {data[name].dtype} {data[name].shape}".encode())
        digest.update(np.ascontiguousarray(data[name]).tobytes())
    path = folder / f"data-{digest.hexdigest()[:12]}.npz"
    is_new = not path.is_file()
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        if is_new:
            folder.mkdir(parents=True, exist_ok=True)
            with replaced(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **data)  # type: ignore[arg-type]
        yield ["data=arrays", f"data.file={spelled(str(path))}"]
    except UserError:
        with suppress(OSError):
            if is_new:
                path.unlink(missing_ok=True)
            for parent in made:
                parent.rmdir()
        raise
