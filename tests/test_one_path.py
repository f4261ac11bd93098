"""Carrying out runs: what it promises, on both engines."""

import fcntl
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from mlp_study.engines.attempt import Attempt
from mlp_study.engines.lit import LitMLP
from mlp_study.engines.stack.trainer import StackTrainer
from mlp_study.engines.writer import RunWriter
from mlp_study.errors import UserError
from mlp_study.execution.carry_out import carry_out
from mlp_study.runs.listener import Listener
from mlp_study.sweeps.words import single_run, study_runs

DIGITS = ["data=digits", "logger=none", "trainer.limit_train_batches=4", "trainer.max_epochs=4", "model.hidden=[8]"]
both_engines = pytest.mark.parametrize("engine", ["lightning", "stack"])


def sweep(folder, *words):
    return study_runs([*DIGITS, *words], folder)


def histories(runs):
    return {
        run.name: (run.folder / "history.csv").read_bytes() for run in runs if (run.folder / "history.csv").is_file()
    }


class AtEpoch(Listener):
    """Does something to a run when it has finished an epoch."""

    def __init__(self, name, epoch, act):
        self.name, self.left, self.act = name, epoch, act
        self.ended_runs, self.epochs = [], 0.0

    def epoch(self, name, row):
        if name == self.name:
            self.left -= 1
            if self.left == 0:
                self.act()

    def advanced(self, num_epochs, num_images):
        self.epochs += num_epochs

    def ended(self, name, result):
        self.ended_runs.append((name, result.status))


@both_engines
def test_what_is_complete_is_passed_over(tmp_path, engine):
    runs = sweep(tmp_path, "seed=0,1")
    first = carry_out(runs[:1], engine)
    listener = AtEpoch("seed=0", 1, lambda: pytest.fail("trained again"))
    results = carry_out(runs, engine, listener)
    assert results[0] == first[0] == runs[0].result()
    assert listener.ended_runs == [("seed=1", "completed")]
    assert [result.status for result in results] == ["completed", "completed"]


@both_engines
def test_another_configuration_is_refused_before_anything_is_trained(tmp_path, engine):
    carry_out(sweep(tmp_path, "seed=1,2")[:1], engine)
    with pytest.raises(UserError, match="another configuration"):
        carry_out(sweep(tmp_path, "seed=0,1", "optim.lr=0.3"), engine)
    assert not (tmp_path / "seed=0").exists()


@both_engines
def test_an_unknown_engine_is_refused_with_the_known_ones(tmp_path, engine):
    with pytest.raises(UserError, match=f"'{engine}s'.*lightning, stack"):
        carry_out(sweep(tmp_path, "seed=0"), f"{engine}s") if engine == "stack" else carry_out([], "lightnings")


