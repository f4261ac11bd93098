"""More epochs for a finished study: it goes on, and leaves what it would have left with so many from the start."""

import dataclasses
import json
import os
import shutil
import signal
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from conftest import WITH_TORCH, WITHOUT_TORCH, run_command
from full_disk import largest_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_snapshots import files, launcher, same
from warm import Command

import mlp_study as ms
from mlp_study.choices.schedules import SCHEDULES
from mlp_study.errors import NotWritten, UserError
from mlp_study.execution.carry_out import carry_out
from mlp_study.files import write_text
from mlp_study.runs.listener import Listener
from mlp_study.runs.table import table
from mlp_study.sweeps.words import study_runs

SHORT = ["data=digits", "trainer.limit_train_batches=5", "model.hidden=[12]", "logger=none"]
# Early stopping at the first end, and after it with half the patience gone there; divergence, dropout, two seeds;
# sigmoid, which a stack computes in another way.
WORDS = [
    *SHORT, "model.dropout=0.3", "model.activation=sigmoid", "schedule=exponential", "optim=adam",
    "optim.lr=0.01,1,1e7", "seed=1,4", "callbacks=[checkpoint,early_stopping]", "callbacks.early_stopping.patience=2",
    "callbacks.early_stopping.min_delta=0.1",
]  # fmt: skip
both_engines = pytest.mark.parametrize("engine", ["lightning", "stack"])


def runs(study, max_epochs, *words):
    return study_runs([*WORDS, f"trainer.max_epochs={max_epochs}", *words], study)


@pytest.fixture(scope="module", params=["lightning", "stack"])
def trained(request, tmp_path_factory):
    """Engine, a study of six epochs, one of eight from the start."""
    folder = tmp_path_factory.mktemp("trained")
    for max_epochs in (6, 8):
        carry_out(runs(folder / str(max_epochs), max_epochs), request.param)
    short, long = (set(table(folder / name)[["status", "epochs"]].itertuples(index=False)) for name in ("6", "8"))
    assert short == {("diverged", 1), ("stopped", 6), ("completed", 6)}
    assert long == {("diverged", 1), ("stopped", 6), ("stopped", 7), ("completed", 8)}
    return request.param, folder / "6", folder / "8"


def results(study):
    """All of result.json that is no time; and how many images were seen."""
    found = {path.parent.name: json.loads(path.read_text()) for path in study.glob("*/result.json")}
    for result in found.values():
        timings = result.pop("timings")
        result["num_images"] = round(timings["images_per_second"] * timings["train_seconds"])
        del result["started"], result["finished"]
    return found


def same_throughout(study, other):
    return same(study, other) and results(study) == results(other)


def repeated(study):
    """Runs that have begun a second time."""
    return [path.parent.name for path in study.glob("*/train.log") if path.read_text().count(" epoch 1/") > 1]


@pytest.fixture
def study(tmp_path, trained):
    """A copy of the one of six epochs."""
    return shutil.copytree(trained[1], tmp_path / "study")


def test_a_study_goes_on_to_the_same_bytes(study, trained):
    engine, _, whole = trained
    num_left = int((table(study)["status"] == "completed").sum())
    ended = run_command("-m", *WORDS, "trainer.max_epochs=8", f"hydra.sweep.dir={study}", launcher(engine), cwd=study)
    assert (ended.code, ended.err) == (0, "")
    assert f"going on with {num_left} runs" in ended.out
    assert f"{6 - num_left} of 6 runs are already complete" in ended.out
    assert same_throughout(study, whole)
    assert repeated(study) == []
    again = run_command("-m", *WORDS, "trainer.max_epochs=8", f"hydra.sweep.dir={study}", cwd=study, warm=WITHOUT_TORCH)
    assert "all 6 runs are already complete" in again.out


class Counts(Listener):
    """Adds up what a bar is told."""

    def planned(self, num_runs, num_complete, num_epochs, lines):
        self.num_epochs, self.advance = num_epochs, 0.0

    def advanced(self, num_epochs, num_images):
        self.advance += num_epochs


def test_the_bar_counts_what_is_left(study, trained):
    listener = Counts()
    carry_out(runs(study, 8), trained[0], listener)
    assert listener.num_epochs == 2 * (table(trained[1])["status"] == "completed").sum()
    assert listener.advance == pytest.approx(listener.num_epochs)


