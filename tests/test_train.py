"""One run and a grid through the command line, and the records they leave."""

import json
import math
import os
import signal
import time

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import WITH_TORCH
from mnist_part import idx_folder
from warm import Command

QUICK = "experiment=quick"


def result(folder):
    return json.loads((folder / "result.json").read_text())


def history(folder):
    return pd.read_csv(folder / "history.csv")


def test_one_run_leaves_a_whole_record(train, tmp_path):
    outcome = train(QUICK, "hydra.run.dir=run", "callbacks=checkpoint", "optim=adam", "optim.lr=0.01")
    assert outcome.code == 0, outcome.err
    run = tmp_path / "run"
    assert "epoch 5/5" in outcome.out
    assert "Total params: 7,510" in outcome.out
    record = result(run)
    assert record["status"] == "completed"
    assert record["epochs"] == 5
    assert record["num_parameters"] == 64 * 100 + 100 + 1010
    assert record["overrides"] == [QUICK, "callbacks=checkpoint", "optim=adam", "optim.lr=0.01"]
    assert record["metrics"]["test_acc"] > 0.85
    assert {"seconds", "train_seconds", "images_per_second"} <= record["timings"].keys()
    assert {"torch", "lightning", "python", "mlp_study"} <= record["versions"].keys()
    rows = history(run)
    assert list(rows["epoch"]) == [1, 2, 3, 4, 5]
    assert rows["train_loss"].is_monotonic_decreasing
    assert (rows["grad_norm/dense_1"] > 0).all()
    assert record["metrics"]["best_val_loss"] == rows["val_loss"].min()
    assert record["metrics"]["val_acc"] == rows["val_acc"].iloc[-1]
    assert yaml.safe_load((run / "config.yaml").read_text())["optim"]["lr"] == 0.01
    assert (run / "summary.txt").read_text().count("Dense") == 2
    assert not list(run.glob(".*.tmp"))


