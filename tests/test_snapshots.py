"""Killed and started again by the same command, a sweep leaves what it would have left, byte for byte."""

import json
import os
import shutil
import signal
from itertools import pairwise

import pandas as pd
import pytest
import torch
from conftest import WITH_TORCH, run_command
from full_disk import largest_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from warm import Command, wait_for

from mlp_study.engines.snapshot import Saver, Snapshot
from mlp_study.execution.carry_out import carry_out
from mlp_study.runs.listener import Listener
from mlp_study.runs.run import SNAPSHOT
from mlp_study.runs.table import table
from mlp_study.sweeps.words import study_runs

# Early stopping at different epochs, dropout, schedules, two seeds; sigmoid, whose last bits depend on who else trains.
WORDS = [
    "data=digits", "trainer.max_epochs=6", "trainer.limit_train_batches=5", "model.hidden=[12]", "model.dropout=0.3",
    "model.activation=sigmoid", "schedule=cosine", "optim=sgd,adam", "optim.lr=0.1,1", "seed=0,1",
    "callbacks=[checkpoint,early_stopping]", "callbacks.early_stopping.patience=1",
    "callbacks.early_stopping.min_delta=0.01",
]  # fmt: skip
COUNTED = ("history.csv", "evidence.csv", "best.ckpt", "last.ckpt", "config.yaml", "summary.txt", "scaler.npz")
both_engines = pytest.mark.parametrize("engine", ["lightning", "stack"])


def launcher(engine):
    return f"hydra/launcher={'stacked' if engine == 'stack' else 'basic'}"


def files(study):
    found = [path for path in study.rglob("*") if path.name in COUNTED and ".hydra" not in path.parts]
    return {str(path.relative_to(study)): path.read_bytes() for path in found}


def snapshots(study):
    return sorted(path.parent.name for path in study.glob(f"*/{SNAPSHOT}"))


def same(study, other):
    """Whether two studies hold the same bytes, times aside; and neither something left behind."""
    assert files(study) == files(other)
    pd.testing.assert_frame_equal(table(study).drop(columns="seconds"), table(other).drop(columns="seconds"))
    for folder in (study, other):
        assert not [p.name for p in folder.rglob("*") if p.name in (".lock", SNAPSHOT) or p.name.endswith(".tmp")]
    return True


@pytest.fixture(scope="module", params=["lightning", "stack"])
def whole(request, tmp_path_factory):
    """An undisturbed study: engine, directory."""
    study = tmp_path_factory.mktemp("whole") / "study"
    carry_out(study_runs([*WORDS, "logger=none", "trainer.snapshot_seconds=0"], study), request.param)
    assert set(table(study)["status"]) == {"completed", "stopped"}
    return request.param, study