def test_a_kill_costs_at_most_what_was_trained_since_it_went_on(study, trained):
    engine, _, whole = trained
    words = ["-m", *WORDS, "trainer.max_epochs=8", "hydra.sweep.dir=study", launcher(engine)]
    write_text(study.parent / "kill_after", "2")
    (ended,) = WITH_TORCH.run(Command(words, str(study.parent), before="killed_after"))
    assert ended.code == -signal.SIGKILL
    assert "unfinished" in set(table(study)["status"])
    ended = run_command(*words, cwd=study.parent)
    assert (ended.code, ended.err) == (0, "")
    assert same_throughout(study, whole)
    assert repeated(study) == []


@pytest.mark.long
def test_whenever_it_is_interrupted_nothing_is_lost(tmp_path, monkeypatch):
    few = ["optim.lr=0.01,0.1,1e7", "seed=0"]
    carry_out(runs(tmp_path / "short", 2, *few))
    longer = runs(tmp_path / "whole", 3, *few)
    carry_out(longer)
    plain, left = os.replace, 0

    def replace(*paths):
        nonlocal left
        plain(*paths)
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", replace)
    # The config.yaml and result.json of the one that diverged, the snapshot, three files of each of the two others,
    # and then those of the training itself.
    for number in range(1, 100):
        study, left = shutil.copytree(tmp_path / "short", tmp_path / str(number)), number
        these = [dataclasses.replace(run, folder=study / run.name) for run in longer]
        with suppress(KeyboardInterrupt):
            carry_out(these)
            break
        carry_out(these)
        assert same_throughout(study, tmp_path / "whole")
        assert repeated(study) == []
    assert number > 2 + 1 + 2 * 3


@both_engines
def test_one_run_goes_on_by_the_command_line(train, tmp_path, engine):
    words = [*SHORT, "callbacks=checkpoint", "optim=nesterov", "trainer.precision=64-true"]
    if engine == "stack":
        words = ["-m", *words]
    key = "hydra.sweep.dir" if engine == "stack" else "hydra.run.dir"
    assert train(*words, "trainer.max_epochs=2", f"{key}=study/run").code == 0
    ended = train(*words, "trainer.max_epochs=4", f"{key}=study/run")
    assert (ended.code, ended.err) == (0, "")
    assert "going on with 1 runs" in ended.out
    assert train(*words, "trainer.max_epochs=4", f"{key}=other/run").code == 0
    assert files(tmp_path / "study") == files(tmp_path / "other")
    assert results(tmp_path / "study") == results(tmp_path / "other")


def test_workers_go_on_too(tmp_path):
    words = [*SHORT, "callbacks=checkpoint", "optim=sgd,adam", "seed=0,1"]
    for folder, max_epochs in (("study", 2), ("whole", 4)):
        carry_out(study_runs([*words, f"trainer.max_epochs={max_epochs}"], tmp_path / folder), max_members=2)
    command = ["-m", *words, "trainer.max_epochs=4", "hydra.sweep.dir=study", "hydra.launcher.workers=2"]
    (ended,) = WITH_TORCH.run(Command(command, str(tmp_path), before="forked_workers"))
    assert (ended.code, ended.err) == (0, "")
    assert same_throughout(tmp_path / "study", tmp_path / "whole")
    assert repeated(tmp_path / "study") == []


def test_a_study_goes_on_from_python(tmp_path):
    words = {"optim.lr": [0.1, 0.2], "data": "digits", "logger": "none", "trainer.limit_train_batches": 5}
    for max_epochs in (2, 4):
        ms.sweep({**words, "trainer.max_epochs": max_epochs}, folder=tmp_path / "study", progress=False)
    ms.sweep({**words, "trainer.max_epochs": 4}, folder=tmp_path / "other", progress=False)
    assert same_throughout(tmp_path / "study", tmp_path / "other")
    assert repeated(tmp_path / "study") == []
    for max_epochs in (1, 3):
        run = ms.train(
            {**words, "optim.lr": 0.1, "trainer.max_epochs": max_epochs}, folder=tmp_path / "run", progress=False
        )
    assert list(run.history()["epoch"]) == [1, 2, 3]
    with pytest.raises(UserError, match=r"trainer.max_epochs=3, and 2 are fewer"):
        ms.train({**words, "optim.lr": 0.1, "trainer.max_epochs": 2}, folder=tmp_path / "run")