@both_engines
def test_a_directory_that_another_process_holds_fails_alone(tmp_path, engine):
    runs = sweep(tmp_path, "seed=0,1")
    runs[0].folder.mkdir()
    with (runs[0].folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held, free = carry_out(runs, engine)
        with pytest.raises(UserError, match="another process is writing there"):
            carry_out(runs[:1], engine)
    assert (held.status, free.status) == ("failed", "completed")
    assert "another process" in held.reason
    assert [path.name for path in runs[0].folder.iterdir()] == [".lock"]  # nothing of ours in there


@both_engines
def test_a_directory_that_can_no_longer_be_written_fails_alone_and_says_how_far_it_came(tmp_path, engine):
    words = ["seed=0,1,2", "callbacks=checkpoint"]
    undisturbed = sweep(tmp_path / "whole", *words)
    carry_out(undisturbed, engine)
    runs = sweep(tmp_path / "broken", *words)

    def spoil():
        path = runs[1].folder / "history.csv"
        path.rename(path.with_name("two_epochs.csv"))
        path.mkdir()

    listener = AtEpoch("seed=1", 2, spoil)
    results = carry_out(runs, engine, listener)
    assert [result.status for result in results] == ["completed", "failed", "completed"]
    failed = json.loads((runs[1].folder / "result.json").read_text())
    assert failed == results[1].as_dict()
    assert failed["reason"] == f"{runs[1].folder}/history.csv: Is a directory"
    rows = pd.read_csv(runs[1].folder / "two_epochs.csv")
    assert failed["epochs"] == len(rows) == 2
    assert failed["device"] == "cpu"
    assert failed["num_parameters"] == results[0].num_parameters
    assert failed["metrics"]["val_acc"] == rows["val_acc"].iloc[-1]
    assert failed["metrics"]["best_val_loss"] == rows["val_loss"].min()
    assert failed["timings"]["train_seconds"] > 0
    assert "Traceback" in (runs[1].folder / "train.log").read_text()
    whole, broken = histories(undisturbed), histories(runs)
    assert {name: broken[name] for name in ("seed=0", "seed=2")} == {name: whole[name] for name in ("seed=0", "seed=2")}
    assert listener.epochs == pytest.approx(12, abs=1.1)  # what it did not train any more counts as done


@both_engines
def test_a_directory_that_vanishes_is_a_failure_of_its_run_alone(tmp_path, engine):
    runs = sweep(tmp_path, "seed=0,1")
    results = carry_out(runs, engine, AtEpoch("seed=0", 1, lambda: shutil.rmtree(runs[0].folder)))
    assert [result.status for result in results] == ["failed", "completed"]
    assert results[0].reason == f"{runs[0].folder}/history.csv: No such file or directory"
    assert results[0].epochs == 1


@both_engines
def test_an_exception_in_the_middle_is_the_failure_of_its_run_alone_with_its_epochs(tmp_path, engine, monkeypatch):
    plain = RunWriter.epoch

    def broken(self, row, histograms):
        if self.run.name == "seed=1" and len(self.record.history) == 1:
            raise UserError("no more epochs")
        return plain(self, row, histograms)

    monkeypatch.setattr(RunWriter, "epoch", broken)
    results = carry_out(sweep(tmp_path, "seed=0,1,2"), engine)
    assert [result.status for result in results] == ["completed", "failed", "completed"]
    assert (results[1].reason, results[1].epochs) == ("no more epochs", 1)
    assert results[1].metrics.keys() == results[0].metrics.keys() - {"test_loss", "test_acc"}


@both_engines
def test_a_checkpoint_that_cannot_be_written_fails_its_run_alone(tmp_path, engine):
    runs = sweep(tmp_path, "seed=0,1", "callbacks=checkpoint")
    spoil = AtEpoch("seed=0", 1, lambda: (runs[0].folder / "checkpoints").write_text("no directory"))
    results = carry_out(runs, engine, spoil)
    assert [result.status for result in results] == ["failed", "completed"]
    assert not list(tmp_path.rglob(".*"))  # no lock, no half-written file


@both_engines
def test_a_network_that_cannot_be_initialized_fails_alone(tmp_path, engine):
    results = carry_out(sweep(tmp_path, "init=constant", "init.value=0.1,1e39"), engine)
    assert [result.status for result in results] == ["completed", "failed"]
    assert "overflow" in results[1].reason
    assert results[1].epochs == 0


@both_engines
def test_data_that_cannot_be_had_fail_all_runs_once(tmp_path, engine):
    np.savez(tmp_path / "mine.npz", X=np.eye(20), y=np.arange(20) % 2)
    runs = sweep(tmp_path / "study", "data=arrays", f"data.file={tmp_path}/mine.npz", "data.batch_size=4", "seed=0,1")
    (tmp_path / "mine.npz").unlink()
    results = carry_out(runs, engine)
    assert [result.status for result in results] == ["failed", "failed"]
    assert all("mine.npz: no such file" in run.result().reason for run in runs)


def test_a_stack_that_fails_is_tried_in_smaller_ones_until_the_run_that_fails_is_alone(tmp_path, monkeypatch):
    words = ["seed=0,1,2,3,4,5,6"]
    undisturbed = sweep(tmp_path / "whole", *words)
    carry_out(undisturbed, "stack")
    plain, sizes = StackTrainer.train_epoch, []

    def broken(self):
        if self.members[0].writer.record.history == []:
            sizes.append(len(self.members))
        if any(m.run.name == "seed=5" for m in self.members) and len(self.members[0].writer.record.history) == 1:
            raise RuntimeError("CUDA out of memory")
        return plain(self)

    monkeypatch.setattr(StackTrainer, "train_epoch", broken)
    listener = AtEpoch("", 0, None)
    results = carry_out(sweep(tmp_path / "broken", *words), "stack", listener)
    assert [result.status for result in results] == ["completed"] * 5 + ["failed", "completed"]
    assert (results[5].reason, results[5].epochs) == ("RuntimeError: CUDA out of memory", 1)
    assert sizes == [7, 3, 4, 2, 2, 1, 1]
    whole, broken_ones = histories(undisturbed), histories(sweep(tmp_path / "broken", *words))
    del whole["seed=5"], broken_ones["seed=5"]
    assert broken_ones == whole
    assert len(listener.ended_runs) == 7
    assert listener.epochs == pytest.approx(28, abs=1.1)


def test_the_lightning_engine_records_what_goes_wrong_in_the_network_itself(tmp_path, monkeypatch):
    plain = LitMLP.training_step

    def broken(self, batch, batch_idx):
        if self.num_steps == 8 and self.mlp.seed == 1:
            raise RuntimeError("CUDA out of memory")
        return plain(self, batch, batch_idx)

    monkeypatch.setattr(LitMLP, "training_step", broken)
    results = carry_out(sweep(tmp_path, "seed=0,1,2"), "lightning")
    assert [result.status for result in results] == ["completed", "failed", "completed"]
    assert (results[1].reason, results[1].epochs) == ("RuntimeError: CUDA out of memory", 2)


@both_engines
def test_an_interrupt_goes_through_and_leaves_no_result(tmp_path, engine):
    def interrupt():
        raise KeyboardInterrupt

    runs = sweep(tmp_path, "seed=0,1", "logger=tensorboard", "logger.histograms=false")
    with pytest.raises(KeyboardInterrupt):
        carry_out(runs, engine, AtEpoch("seed=0", 2, interrupt))
    assert runs[0].result() is None
    assert len(pd.read_csv(runs[0].folder / "history.csv")) == 2
    assert not list(tmp_path.rglob(".lock"))
    results = carry_out(runs, engine)
    assert [result.epochs for result in results] == [4, 4]


def test_early_stopping_and_the_best_network_are_the_same_on_both_engines(tmp_path):
    words = [
        "callbacks=[early_stopping,checkpoint]", "callbacks.early_stopping.patience=2", "seed=0,1,2,3",
        "callbacks.early_stopping.monitor=val_acc", "callbacks.checkpoint.monitor=val_acc", "optim.lr=1.0",
        "trainer.max_epochs=15", "trainer.limit_train_batches=2", "data.batch_size=8", "trainer.precision=64-true",
    ]  # fmt: skip
    import torch

    found = {}
    for engine in ("lightning", "stack"):
        runs = sweep(tmp_path / engine, *words)
        results = carry_out(runs, engine)
        for run, result in zip(runs, results, strict=True):
            rows = pd.read_csv(run.folder / "history.csv")
            best = torch.load(run.folder / "checkpoints" / "best.ckpt", weights_only=True)
            last = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)
            assert best["epoch"] == rows["val_acc"].idxmax()  # the first of the highest
            assert last["epoch"] == len(rows) - 1
            # It stopped when the highest accuracy was two epochs old, and not before.
            stops = [i for i in range(len(rows)) if i - int(np.argmax(rows["val_acc"].iloc[: i + 1])) >= 2]
            assert result.status == ("stopped" if stops else "completed")
            assert len(rows) == (stops[0] + 1 if stops else 15)
            reason = "early stopping: val_acc did not improve in 2 epochs"
            assert result.reason == (reason if stops else "")
            found.setdefault(run.name, []).append((result.status, len(rows), best["epoch"]))
    assert all(one == other for one, other in found.values())
    assert "stopped" in {status for (status, _, _), _ in found.values()}


def test_without_a_listener_and_runs_nothing_happens():
    assert carry_out([]) == []


def test_an_attempt_that_has_failed_says_so_once(tmp_path):
    listener = AtEpoch("", 0, None)
    attempt = Attempt(single_run([*DIGITS], tmp_path), listener)
    attempt.fail(RuntimeError("first line\nsecond line"))
    assert attempt.result.reason == "RuntimeError: first line"
    assert listener.ended_runs == [(attempt.run.name, "failed")]