def test_same_seed_same_bytes_another_seed_another_history(train, tmp_path):
    settings = [QUICK, "trainer.max_epochs=2", "model.dropout=0.3", "logger=none"]
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert train(*settings, f"seed={seed}", f"hydra.run.dir={name}").code == 0
    a, b, c = ((tmp_path / name / "history.csv").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_what_only_changes_the_speed_changes_no_number(train, tmp_path):
    for steps in (1, 7, 50):
        assert (
            train(QUICK, "logger=none", f"trainer.steps_per_execution={steps}", f"hydra.run.dir=run{steps}").code == 0
        )
    one, seven, fifty = ((tmp_path / f"run{steps}" / "history.csv").read_bytes() for steps in (1, 7, 50))
    assert one == seven == fifty


def test_checkpoint_opens_without_executing_anything_and_predicts_as_tested(train, tmp_path):
    from mlp_study.config.sections import Digits
    from mlp_study.data import sources
    from mlp_study.data.scaling import Scaler
    from mlp_study.engines.lit import LitMLP

    assert train(QUICK, "hydra.run.dir=run", "callbacks=checkpoint", "logger=none").code == 0
    folder = tmp_path / "run"
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["epoch"] == 4
    assert content["global_step"] == 5 * math.ceil(1293 / 32)
    module = LitMLP.load_from_checkpoint(folder / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")
    raw = sources.load(Digits())
    images = torch.from_numpy(Scaler.load(folder / "scaler.npz").transform(raw.test_images))
    with torch.no_grad():
        predicted = module.eval()(images).argmax(1).numpy()
    assert np.mean(predicted == raw.test_labels) == pytest.approx(result(folder)["metrics"]["test_acc"], abs=1e-7)


def test_early_stopping_is_recorded_with_its_reason(train, tmp_path):
    outcome = train(
        QUICK, "callbacks=early_stopping", "callbacks.early_stopping.patience=1", "init=zeros", "optim.lr=1e-9",
        "callbacks.early_stopping.min_delta=0.1", "trainer.max_epochs=9", "hydra.run.dir=run", "logger=none",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    record = result(tmp_path / "run")
    assert record["status"] == "stopped"
    assert "val_loss" in record["reason"]
    assert record["epochs"] == len(history(tmp_path / "run")) == 2


@pytest.mark.parametrize(
    "settings",
    [
        ["optim.lr=1e30", "model.activation=relu", "model.hidden=[50,50]"],  # not a number
        ["optim.lr=1e6"],  # tanh is bounded: absurd, but finite
    ],
)
def test_divergence_is_a_result_not_an_error(train, tmp_path, settings):
    outcome = train(QUICK, *settings, "hydra.run.dir=run")
    assert outcome.code == 0, outcome.err
    record = result(tmp_path / "run")
    assert record["status"] == "diverged"
    assert "training loss" in record["reason"]
    assert record["epochs"] == len(history(tmp_path / "run")) < 5


def test_float64_schedules_clipping_and_every_loss_run(train, tmp_path):
    outcome = train(
        "-m", QUICK, "trainer.max_epochs=2", "trainer.precision=64-true", "loss=cross_entropy,binary_cross_entropy,mse",
        "schedule=cosine", "trainer.gradient_clip_val=1.0", "hydra.sweep.dir=study", "logger=none",
        "model.batch_norm=true", "model.dropout=0.1", "model.input_dropout=0.05", "model.l2=0.001",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    for run in (tmp_path / "study").glob("loss=*"):
        assert result(run)["status"] == "completed"
        rows = history(run)
        assert rows["train_loss"].iloc[1] < rows["train_loss"].iloc[0]
        assert rows["lr"].iloc[1] < rows["lr"].iloc[0] < 0.1


def test_summary_of_the_documents(train, tmp_path):
    debug = ["trainer=debug", "logger=none", f"data.root={idx_folder(tmp_path / 'mnist', num_train=200)}"]
    small = train(*debug, "model.hidden=[100]", "model.activation=tanh").out
    assert all(count in small for count in ("78,500", "1,010", "79,510"))
    large = train(*debug, "model.hidden=[512,512]", "model.activation=relu", "model.dropout=0.2").out
    assert all(count in large for count in ("401,920", "262,656", "5,130", "669,706"))


def test_grid_has_a_table_best_first(grid):
    printed = (grid / "printed.txt").read_text()
    assert "4 runs, best first" in printed
    table = pd.read_csv(grid / "study.csv")
    assert set(zip(table["optim"], table["init"], strict=True)) == {
        (optim, init) for optim in ("sgd", "adam") for init in ("glorot", "zeros")
    }
    assert list(table["best_val_acc"]) == sorted(table["best_val_acc"], reverse=True)
    assert table["init"].iloc[0] == "glorot"
    assert (table["parameters"] == 7510).all()
    assert {"status", "val_loss", "val_acc", "best_val_loss", "test_acc", "seconds"} <= set(table.columns)
    assert sorted(path.name for path in grid.iterdir() if path.is_dir()) == sorted(table["run"])
    assert "optim=sgd,init=glorot" in set(table["run"])


def test_zero_weights_stay_at_chance_and_glorot_learns(grid):
    for optim in ("sgd", "adam"):
        assert history(grid / f"optim={optim},init=zeros")["train_loss"].sub(math.log(10)).abs().max() < 0.02
        assert history(grid / f"optim={optim},init=glorot")["train_loss"].iloc[-1] < 0.2


def test_a_run_alone_equals_the_same_run_in_a_grid(train, tmp_path, grid):
    assert train("optim=adam", "init=glorot", QUICK, "hydra.run.dir=run").code == 0
    alone, in_grid = history(tmp_path / "run"), history(grid / "optim=adam,init=glorot")
    assert list(alone.columns) == list(in_grid.columns)
    pd.testing.assert_frame_equal(alone, in_grid, rtol=1e-3, atol=1e-5)


def test_a_finished_grid_is_not_trained_again_and_a_larger_one_is_completed(train, tmp_path):
    settings = ["-m", QUICK, "trainer.max_epochs=1", "logger=none", "hydra.sweep.dir=study"]
    assert train(*settings, "seed=0,1").code == 0
    before = {seed: (tmp_path / f"study/seed={seed}/result.json").stat().st_mtime_ns for seed in (0, 1)}
    outcome = train(*settings, "seed=0,1,2")
    assert outcome.code == 0, outcome.err
    after = {seed: (tmp_path / f"study/seed={seed}/result.json").stat().st_mtime_ns for seed in (0, 1)}
    assert before == after
    assert len(pd.read_csv(tmp_path / "study" / "study.csv")) == 3
    other = train(*settings, "seed=0,1", "optim.lr=0.3")
    assert other.code == 2
    assert "another configuration" in other.err
    assert result(tmp_path / "study" / "seed=0")["overrides"] == [
        QUICK,
        "trainer.max_epochs=1",
        "logger=none",
        "seed=0",
    ]


def test_a_failing_run_is_recorded_and_the_others_go_on(tmp_path):
    arguments = ["-m", "seed=0,1,2", QUICK, "trainer.max_epochs=1", "logger=none", "hydra.sweep.dir=study"]
    arguments.append("hydra/launcher=basic")
    (done,) = WITH_TORCH.run(Command(arguments, str(tmp_path), before="broken_networks"))
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "1 of 3 runs failed" in done.err
    assert "no network today" in done.err
    record = result(tmp_path / "study" / "seed=1")
    assert record["status"] == "failed"
    assert record["reason"] == "RuntimeError: no network today"
    assert "Traceback" in (tmp_path / "study" / "seed=1" / "train.log").read_text()
    table = pd.read_csv(tmp_path / "study" / "study.csv")
    assert list(table["status"]) == ["completed", "completed", "failed"]


def test_two_sweeps_in_one_second_and_one_directory_for_two(tmp_path):
    arguments = ["-m", "seed=0,1", QUICK, "trainer.max_epochs=1", "logger=none"]
    both = WITH_TORCH.run(*2 * [Command(arguments, str(tmp_path))])
    assert [outcome.code for outcome in both] == [0, 0]
    assert len(list(tmp_path.glob("outputs/*/*-study/study.csv"))) == 2
    shared = WITH_TORCH.run(*2 * [Command([*arguments, "hydra.sweep.dir=one"], str(tmp_path))])
    codes = sorted(outcome.code for outcome in shared)
    assert codes in ([0, 2], [0, 0])  # refused while the other writes; or, started late, found complete
    if codes == [0, 2]:
        assert any("another process" in outcome.err for outcome in shared)


def test_a_killed_run_leaves_no_result_and_is_trained_anew(train, tmp_path):
    arguments = [QUICK, "trainer.max_epochs=3000", "hydra.run.dir=run", "logger=none"]
    process = WITH_TORCH.start(Command(arguments, str(tmp_path)))
    written = tmp_path / "run" / "history.csv"
    deadline = time.time() + 60
    while not (written.exists() and len(written.read_text().splitlines()) > 3) and time.time() < deadline:
        time.sleep(0.05)
    os.kill(process, signal.SIGKILL)
    assert WITH_TORCH.wait(process).code == -signal.SIGKILL
    rows = pd.read_csv(written)
    assert list(rows["epoch"]) == list(range(1, len(rows) + 1))
    assert not (tmp_path / "run" / "result.json").exists()
    assert train(QUICK, "trainer.max_epochs=2", "hydra.run.dir=run", "logger=none").code == 0
    assert len(history(tmp_path / "run")) == 2


def test_interrupt_ends_cleanly(tmp_path):
    arguments = [QUICK, "trainer.max_epochs=3000", "hydra.run.dir=run", "logger=none"]
    process = WITH_TORCH.start(Command(arguments, str(tmp_path)))
    written = tmp_path / "run" / "history.csv"
    deadline = time.time() + 60
    while not written.exists() and time.time() < deadline:
        time.sleep(0.05)
    os.kill(process, signal.SIGINT)
    ended = WITH_TORCH.wait(process)
    assert ended.code == 130
    assert "interrupted" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda(train, tmp_path):
    assert train(QUICK, "trainer=cuda", "hydra.run.dir=run").code == 0
    assert result(tmp_path / "run")["device"].startswith("cuda")