@pytest.mark.long
@pytest.mark.parametrize("seconds", ["0", "60"])  # a snapshot every epoch; none that is due, but who trains together
def test_a_sweep_that_is_killed_again_and_again_leaves_the_same_bytes(tmp_path, whole, seconds):
    engine, undisturbed = whole
    words = ["-m", *WORDS, "logger=none", f"trainer.snapshot_seconds={seconds}", "hydra.sweep.dir=study"]
    words.append(launcher(engine))
    for kill_after in (11, 19, 14) if seconds == "0" else (41,):
        (tmp_path / "kill_after").write_text(str(kill_after))
        (ended,) = WITH_TORCH.run(Command(words, str(tmp_path), before="killed_after"))
        if ended.code == 0:  # it was done before
            break
        assert ended.code == -signal.SIGKILL
    ended = run_command(*words, cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert ended.err == ""
    for path in (tmp_path / "study").glob("*/config.yaml"):  # which says what was set
        path.write_text(path.read_text().replace(f"snapshot_seconds: {float(seconds)}", "snapshot_seconds: 0.0"))
    assert same(tmp_path / "study", undisturbed)


class Stop(Listener):
    """Interrupts after so many epochs of all runs together."""

    def __init__(self, num):
        self.left, self.remarks, self.said_lines = num, [], []

    def epoch(self, name, row):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def remarked(self, line):
        self.remarks.append(line)

    def said(self, name, text):
        self.said_lines.append(text)


def interrupted(study, engine, *words, after=20):
    """A study that was interrupted with snapshots in it; returns its runs."""
    runs = study_runs([*WORDS, "logger=none", "trainer.snapshot_seconds=0", *words], study)
    with pytest.raises(KeyboardInterrupt):
        carry_out(runs, engine, Stop(after))
    assert len(snapshots(study)) == 1
    return runs


def test_it_goes_on_and_not_from_the_beginning(tmp_path, whole):
    engine, undisturbed = whole
    runs = interrupted(tmp_path / "study", engine)
    listener = Stop(-1)
    carry_out(runs, engine, listener)
    assert [line for line in listener.said_lines if line.startswith("going on after epoch ")]
    assert listener.remarks == []
    assert same(tmp_path / "study", undisturbed)


def spoiled(content, how):
    return (
        content[: len(content) // 2] if how == "truncated" else b"code" if how == "text" else bytes(reversed(content))
    )


@pytest.mark.parametrize("how", ["truncated", "text", "reversed"])
def test_a_damaged_snapshot_is_set_aside_and_its_runs_begin_anew(tmp_path, whole, how):
    engine, undisturbed = whole
    study = tmp_path / "study"
    runs = interrupted(study, engine)
    (path,) = study.glob(f"*/{SNAPSHOT}")
    path.write_bytes(spoiled(path.read_bytes(), how))
    listener = Stop(-1)
    carry_out(runs, engine, listener)
    (line,) = listener.remarks
    assert line.startswith(f"{path}: damaged")
    assert line.endswith("it is set aside, and what it was of is trained anew")
    path.with_name(f"{SNAPSHOT}.aside").unlink()
    assert same(study, undisturbed)


@pytest.mark.parametrize("change", ["version", "settings", "engine", "states"])
def test_a_foreign_snapshot_is_set_aside(tmp_path, whole, change):
    engine, undisturbed = whole
    study = tmp_path / "study"
    runs = interrupted(study, engine)
    (path,) = study.glob(f"*/{SNAPSHOT}")
    content = torch.load(path, weights_only=True)
    if change == "settings":
        content["hashes"][0] = "0" * 12
    elif change == "states":
        content["states"][0]["network"]["state_dict"].popitem()
    else:
        content[change] = "other"
    torch.save(content, path)
    listener = Stop(-1)
    carry_out(runs, engine, listener)
    (line,) = listener.remarks
    assert line.startswith(f"{path}: ")
    assert line.endswith("trained anew")
    path.with_name(f"{SNAPSHOT}.aside").unlink()
    assert same(study, undisturbed)


def test_a_snapshot_of_runs_that_were_not_asked_for_stays(tmp_path):
    study = tmp_path / "study"
    runs = interrupted(study, "stack")
    (holder,) = snapshots(study)
    others = [run for run in runs if run.name != holder]
    carry_out(others[:1], "stack")
    assert snapshots(study) == [holder]
    carry_out(runs, "stack")
    assert snapshots(study) == []
    assert set(table(study)["status"]) <= {"completed", "stopped"}


@pytest.mark.long
@both_engines
def test_events_go_on_in_one_file_with_every_epoch_once(tmp_path, engine):
    words = ["-m", *WORDS, "trainer.snapshot_seconds=0", "hydra.sweep.dir=study", launcher(engine)]
    (tmp_path / "kill_after").write_text("21")
    (ended,) = WITH_TORCH.run(Command(words, str(tmp_path), before="killed_after"))
    assert ended.code == -signal.SIGKILL
    assert run_command(*words, cwd=tmp_path).code == 0
    for run in (tmp_path / "study").glob("*/"):
        (path,) = run.glob("events.out.tfevents.*")
        events = EventAccumulator(str(path), size_guidance={"histograms": 0}).Reload()
        epochs = list(range(1, json.loads((run / "result.json").read_text())["epochs"] + 1))
        assert [event.step for event in events.Scalars("loss/train")] == epochs
        assert [event.step for event in events.Histograms("weights/dense_1")] == epochs
        assert "result/test_acc" in events.Tags()["scalars"]


def test_nothing_is_saved_before_it_is_due_or_where_it_is_not_wanted(tmp_path):
    for seconds, engine, num in (("60", "lightning", 0), ("60", "stack", 1), ("null", "stack", 0)):
        runs = study_runs(
            [*WORDS, "logger=none", f"trainer.snapshot_seconds={seconds}"], tmp_path / f"{seconds}{engine}"
        )
        with pytest.raises(KeyboardInterrupt):
            carry_out(runs, engine, Stop(12))
        found = [Snapshot.read(run.folder / SNAPSHOT) for run in runs if (run.folder / SNAPSHOT).exists()]
        assert len(found) == num
        assert all(snapshot.states is None for snapshot in found)


def test_what_a_snapshot_costs_spaces_them_out(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("mlp_study.engines.snapshot.time.monotonic", lambda: clock[0])
    runs = study_runs([*WORDS, "logger=none", "trainer.snapshot_seconds=10"], tmp_path)
    saver, saved = Saver(runs[:1], "lightning"), []
    runs[0].folder.mkdir()

    def states():
        saved.append(clock[0])
        clock[0] += 1  # a second for each
        return [{}]

    for _ in range(300):
        clock[0] += 1
        if saver.is_due():
            saver.save(runs[:1], states, {})
    gaps = [later - earlier for earlier, later in pairwise(saved)]
    assert saved[0] == 10
    assert all(gap >= 50 for gap in gaps), "more than 2 % of the time"
    assert len(gaps) >= 4


@both_engines
def test_a_disk_without_room_for_a_snapshot_fails_no_run(tmp_path, engine):
    words = ["data=digits", "trainer.max_epochs=2", "model.hidden=[512]", "trainer.limit_train_batches=2", "seed=0,1"]
    runs = study_runs([*words, "logger=none", "trainer.snapshot_seconds=0"], tmp_path)
    with largest_file(2**17):
        results = carry_out(runs, engine)
    assert [result.status for result in results] == ["completed", "completed"]
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith((SNAPSHOT, f".{SNAPSHOT}"))]


def test_an_interrupted_command_is_gone_on_with_by_the_same_command(tmp_path):
    words = ["data=digits", "trainer.max_epochs=3000", "logger=none", "hydra.run.dir=run"]
    process = WITH_TORCH.start(Command(words, str(tmp_path)))
    wait_for(tmp_path / "run" / "history.csv")
    os.kill(process, signal.SIGINT)
    assert WITH_TORCH.wait(process).code == 130
    assert Snapshot.read(tmp_path / "run" / SNAPSHOT).states  # though none was due
    process = WITH_TORCH.start(Command(words, str(tmp_path)))
    log = tmp_path / "run" / "train.log"
    while "going on after epoch" not in log.read_text():
        pass
    os.kill(process, signal.SIGINT)
    assert WITH_TORCH.wait(process).code == 130
    shutil.rmtree(tmp_path / "run")
