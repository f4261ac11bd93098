"""Tests run two at a time on two cores: each process, and each that it starts, gets one thread."""

import os

os.environ["OMP_NUM_THREADS"] = "1"

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


def run_command(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> Outcome:
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

    def run(*arguments: str, **kwargs) -> Outcome:
        return run_command(*arguments, cwd=tmp_path, **kwargs)

    return run


@pytest.fixture(scope="session")
def grid(tmp_path_factory) -> Path:
    """A finished 2 x 2 study on the small digits: its directory, with what was printed in printed.txt."""
    folder = tmp_path_factory.mktemp("grid")
    outcome = run_command(
        "-m", "optim=sgd,adam", "init=glorot,zeros", "experiment=quick", "hydra.sweep.dir=study", cwd=folder
    )
    assert outcome.code == 0, outcome.err
    (folder / "study" / "printed.txt").write_text(outcome.out)
    return folder / "study"
