"""`mlp status`: where a study stands, from its files, while somebody trains it and after."""

import json
import os
import signal
import time

import pytest
from conftest import WITH_TORCH, run_command, run_python
from warm import Command, wait_for

from mlp_study.runs.standing import Standing
from mlp_study.runs.under_way import PROGRESS, UnderWay

LONG = ["-m", "data=digits", "logger=none", "trainer.max_epochs=100000", "seed=0,1", "model.hidden=[8]"]


def status(folder, *words):
    return run_command("study", *words, cwd=folder, module="mlp_study.status")


def as_json(folder):
    return json.loads(status(folder, "--json").out)


@pytest.fixture
def running(tmp_path):
    """A sweep that does not end by itself, with two workers at work: its directory and its process."""
    words = [*LONG, "hydra.sweep.dir=study", "hydra.launcher.workers=2"]
    process = WITH_TORCH.start(Command(words, str(tmp_path), before="forked_workers"))
    for seed in (0, 1):
        wait_for(tmp_path / "study" / f"seed={seed}" / "history.csv")
    time.sleep(1.1)  # for the word after that
    return tmp_path, process


@pytest.mark.long
def test_of_a_study_that_is_trained_interrupted_and_gone_on_with(running):
    folder, process = running
    said = as_json(folder)
    assert said["is_alive"]
    assert said["runs"] == {"training": 2}
    assert [worker["runs"] for worker in said["under_way"]["workers"]] == [["seed=0"], ["seed=1"]]
    assert len({worker["pid"] for worker in said["under_way"]["workers"]}) == 2
    assert said["best"]["val_acc"] > 0
    assert said["seconds_left"] > 0
    out = status(folder).out
    assert f"in process {process} on " in out
    assert "2 runs: 2 training; epoch " in out
    assert "worker 2" in out
    following = WITH_TORCH.start(Command(["study", "--follow"], str(folder), "mlp_study.status"))
    os.kill(process, signal.SIGTERM)
    ended = WITH_TORCH.wait(process)
    assert ended.code == 130
    (command,) = [line for line in ended.out.splitlines() if line.startswith("to go on: ")]
    assert command.endswith(f"hydra.launcher.workers=2 hydra.sweep.dir={folder}/study")
    followed = WITH_TORCH.wait(following)
    assert followed.code == 0
    assert followed.out.splitlines()[-1] == "2 runs: 2 unfinished"
    out = status(folder).out
    assert "study: interrupted " in out
    assert command in out


def test_of_a_study_whose_command_was_killed(running):
    folder, process = running
    os.kill(process, signal.SIGKILL)
    WITH_TORCH.wait(process)
    out = status(folder).out
    assert f"no sign of life of process {process} on " in out
    assert "2 runs: 2 unfinished" in out
    assert "to go on: python -m mlp_study.train -m data=digits" in out


def test_of_a_study_that_is_complete_without_torch(grid):
    ended = run_python(str(grid), cwd=grid, module="mlp_study.status")
    assert (ended.code, ended.err) == (0, "")
    assert not {"torch", "pandas", "matplotlib"} & set(ended.imported)
    assert f"{grid}: nobody trains here\n4 runs: 4 completed\nbest so far: val_acc " in ended.out
    assert not (grid / PROGRESS).exists()
    (run,) = grid.glob("optim=sgd,init=glorot")
    assert "1 runs: 1 completed" in run_command(str(run), cwd=grid, module="mlp_study.status").out


def test_of_failures_with_their_reasons(tmp_path):
    words = ["-m", "seed=1,2", "data=digits", "trainer.max_epochs=1", "logger=none", "hydra.sweep.dir=study"]
    (ended,) = WITH_TORCH.run(Command(words, str(tmp_path), before="broken_networks"))
    assert ended.code == 1
    out = status(tmp_path).out
    assert "1 completed, 1 failed" in out
    assert "seed=1: " in out


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"pid": "x"}', "[" * 100_000, '{"host": 1}', "\x00", "9" * 5000]
)
def test_a_damaged_file_is_left_out_with_a_line(grid, tmp_path, content):
    study = tmp_path / "study"
    study.mkdir()
    for run in grid.glob("optim*"):
        (study / run.name).symlink_to(run)
    (study / PROGRESS).write_text(content)
    ended = status(tmp_path)
    assert ended.code == 0
    (line,) = ended.err.splitlines()
    assert PROGRESS in line
    assert "4 runs: 4 completed" in ended.out


def test_a_file_of_a_stranger_shows_no_command_but_ours(grid, tmp_path):
    study = tmp_path / "study"
    study.mkdir()
    (study / "run").symlink_to(next(grid.glob("optim*")))
    UnderWay(("x; rm -rf /",), "elsewhere", 1, 0.0, 0.0, "interrupted\x1b[2J", 1, 1, 0.0, 0.0, (), ()).write(study)
    ended = status(tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "to go on: python -m mlp_study.train 'x; rm -rf /'" in ended.out
    assert "\x1b" not in ended.out


def test_what_is_no_study_is_refused(tmp_path):
    (tmp_path / "study").mkdir()
    for folder in ("study", "nowhere"):
        ended = run_command(folder, cwd=tmp_path, module="mlp_study.status")
        assert ended.code == 2
        (line,) = ended.err.splitlines()
        assert f"{folder}: holds no study" in line


def test_a_thousand_runs_are_read_in_the_time_of_some(grid, tmp_path):
    (run,) = grid.glob("optim=sgd,init=glorot")
    for number in range(1000):
        (tmp_path / f"seed={number}").symlink_to(run)
    times = []
    for folder in (grid, tmp_path):
        started = time.perf_counter()
        assert sum(Standing.of(folder).runs.values()) == (4 if folder == grid else 1000)
        times.append(time.perf_counter() - started)
    assert times[1] < 1000 * times[0]
