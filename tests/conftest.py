"""Tests run two at a time on two cores: each process, and each that it starts, gets one thread."""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import importlib
import multiprocessing
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


def run_command(*arguments: str, cwd: Path, module: str = "mlp_study.train") -> Outcome:
    """Run `python -m MODULE ARGUMENTS` in `cwd`, in a process of its own.

    The process is forked from one that has torch and lightning loaded already: importing them takes longer than
    training does here. `run_python` starts a fresh interpreter.
    """
    out, err = cwd / ".stdout", cwd / ".stderr"
    process = FORKSERVER.Process(target=_main, args=(module, arguments, str(cwd), str(out), str(err)))
    process.start()
    process.join(170)
    assert process.exitcode is not None, "still running"
    outcome = Outcome(process.exitcode, out.read_text(), err.read_text())
    out.unlink()
    err.unlink()
    return outcome


FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(
    [
        "mlp_study.train",
        "mlp_study.stack.launch",
        "mlp_study.job",
        "sklearn.datasets",
        "mlp_study.predict",
        "mlp_study.evaluation",
        "mlp_study.checkpoint",
        "mlp_study.report",
    ]
)


def _main(module: str, arguments: tuple[str, ...], cwd: str, out: str, err: str) -> None:
    os.chdir(cwd)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
    sys.argv = [module, *arguments]
    importlib.import_module(module).main()


def run_python(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> Outcome:
    """Run `python -m mlp_study.train ARGUMENTS` in `cwd`."""
    done = subprocess.run(
        [sys.executable, "-m", "mlp_study.train", *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def train(tmp_path):
    """The command line, in an empty directory."""

    def run(*arguments: str) -> Outcome:
        return run_command(*arguments, cwd=tmp_path)

    return run


@pytest.fixture
def python_train(tmp_path):
    """The command line in an interpreter of its own, in an empty directory."""

    def run(*arguments: str, env: dict[str, str] | None = None) -> Outcome:
        return run_python(*arguments, cwd=tmp_path, env=env)

    return run


@pytest.fixture(scope="session")
def grid(tmp_path_factory) -> Path:
    """A finished 2 x 2 study on the small digits: its directory, with what was printed in printed.txt."""
    folder = tmp_path_factory.mktemp("grid")
    outcome = run_python(
        "-m", "optim=sgd,adam", "init=glorot,zeros", "experiment=quick", "hydra.sweep.dir=study", cwd=folder
    )
    assert outcome.code == 0, outcome.err
    (folder / "study" / "printed.txt").write_text(outcome.out)
    return folder / "study"
