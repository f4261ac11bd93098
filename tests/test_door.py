"""The door from Python: what a notebook types."""

import subprocess
import sys
import types

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

import mlp_study as ms

PUBLIC = {
    "sweep", "train", "open", "Study", "Cell", "Run", "UserError", "RunsFailed",
    "MLP", "dense", "dropout", "batch_norm", "__version__",
}  # fmt: skip
SHORT = {"trainer.limit_train_batches": 20, "logger": "none"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return ms.sweep(
        "optim=sgd,adam", "init=glorot,zeros", "seed=0,1,2", "trainer.max_epochs=5", "data=digits", SHORT,
        folder=tmp_path_factory.mktemp("outputs") / "mine", progress=False,
    )  # fmt: skip


def test_public_names():
    assert set(ms.__all__) == set(dir(ms)) == PUBLIC
    for name in PUBLIC:
        assert not isinstance(getattr(ms, name), types.ModuleType)
    with pytest.raises(AttributeError, match="swep"):
        _ = ms.swep


def test_importing_costs_nothing_that_is_slow():
    code = "import mlp_study, sys; print(sorted({'torch', 'pandas', 'hydra', 'numpy', 'lightning'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_table_is_best_first_and_its_numbers_are_numbers(study):
    table = study.table()
    assert len(table) == len(study) == 12
    assert list(table["best_val_acc"]) == sorted(table["best_val_acc"], reverse=True)
    assert {"optim", "init", "seed", "status", "val_loss", "test_acc"} <= set(table.columns)
    assert pd.api.types.is_integer_dtype(table["seed"])
    assert table["init"].iloc[0] == "glorot"
    assert "<table" in study._repr_html_()


def test_the_table_over_seeds_has_means_deviations_and_numbers_of_runs(study):
    table = study.table(over_seeds=True)
    assert list(table["n"]) == [3, 3, 3, 3]
    assert list(table["best_val_acc"]) == sorted(table["best_val_acc"], reverse=True)
    row = table[(table["optim"] == "adam") & (table["init"] == "glorot")].iloc[0]
    values = [run.metrics()["val_acc"] for run in study if "optim=adam,init=glorot" in run.name]
    assert row["val_acc"] == pytest.approx(np.mean(values))
    assert row["val_acc_std"] == pytest.approx(np.std(values, ddof=1))


def test_a_cell_is_found_by_its_settings(study):
    cell = study.cell(optim="adam", init="glorot")
    assert cell.metric("val_acc").shape == (3,)
    assert cell.curve("train_loss").shape == (5, 3)
    assert [run.config.seed for run in cell.runs] == [0, 1, 2]
    assert len(study.cells()) == 4
    with pytest.raises(ms.UserError, match=r"2 cells with optim=adam; expected one of: optim=adam, init=glorot"):
        study.cell(optim="adam")
    with pytest.raises(ms.UserError, match="0 cells with optim=adma"):
        study.cell(optim="adma")


def test_the_figures_are_those_of_report(study):
    figures = study.plot()
    assert {"curves", "panels_loss", "heat_map_best_val_acc"} <= figures.keys()
    assert all(isinstance(figure, Figure) for figure in figures.values())
    assert figures._repr_html_().count("data:image/png;base64,") == len(figures)


def test_the_best_run_has_its_history_its_network_and_its_predictions(study):
    run = study.best()
    assert isinstance(run, ms.Run)
    assert list(run.history()["epoch"]) == [1, 2, 3, 4, 5]
    assert isinstance(run.model(), torch.nn.Module)
    assert not run.model().training
    images, labels = load_digits(return_X_y=True)
    test = slice(len(images) * 4 // 5, None)
    predicted = run.predict(images[test].reshape(-1, 8, 8))  # raw images, scaled as in training
    assert np.mean(predicted == labels[test]) == pytest.approx(run.metrics()["test_acc"], abs=1e-9)
    assert run.outputs(images[:3]).sum(1) == pytest.approx(1)
    assert not (run.predict(images[test], which="initial") == predicted).all()
    assert "completed" in repr(run)
    for wrong, said in ((images[:, :9], "takes 64 pixels"), (["text"], "expected numbers")):
        with pytest.raises(ms.UserError, match=said):
            run.predict(wrong)
    with pytest.raises(ms.UserError, match=r"best\.ckpt: no such checkpoint"):
        run.model("best")
    with pytest.raises(ms.UserError, match="'first': expected last, best or initial"):
        run.model("first")


def test_opened_again_it_is_the_same_and_trained_again_it_is_passed_over(study):
    again = ms.open(study.folder)
    pd.testing.assert_frame_equal(again.table(), study.table())
    run = ms.open(study.best().folder)
    assert (run.config, run.overrides, run.name) == (study.best().config, study.best().overrides, study.best().name)
    before = {path: path.stat().st_mtime_ns for path in study.folder.rglob("result.json")}
    words = {"optim": ["sgd", "adam"], "init": ["glorot", "zeros"], "seed": range(3), "trainer.max_epochs": 5}
    ms.sweep({**words, "seed": [0, 1, 2], "data": "digits", **SHORT}, folder=study.folder, progress=False)
    assert {path: path.stat().st_mtime_ns for path in study.folder.rglob("result.json")} == before


def test_a_mapping_of_python_values(tmp_path):
    study = ms.sweep(
        {"optim.lr": [0.1, np.float64(0.01)], "model.hidden": [[10], [12, 8]], "model.names": None},
        {"model.dropout": 0.1, "data": "digits", "trainer.max_epochs": 1, "model.batch_norm": False, **SHORT},
        folder=tmp_path, progress=False,
    )  # fmt: skip
    assert {run.config.model.hidden for run in study} == {(10,), (12, 8)}
    assert study.cell({"optim.lr": 0.01, "model.hidden": [12, 8]}).runs[0].config.optim.lr == 0.01


def test_one_run_in_the_command_lines_words(tmp_path, capsys):
    run = ms.train("optim=adam", {"model.hidden": [16, 12], "data": "digits", "trainer.max_epochs": 1}, folder=tmp_path)
    assert run.config.model.hidden == (16, 12)
    assert (run.status, run.name) == ("completed", "optim=adam,model.hidden=[16,12],data=digits,trainer.max_epochs=1")
    assert "epoch 1/1" in capsys.readouterr().out
    assert run.model().in_size == 64


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optim=sgd,adan"], "optim=adan: unknown option 'adan'. Did you mean adam?"),
        (["optim.lr=fast"], "optim.lr='fast': expected a number > 0"),
        (["optim.learning_rate=1"], "unknown setting 'learning_rate'"),
        (["optim=[sgd"], "cannot read 'optim=\\[sgd'"),
        ([{"optim.lr": []}], "optim.lr=\\[\\]: no value to go through"),
        ([{"optim.lr": {0.1}}], "expected a number, a text"),
        ([3], "3: expected a text such as 'optim=sgd,adam'"),
        (["seed=0,1", "hydra.sweep.subdir=same"], "several runs would share it"),
        (["data=kaggle", "data.train_csv=nowhere.csv"], "nowhere.csv: no such file"),
    ],
)
def test_a_wrong_word_is_the_command_lines_message(tmp_path, words, said):
    with pytest.raises(ms.UserError, match=said):
        ms.sweep(*words, folder=tmp_path / "study")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("folder", ["", "a\0b"])