def test_another_engine_goes_on_and_members_may_stand_at_different_epochs(tmp_path):
    words = [*SHORT, "trainer.precision=64-true", "callbacks=checkpoint", "optim=adam", "seed=0,1"]
    first, second = study_runs([*words, "trainer.max_epochs=2"], tmp_path / "study")
    carry_out([first], "lightning")
    second = study_runs([*words, "trainer.max_epochs=3"], tmp_path / "study")[1]
    carry_out([second], "lightning")
    for folder in ("study", "whole"):
        carry_out(study_runs([*words, "trainer.max_epochs=5"], tmp_path / folder), "stack")
    assert repeated(tmp_path / "study") == []
    for run in (first, second):
        history, whole = (pd.read_csv(tmp_path / folder / run.name / "history.csv") for folder in ("study", "whole"))
        np.testing.assert_allclose(history, whole, rtol=1e-9, atol=1e-11)


def test_events_go_on_in_one_file(tmp_path):
    words = [*SHORT[:-1], "callbacks=checkpoint", "logger.images=0", "logger.graph=false"]
    for max_epochs in (2, 4):
        carry_out(study_runs([*words, f"trainer.max_epochs={max_epochs}"], tmp_path))
    (path,) = tmp_path.glob("*/events.out.tfevents.*")
    events = EventAccumulator(str(path)).Reload()
    assert [event.step for event in events.Scalars("loss/train")] == [1, 2, 3, 4]


def test_a_disk_without_room_to_go_on_changes_nothing(tmp_path):
    words = [*SHORT, "model.hidden=[512]", "callbacks=checkpoint", "seed=0,1"]
    carry_out(study_runs([*words, "trainer.max_epochs=1"], tmp_path / "study"))
    before = files(tmp_path / "study")
    longer = study_runs([*words, "trainer.max_epochs=2"], tmp_path / "study")
    with largest_file(2**17):
        ended = carry_out(longer)
        with pytest.raises(NotWritten):
            carry_out(longer[:1])
    assert [(result.status, result.epochs) for result in ended] == [("failed", 0)] * 2
    assert set(table(tmp_path / "study", ended)["status"]) == {"failed"}
    assert files(tmp_path / "study") == before
    assert [result.epochs for result in carry_out(longer)] == [2, 2]


def damage(study, name):
    (path,) = study.glob(f"*/{name}")
    path.write_bytes(bytes(reversed(path.read_bytes())))


REFUSALS = {
    "cosine": (["callbacks=checkpoint", "schedule=cosine"], [], "schedule=cosine spreads over all epochs"),
    "no checkpoint": ([], [], "trained without callbacks=checkpoint, which saves the last.ckpt"),
    "no last": (["callbacks=checkpoint", "callbacks.checkpoint.save_last=false"], [], "which saves the last.ckpt"),
    "fewer": (["callbacks=checkpoint"], ["trainer.max_epochs=1"], "trainer.max_epochs=2, and 1 are fewer"),
    "other": (["callbacks=checkpoint"], ["optim.momentum=0.5"], "holds the result of another configuration"),
    "anew": (["callbacks=checkpoint"], ["resume=false"], "resume=true goes on from there"),
    "last.ckpt": (["callbacks=checkpoint"], [], "checkpoints/last.ckpt is missing or not the file that training wrote"),
    "best.ckpt": (["callbacks=checkpoint"], [], "checkpoints/best.ckpt is missing or not the file that training wrote"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_go_on_says_why_before_anything_starts(tmp_path, case):
    words, others, said = REFUSALS[case]
    words = [*SHORT, "optim=momentum", "seed=0,1", *words]
    carry_out(study_runs([*words, "trainer.max_epochs=2"], tmp_path / "study")[-1:])
    if case.endswith(".ckpt"):
        damage(tmp_path / "study", f"checkpoints/{case}")
    before = files(tmp_path / "study")
    command = ["-m", *words, "trainer.max_epochs=3", *others, "hydra.sweep.dir=study"]
    ended = run_command(*command, cwd=tmp_path, warm=WITHOUT_TORCH)
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert "study/seed=1: " in ended.err
    assert said in ended.err
    assert "torch" not in ended.imported
    assert files(tmp_path / "study") == before
    assert [path.name for path in (tmp_path / "study").iterdir()] == ["seed=1"]


def test_schedules_say_whether_they_span_the_training():
    words = {"step": {"step_epochs": 2, "gamma": 0.5}, "exponential": {"gamma": 0.9}, "warmup": {"warmup_epochs": 3.0}}
    words |= {"cosine": {"final_fraction": 0.1}}
    words |= {"one_cycle": {"start_fraction": 0.1, "rise_fraction": 0.3, "final_fraction": 0.01}}
    for name, kind in SCHEDULES.items():
        short, long = ([kind(**words.get(name, {})).factor(e / 4, num) for e in range(1, 20)] for num in (5, 50))
        assert (short != long) == kind.SPANS_TRAINING, name
