"""Cures: what is tried, at what cost, and what becomes of it where things go wrong."""

import os
import re
import signal

import numpy as np
import pytest
from conftest import WITH_TORCH, WITHOUT_TORCH, run_command
from warm import Command, wait_for

from mlp_study.diagnosis.patient import Patient
from mlp_study.diagnosis.verdict import diagnose
from mlp_study.execution.carry_out import carry_out
from mlp_study.execution.curing import Curing
from mlp_study.sweeps.spelled_out import spelled_out
from mlp_study.sweeps.words import single_run, study_runs


@pytest.mark.long
def test_interrupted_in_the_middle_of_the_cures_the_same_command_goes_on(tmp_path):
    words = ["data=digits", "model.hidden=[8]", "optim.lr=1e-5", "trainer.max_epochs=400", "logger=none"]
    (run,) = study_runs([*words, "trainer.limit_train_batches=3", "data.batch_size=128"], tmp_path / "study")
    carry_out([run])
    process = WITH_TORCH.start(Command([str(run.folder), "--cure"], str(tmp_path), "mlp_study.diagnose"))
    wait_for(run.folder / "cures" / "optim.lr=0.0001,seed=0" / "history.csv")
    os.kill(process, signal.SIGINT)
    ended = WITH_TORCH.wait(process)
    assert (ended.code, ended.err.splitlines()[-1]) == (130, "mlp_study: error: interrupted")
    assert not (run.folder / "diagnosis.json").exists()
    assert not list(run.folder.rglob(".lock"))
    assert run_command(str(run.folder), cwd=tmp_path, module="mlp_study.diagnose").code == 0  # and it is still a run
    process = WITH_TORCH.start(Command([str(run.folder), "--cure"], str(tmp_path), "mlp_study.diagnose"))
    ended = WITH_TORCH.wait(process)
    assert ended.code == 0, ended.err
    assert "going on after epoch" in (run.folder / "cures" / "optim.lr=0.0001,seed=0" / "train.log").read_text()
    assert "cure: optim.lr" in ended.out


def test_where_the_unchanged_run_is_a_lottery_eight_seeds_are_drawn(tmp_path):
    words = ["data=digits", "trainer.max_epochs=12", "model.activation=relu", "init=he_normal", "logger=none"]
    also = ["model.hidden=[16,16,16,16,16,16]", "optim=adam", "optim.lr=0.03", "seed=range(12)"]
    runs = study_runs([*words, *also], tmp_path)
    carry_out(runs)
    is_well = [diagnose(run.folder).is_healthy for run in runs]
    first = next(i for i, well in enumerate(is_well) if not well and any(is_well[i + 1 : i + 3]))
    curing = Curing(Patient.read(runs[first].folder), budget=3)
    cured = curing.carry_out()
    plain = next(one for one in cured if not one.cure.words)
    assert len(plain.accuracies.values) == 8
    found = sum(diagnose(path).is_healthy for path in curing.home.glob("unchanged,*"))
    assert plain.note.startswith(f"{found} of 8 healthy")
    for one in cured:
        if one.works:
            assert len(one.accuracies.values) == 8
            assert one.note == "8 of 8 healthy"
            assert found <= 5
    assert cured[0].works == (cured[0] is not plain) or found > 5


def test_cures_of_an_experiments_run_are_free_of_its_numbers(tmp_path):
    words = ["experiment=keras_intro/small_normal", "data=digits", "trainer.max_epochs=4", "logger=none"]
    runs = study_runs([*words, "optim.lr=10"], tmp_path)
    carry_out(runs)
    run = next(run for run in runs if run.config.seed == 0)
    curing = Curing(Patient.read(run.folder), budget=4)
    assert any("init=glorot" in cure.words or "init=he_normal" in cure.words for cure in curing.cures)
    for one in curing.runs:
        assert one.config.init.name != "normal" or one.config.init.std == 0.01
        assert one.config.model.hidden == (100, 10) or any("hidden" in word for word in one.overrides)
    unchanged = spelled_out(run.config)
    again = single_run([*unchanged, "seed=0", "logger=none"]).config
    assert again == run.config


def test_what_makes_no_network_with_the_other_settings_is_no_candidate(tmp_path):
    words = ["data=digits", "model.hidden=[2,2,2,2,2,2,2]", "model.names=[a,b,c,d,e,f,g,out]", "trainer.max_epochs=2"]
    (run,) = study_runs([*words, "logger=none"], tmp_path)
    carry_out([run])
    curing = Curing(Patient.read(run.folder))
    assert curing.cures
    assert not any("model.hidden=[2,2]" in cure.words for cure in curing.cures)


def test_changes_that_cost_more_than_the_budget_are_named_and_not_tried(tmp_path):
    words = ["data=digits", "data.batch_size=8", "trainer.limit_train_batches=2", "trainer.max_epochs=2", "logger=none"]
    (run,) = study_runs(words, tmp_path / "study")
    carry_out([run])
    assert diagnose(run.folder).symptoms
    dear = ("trainer.limit_train_batches=null",)
    curing = Curing(Patient.read(run.folder), budget=6)
    assert {cure.words: times > 50 for cure, times in curing.too_dear.items()}[dear]
    assert curing.times <= 6
    assert not any(cure.words == dear for cure in curing.cures)
    assert any(cure.words == dear for cure in Curing(Patient.read(run.folder), budget=200).cures)
    done = run_command(str(run.folder), "--cure", cwd=tmp_path, module="mlp_study.diagnose")
    assert done.code == 0, done.err
    assert re.search(
        r"^not tried: trainer.limit_train_batches=null, \d+ times the run's training \(--budget", done.out, re.M
    )


def test_data_that_are_gone_are_one_line_before_a_cure_is_trained(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(200, 5)), np.arange(200) % 3
    np.savez(tmp_path / "mine.npz", X=x, y=y)
    words = ["data=arrays", f"data.file={tmp_path / 'mine.npz'}", "optim.lr=1e-7", "trainer.max_epochs=2"]
    (run,) = study_runs([*words, "logger=none"], tmp_path / "study")
    carry_out([run])
    (tmp_path / "mine.npz").unlink()
    done = run_command(str(run.folder), cwd=tmp_path, module="mlp_study.diagnose", warm=WITHOUT_TORCH)
    assert done.code == 0, done.err  # what was recorded is enough for a verdict
    done = run_command(str(run.folder), "--cure", cwd=tmp_path, module="mlp_study.diagnose")
    assert done.code == 2
    assert "mine.npz" in done.err.splitlines()[-1]
    assert len(done.err.splitlines()) == 1
    assert not (run.folder / "cures").exists()
