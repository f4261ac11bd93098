"""What is not ours is not touched, and what would be read wrongly is refused: before anything starts."""

import copy
import os

import numpy as np
import pandas as pd
import pytest
from conftest import WITHOUT_TORCH, run_command

from mlp_study.data import kaggle
from mlp_study.engines import checkpoint
from mlp_study.engines.lit import LitMLP
from mlp_study.errors import UserError
from mlp_study.execution.carry_out import carry_out
from mlp_study.sweeps.words import single_run, study_runs

QUICK = ["data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "logger=none"]


def tree(folder):
    """Every file below `folder`, with what it holds and when it was written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.read_bytes(), os.stat(path).st_mtime_ns) for path in files}


@pytest.mark.parametrize(
    "name", ["checkpoints/thesis.ckpt", "history.csv", "events.out.tfevents.1.host", "result.json"]
)
@pytest.mark.parametrize("engine", ["lightning", "stack"])
def test_a_directory_that_is_somebody_elses_is_refused(tmp_path, name, engine):
    path = tmp_path / "own" / name
    path.parent.mkdir(parents=True)
    path.write_text("years of work")
    with pytest.raises(UserError, match=rf"own: holds {name.split('/')[0]} and no config\.yaml: not a run's directory"):
        carry_out([single_run(QUICK, tmp_path / "own")], engine)
    assert path.read_text() == "years of work"


def test_the_command_line_leaves_somebody_elses_directory_as_it_is(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "history.csv").write_text("years of work")
    (tmp_path / "study" / "seed=1").mkdir(parents=True)
    (tmp_path / "study" / "seed=1" / "history.csv").write_text("years of work")
    before = tree(tmp_path)
    for words in (["hydra.run.dir=own"], ["-m", "seed=0,1", "hydra.sweep.dir=study"]):
        done = run_command(*words, *QUICK, cwd=tmp_path, warm=WITHOUT_TORCH)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert "holds history.csv and no config.yaml" in done.err
    assert tree(tmp_path) == before


def test_a_run_that_was_interrupted_is_ours(tmp_path):
    run = single_run(QUICK, tmp_path / "run")
    carry_out([run], "lightning")
    (run.folder / "result.json").unlink()
    assert carry_out([run], "lightning")[0].status == "completed"


@pytest.mark.parametrize("launcher", ["stacked", "basic"])
def test_other_words_for_a_finished_run_or_sweep_change_none_of_its_files(tmp_path, launcher):
    single, sweep = ["hydra.run.dir=run"], ["-m", "seed=0,1", "hydra.sweep.dir=study", f"hydra/launcher={launcher}"]
    for words in (single, sweep):
        assert run_command(*words, *QUICK, cwd=tmp_path).code == 0
    before = tree(tmp_path)
    for words in (single, sweep):
        done = run_command(*words, *QUICK, "optim.lr=0.3", cwd=tmp_path, warm=WITHOUT_TORCH)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert "holds the result of another configuration" in done.err
    assert tree(tmp_path) == before


@pytest.mark.parametrize("words", [["optim=[sgd,adam]"], ["-m", "seed=0,1", "optim=[sgd, adam]"]])
def test_a_list_of_options_where_one_is_to_be_chosen(tmp_path, words):
    done = run_command(*words, *QUICK, cwd=tmp_path, warm=WITHOUT_TORCH)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert not list(tmp_path.iterdir())
    assert "one option of optim is to be chosen; to try each: -m optim=sgd,adam" in done.err
    with pytest.raises(UserError, match="-m optim=sgd,adam"):
        study_runs(["optim=[sgd,adam]"])
    assert study_runs(["callbacks=[early_stopping,checkpoint]", "model.hidden=[8,8]"])


@pytest.mark.parametrize("name", ["/tmp/elsewhere", "../../elsewhere", "a/b", ""])
def test_a_checkpoint_whose_layers_are_called_like_files_elsewhere_is_damaged(tmp_path, name):
    module = LitMLP(
        {"in_size": 3, "hidden": [2], "out_size": 2, "names": ["first", "last"]}, {"name": "sgd", "lr": 0.1}
    )
    content = checkpoint.content(module, {"state": {}, "param_groups": []}, None, 1, 1, {})
    checkpoint.save(tmp_path / "last.ckpt", content)
    assert checkpoint.load(tmp_path / "last.ckpt", copy.deepcopy(module)).mlp.names == ["first", "last"]
    content["hyper_parameters"] = copy.deepcopy(content["hyper_parameters"])
    content["hyper_parameters"]["mlp"]["names"] = [name, "last"]
    checkpoint.save(tmp_path / "last.ckpt", content)
    with pytest.raises(UserError, match=r"last\.ckpt: of another run, or damaged: its settings"):
        checkpoint.load(tmp_path / "last.ckpt", module)


def test_a_csv_whose_rows_are_longer_than_its_header_is_refused(tmp_path):
    header = ["label", *kaggle.PIXELS]
    rows = np.random.default_rng(0).integers(0, 10, (20, 786)).astype(str)
    lines = [",".join(header), *(",".join(row) for row in rows)]
    (tmp_path / "train.csv").write_text("\n".join(lines))
    with pytest.raises(UserError, match=r"train\.csv: its rows have more fields than its header"):
        kaggle.read(tmp_path / "train.csv", labelled=True)
    pd.read_csv(tmp_path / "train.csv")  # what pandas itself accepts, every column one to the left


def test_fashion_mnist_says_how_it_is_had(tmp_path):
    done = run_command("data=fashion_mnist", cwd=tmp_path, warm=WITHOUT_TORCH)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "datasets" in done.err
    (tmp_path / "datasets").mkdir()
    done = run_command("data=fashion_mnist", cwd=tmp_path, warm=WITHOUT_TORCH)
    assert "data.download=true fetches FashionMNIST into it" in done.err
