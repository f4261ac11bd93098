"""Worker processes: the same bytes as without them, whoever of them is killed; each on its own device."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from conftest import WITH_TORCH, run_command
from soak.kills import files, left_behind
from warm import Command, wait_for

from mlp_study.execution.choosing import local
from mlp_study.machine import num_cores
from mlp_study.runs.table import table
from mlp_study.sweeps.words import study_runs

TWELVE = [
    "data=digits", "trainer.limit_train_batches=4", "trainer.max_epochs=6", "model.hidden=[8]", "model.dropout=0.2",
    "optim=sgd,adam,rmsprop", "optim.lr=0.01,0.1", "seed=0,1", "callbacks=checkpoint", "logger=none",
    "trainer.snapshot_seconds=0", "schedule=cosine",
]  # fmt: skip


def processes(study):
    """The processes that have a file of the study open, or are its command."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        links = []
        with suppress(OSError):  # it is gone
            for link in process.glob("fd/*"):
                with suppress(OSError):  # that is closed
                    links.append(os.readlink(link))
        if any(link.startswith(str(study)) for link in links):
            found.append(int(process.name))
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert sweep(folder, workers=1).code == 0
    return folder / "study"


def sweep(folder, *words, workers=2):
    command = ["-m", *TWELVE, "hydra.sweep.dir=study", f"hydra.launcher.workers={workers}", *words]
    (ended,) = WITH_TORCH.run(Command(command, str(folder), before="forked_workers"))
    return ended


def test_two_workers_leave_the_bytes_of_none(tmp_path, whole):
    ended = sweep(tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "6 + 6 runs" in ended.out
    assert "12 runs in " in ended.out
    assert " by 2 workers, " in ended.out
    assert files(tmp_path / "study") == files(whole)
    tables = [table(folder).drop(columns="seconds") for folder in (tmp_path / "study", whole)]
    pd.testing.assert_frame_equal(*tables)
    assert left_behind(tmp_path / "study") == []


def test_a_killed_worker_costs_what_it_did_since_its_snapshot(tmp_path, whole):
    (tmp_path / "greedy").write_text("optim=adam,optim.lr=0.1,seed=0 4 once")
    ended = sweep(tmp_path)
    assert ended.code == 0, ended.err
    (line,) = ended.err.splitlines()
    assert line.startswith("worker ")
    assert "killed by SIGKILL, as for want of memory; another goes on with 6 runs" in line
    assert files(tmp_path / "study") == files(whole)
    assert left_behind(tmp_path / "study") == []
    log = (tmp_path / "study" / "optim=adam,optim.lr=0.1,seed=0" / "train.log").read_text()
    assert "going on after epoch 3/6" in log


@pytest.mark.long
@pytest.mark.parametrize("seconds", [0, 60])  # a snapshot after every epoch, or none before it is killed
def test_a_run_that_takes_all_memory_fails_alone(tmp_path, whole, seconds):
    name = "optim=adam,optim.lr=0.1,seed=0"
    (tmp_path / "greedy").write_text(f"{name} 4 always")
    ended = sweep(tmp_path, f"trainer.snapshot_seconds={seconds}")
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith("mlp_study: error: 1 of 12 runs failed in ")
    assert "halves" in ended.err
    frame = pd.read_csv(tmp_path / "study" / "study.csv").set_index("run")
    assert frame["status"].value_counts().to_dict() == {"completed": 11, "failed": 1}
    assert frame.loc[name, "reason"] == "worker lost: killed by SIGKILL, as for want of memory"
    assert frame.loc[name, "epochs"] == 4  # what is known of it
    ours, undisturbed = files(tmp_path / "study"), files(whole)
    others = {key for key in undisturbed if not key.startswith(name) and not key.endswith("config.yaml")}
    assert {key: ours[key] for key in others} == {key: undisturbed[key] for key in others}
    assert left_behind(tmp_path / "study") == []
    for run in others:  # halves go on, too
        if run.endswith("history.csv") and not seconds:
            assert (tmp_path / "study" / run).with_name("train.log").read_text().count(" training on ") == 1
    (tmp_path / "greedy").unlink()
    assert sweep(tmp_path).code == 0  # and by the same command, once there is memory
    ours = files(tmp_path / "study")
    assert {key: ours[key] for key in others} == {key: undisturbed[key] for key in others}


def running(folder, *words):
    """A sweep that does not end by itself, with both its workers at work."""
    command = ["-m", *TWELVE, *words, "trainer.max_epochs=100000", "hydra.sweep.dir=study", "hydra.launcher.workers=2"]
    process = WITH_TORCH.start(Command(command, str(folder), before="forked_workers"))
    for seed in (0, 1):
        wait_for(folder / "study" / f"optim=sgd,optim.lr=0.01,seed={seed}" / "history.csv")
    assert len(processes(folder / "study")) >= 3
    return process


def gone(study):
    deadline = time.monotonic() + 10
    while processes(study) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not processes(study)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_workers_too(tmp_path, number):
    process = running(tmp_path)
    os.kill(process, number)
    ended = WITH_TORCH.wait(process)
    assert (ended.code, ended.err.splitlines()[-1]) == (130, "mlp_study: error: interrupted")
    assert not processes(tmp_path / "study")
    assert not list(tmp_path.rglob(".lock"))


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    process = running(tmp_path)
    os.kill(process, signal.SIGKILL)
    assert WITH_TORCH.wait(process).code == -signal.SIGKILL
    assert gone(tmp_path / "study")


def test_each_worker_sees_a_device_of_its_own_and_all_work_at_once(tmp_path):
    (tmp_path / "visible").write_text("4,5,6,7")
    ended = sweep(tmp_path, workers="auto")
    assert (ended.code, ended.err) == (0, "")
    assert "3 + 3 + 3 + 3 runs" in ended.out
    seen = [path.read_text().split() for path in tmp_path.glob("worker-*")]
    assert sorted(device for device, _, _ in seen) == ["4", "5", "6", "7"]
    assert max(float(first) for _, first, _ in seen) < min(float(last) for _, _, last in seen)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "true", "[2]", "null"])
def test_a_number_of_workers_that_is_none_is_refused(tmp_path, value):
    ended = run_command("-m", "seed=0,1", f"hydra.launcher.workers={value}", "hydra.sweep.dir=study", cwd=tmp_path)
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert "hydra.launcher.workers=" in line
    assert "expected auto or a whole number >= 1" in line
    assert not (tmp_path / "study").exists()


def test_auto_is_this_process_where_there_is_little_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    few = study_runs(TWELVE, tmp_path)
    assert local("auto")(few) is None
    many = study_runs(["seed=range(100)", "trainer.max_epochs=50"], tmp_path)
    hired = local("auto")(many)
    assert (1 if hired is None else hired.num) == num_cores()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert local("auto")(many) is None
