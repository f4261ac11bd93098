"""Tests run two at a time on two cores: each process, and each that it starts, gets one thread."""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import gc
import subprocess
import sys
from pathlib import Path

import pytest
from warm import Command, Outcome, Warm, ask_for_entry_points_once

# Importing torch and lightning takes longer than training does here: commands are run in forks of a process that has
# them. What must not need torch is run in forks of one that has none.
WITH_TORCH = Warm(
    "WITH_TORCH",
    "mlp_study.commands.training", "mlp_study.commands.predicting", "mlp_study.commands.inspecting",
    "mlp_study.commands.reporting", "mlp_study.execution.launch",
    "mlp_study.inspection.confusion", "mlp_study.inspection.embeddings", "mlp_study.engines.trained",
    "mlp_study.reproduce.steps", "mlp_study.search.asking", "sklearn.metrics", "sklearn.neighbors", "sklearn.manifold",
    "sklearn.datasets", "sklearn.model_selection", "torchvision.datasets.mnist",
    "tensorboard.plugins.hparams.summary_v2",
)  # fmt: skip
WITHOUT_TORCH = Warm(
    "WITHOUT_TORCH",
    "mlp_study.commands.training", "mlp_study.commands.reporting", "mlp_study.figures.study_figures",
    "sklearn.datasets", "sklearn.preprocessing",
)  # fmt: skip


def pytest_configure():
    ask_for_entry_points_once()
    WITH_TORCH.open()
    WITHOUT_TORCH.open()


def pytest_collection_finish():
    # What is imported by now stays: the garbage collector need not go through it again and again.
    gc.collect()
    gc.freeze()


def pytest_unconfigure():
    gc.unfreeze()
    WITH_TORCH.close()
    WITHOUT_TORCH.close()


def run_command(*arguments: str, cwd: Path, module: str = "mlp_study.train", warm: Warm = WITH_TORCH) -> Outcome:
    """Run `python -m MODULE ARGUMENTS` in `cwd`, in a process of its own, forked from a warm one."""
    (outcome,) = warm.run(Command(arguments, str(cwd), module))
    return outcome


def run_python(*arguments: str, cwd: Path, module: str = "mlp_study.train") -> Outcome:
    """Run `python -m MODULE ARGUMENTS` in `cwd`, in an interpreter of its own, and see which packages it imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", module, *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    lines = done.stderr.splitlines()
    imports = [line for line in lines if line.startswith("import time:")]
    said = "".join(f"{line}\n" for line in lines if line not in imports)
    imported = {line.split("|")[-1].strip().partition(".")[0] for line in imports}
    return Outcome(done.returncode, done.stdout, said, sorted(imported))


@pytest.fixture
def train(tmp_path):
    """The command line, in an empty directory."""

    def run(*arguments: str) -> Outcome:
        return run_command(*arguments, cwd=tmp_path)

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


@pytest.fixture(scope="session")
def best_last(tmp_path_factory) -> Path:
    """A finished study of 12 settings and 2 seeds, three swept settings, typed so that the best setting comes last."""
    folder = tmp_path_factory.mktemp("best_last")
    words = ["optim=sgd,adam", "init=zeros,small,glorot", "optim.lr=0.0003,0.01", "seed=0,1"]
    short = ["data=digits", "trainer.max_epochs=3", "model.hidden=[16]"]
    outcome = run_command("-m", *short, *words, f"hydra.sweep.dir={folder / 'study'}", cwd=folder)
    assert outcome.code == 0, outcome.err
    (folder / "study" / "printed.txt").write_text(outcome.out)
    return folder / "study"


@pytest.fixture
def look(capsys):
    """`mlp inspect` in this process: (exit code, standard output, standard error)."""
    from mlp_study.commands.inspecting import main

    def run(*arguments):
        try:
            main([*map(str, arguments)])
            code = 0
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run