def test_a_folder_that_is_none(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for do in (ms.sweep, ms.train):
        with pytest.raises(ms.UserError, match="expected a directory"):
            do("data=digits", folder=folder)
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_is_no_run_and_a_folder_without_runs_no_study(tmp_path):
    with pytest.raises(ms.UserError, match="seed=0,1: several values"):
        ms.train("seed=0,1", folder=tmp_path)
    with pytest.raises(ms.UserError, match="not a study"):
        ms.open(tmp_path)


def test_failures_are_told_and_the_study_is_there(tmp_path):
    words = ["init=constant", "init.value=0.1,1e39", "data=digits", "trainer.max_epochs=1", SHORT]
    with pytest.warns(UserWarning, match="1 of 2 runs failed: init.value=1e.39: RuntimeError"):
        study = ms.sweep(*words, folder=tmp_path / "study", progress=False)
    assert list(study.table()["status"]) == ["completed", "failed"]
    with pytest.raises(ms.RunsFailed, match="overflow"):
        ms.train("init=constant", "init.value=1e39", "data=digits", folder=tmp_path / "run", progress=False)


def test_hydra_is_left_as_it_was_found(tmp_path):
    from hydra.core.global_hydra import GlobalHydra

    before = GlobalHydra.instance().hydra
    ms.train("data=digits", {"trainer.max_epochs": 1, **SHORT}, folder=tmp_path, progress=False)
    assert GlobalHydra.instance().hydra is before
