"""What has to be done before anything can be judged: training, predictions, looks inside. Each step can be repeated."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from mlp_study.errors import UserError
from mlp_study.execution.cost import seconds
from mlp_study.files import write_json
from mlp_study.reproduce import course_notes, deep_dive, hidden_layers, initialization, keras_intro
from mlp_study.reproduce.experiments import experiments, planned_runs
from mlp_study.runs.run import Run

# Children are forked from a process that has torch and lightning loaded: importing them takes seconds, 25 times.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["mlp_study.commands.training", "mlp_study.execution.launch", "mlp_study.reproduce.steps"]
)

Advance = Callable[[float], None]  # told the fraction of the step that is done
Main = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Step:
    """Something to do once.

    Attributes:
        name: for the bar.
        cost: seconds it may take, roughly.
        is_done: whether what it leaves is there.
        run: does it.
    """

    name: str
    cost: float
    is_done: Callable[[], bool]
    run: Callable[[Advance], None]


def steps(part: str, folder: Path, overrides: Sequence[str] = ()) -> list[Step]:
    """All steps of a part, in order; `folder` is where its studies go, `overrides` are for every training.

    Raises:
        UserError: an override is wrong, or a directory holds a run of another configuration.
    """
    trainings = [_training(experiment, folder, tuple(overrides)) for experiment in experiments(part)]
    return trainings + _afterwards(part, folder, tuple(overrides))


def _training(experiment: str, folder: Path, overrides: tuple[str, ...]) -> Step:
    runs = planned_runs(experiment, overrides, folder / experiment)

    def todo() -> list[Run]:
        return [run for run in runs if not run.is_complete()]

    return Step(
        experiment,
        sum(map(seconds, todo())) + 6,
        lambda: not todo(),
        lambda advance: _train(experiment, folder, overrides, runs, advance),
    )


def _train(experiment: str, folder: Path, overrides: Sequence[str], runs: Sequence[Run], advance: Advance) -> None:
    """The command a reader would type, in a process of its own; what it prints goes to logs/."""
    words = ["-m", f"experiment={experiment}", *overrides, f"hydra.sweep.dir={folder / experiment}"]
    _child(experiment, "training", words, folder, lambda: advance(_progress(runs)))


def _child(name: str, command: str, words: Sequence[str], folder: Path, watch: Callable[[], None]) -> None:
    """Carry out a module of `mlp_study.commands` with these words in a process of its own, and `watch` it."""
    log = folder / "logs" / f"{name.replace('/', '_')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    process = PROCESSES.Process(target=_be, args=(command, words, log))
    process.start()
    try:
        while process.is_alive():
            process.join(0.5)
            watch()
    except BaseException:  # interrupted: what it has finished is kept
        process.terminate()
        process.join()
        raise
    if process.exitcode:
        last = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()][-1:]
        raise UserError(f"{name}: training failed: {' '.join(last) or process.exitcode}; all of it: {log}")


def _be(command: str, words: Sequence[str], log: Path) -> None:
    """Be that command, with all that it prints going to `log`, and end when the parent does, even if it is killed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with log.open("w", encoding="utf-8") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    import_module(f"mlp_study.commands.{command}").main(words)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _progress(runs: Sequence[Run]) -> float:
    """The share of all epochs that is in the histories."""
    done = 0
    for run in runs:
        with contextlib.suppress(OSError):
            done += max(0, (run.folder / "history.csv").read_bytes().count(b"\n") - 1)
    return done / sum(run.config.trainer.max_epochs for run in runs)


def _is_newer(path: Path, run: Path) -> bool:
    """Whether a file was made of the run as it has ended."""
    return path.is_file() and path.stat().st_mtime >= (run / "result.json").stat().st_mtime


def _command(main: Main, run: Path, result: str, *arguments: str) -> Step:
    """One of our own commands about a run, in this process; `result` is the last file that it writes.

    What it prints goes beside its result.
    """
    path = run / result

    def act(advance: Advance) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        printed = path.parent / "printed.txt"
        with printed.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
            main([str(run), *arguments, "--out", str(path.parent)])

    return Step(f"{run.parent.parent.name}/{run.parent.name}: {result}", 2, partial(_is_newer, path, run), act)


def _cured(run: Path, folder: Path) -> Step:
    """The doctor's verdict of a run, and cures that were trained."""
    path, name = run / "diagnosis.json", f"{run.parent.parent.name}/{run.parent.name}/{run.name}: cures"

    def act(advance: Advance) -> None:
        log = f"cures of {run.parent.name} {run.name}"
        _child(log, "diagnosing", [str(run), "--cure"], folder, lambda: None)

    return Step(name, 40, partial(_is_newer, path, run), act)


def _predict(arguments: Sequence[str]) -> None:
    from mlp_study.commands.predicting import main

    main(arguments)


def _inspect(arguments: Sequence[str]) -> None:
    from mlp_study.commands.inspecting import main

    main(arguments)


def _afterwards(part: str, folder: Path, overrides: tuple[str, ...]) -> list[Step]:
    """What is made of the runs of a part once they are trained."""

    def runs(experiment: str) -> tuple[Run, ...]:
        return planned_runs(experiment, overrides, folder / experiment)

    if part == keras_intro.PART:
        found = [run.folder for run in runs(keras_intro.OPTIMIZER) if run.config.optim.name == "adadelta"]
        normal = runs(initialization.NORMAL)
        rates = [run for run in runs(initialization.LEAKED) if run.config.init.name == "glorot_uniform"]
        leaked = [run for run in (*normal, *rates) if run.config.optim.name == "sgd" and run.config.optim.lr == 10]
        return [
            *(_command(_predict, run, "predictions/scaled/evaluation.json") for run in found),
            *(_command(_predict, run, "predictions/unscaled/evaluation.json", "--scaling", "none") for run in found),
            *(_command(_inspect, run.folder, "inspection/layers.json") for run in normal if run.config.optim.lr == 0.1),
            *(_cured(run.folder, folder) for run in leaked if run.config.seed == 0),
        ]
    if part == deep_dive.PART:
        base = [run.folder for run in runs(deep_dive.BASE)]
        csv = folder / part / "kaggle.csv"
        kaggle = _command(_predict, base[0], "predictions/kaggle/evaluation.json", "--csv", str(csv))
        return [
            Step(csv.name, 5, csv.is_file, lambda advance: _write_kaggle_csv(csv)),
            *(_command(_predict, run, "predictions/test/evaluation.json") for run in base),
            kaggle,
        ]
    if part == course_notes.PART:
        path = folder / course_notes.NETWORKS
        return [Step(path.name, 1, path.is_file, lambda advance: _small_networks(path))]
    dropout = runs(hidden_layers.DROPOUT)
    (run,) = [run.folder for run in dropout if run.config.optim.lr == 0.01 and run.config.seed == 0]
    path = folder / hidden_layers.TRUNCATED
    looks = ("--part", "train", "--embed", "tsne,mds,pca", "--num", "1000")
    return [
        _command(_inspect, run, "inspection/scores.csv", *looks),
        Step(path.name, 5, path.is_file, lambda advance: _truncated(run, path)),
    ]


def _write_kaggle_csv(path: Path) -> None:
    from mlp_study.reproduce.small_networks import write_kaggle_csv

    write_kaggle_csv(path)


def _small_networks(path: Path) -> None:
    from mlp_study.reproduce.small_networks import small_networks

    write_json(path, small_networks())


def _truncated(run: Path, path: Path) -> None:
    from mlp_study.reproduce.small_networks import truncated

    write_json(path, truncated(run))
