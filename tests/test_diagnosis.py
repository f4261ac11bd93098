"""The doctor: what it sees, what it says of runs with known faults, and cures that are trained."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import WITHOUT_TORCH, run_command
from sklearn.metrics import pairwise_distances_argmin

import mlp_study as ms
from mlp_study.diagnosis.cures import Cure, changed
from mlp_study.diagnosis.patient import Patient
from mlp_study.diagnosis.verdict import diagnose
from mlp_study.engines.datamodule import ImageDataModule
from mlp_study.engines.lit import LitMLP
from mlp_study.execution.carry_out import carry_out
from mlp_study.sweeps.words import study_runs

SHORT = ["data=digits", "model.hidden=[32,16]", "trainer.max_epochs=8", "logger=none"]
FAULTS = {
    "healthy": ([], None),
    "rate too high": (["optim.lr=10"], "learning rate too high"),
    "rate too low": (["optim.lr=0.00001"], "learning rate too low"),
    "zeros": (["init=zeros"], "initialization symmetric"),
    "constant": (["init=constant", "init.value=0.1", "model.activation=relu"], "initialization symmetric"),
    "unscaled": (["data.scaling=none", "model.activation=relu", "optim.lr=0.5"], "unscaled input"),
    "one unit": (["model.hidden=[1]"], "too little capacity"),
    "penalty": (["model.l2=0.3"], "penalty too strong"),
    "too deep": (["model.hidden=[16,16,16,16,16,16,16,16,16]", "model.activation=sigmoid"], "too deep"),
}


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    """A run for each fault, trained as a stack where they can be."""
    folder = tmp_path_factory.mktemp("ward")
    runs = []
    for name, (words, _) in FAULTS.items():
        given = {word.partition("=")[0] for word in words}
        kept = [word for word in SHORT if word.partition("=")[0] not in given]
        optimizer = [] if "optim.lr" in given else ["optim=adam", "optim.lr=0.01"]
        (run,) = study_runs([*kept, *optimizer, *words], folder / name)
        runs.append(run)
    carry_out(runs)
    for run in runs:
        for path in run.folder.iterdir():
            path.rename(run.folder.parent / path.name)
    return folder


def test_before_training_and_after_each_epoch_it_sees_what_there_is_to_see(tmp_path):
    words = ["data=digits", "model.hidden=[12,6]", "model.activation=relu", "trainer.max_epochs=2", "model.l2=0.01"]
    found = {}
    for engine in ("lightning", "stack"):
        (run,) = study_runs([*words, "logger=none", "init=he_normal"], tmp_path / engine)
        carry_out([run], engine)
        found[engine] = pd.read_csv(run.folder / "evidence.csv")
    pd.testing.assert_frame_equal(found["lightning"], found["stack"], rtol=2e-4, atol=1e-6)
    seen = found["lightning"]
    assert list(seen["epoch"]) == [0, 1, 2]
    data = ImageDataModule.of(run.config, torch.device("cpu"))
    mlp = LitMLP.of(run.config, 64, 10).mlp
    images, labels = (tensor[: len(data.looked_at[0])] for tensor in data.train)
    logits = mlp(images)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    penalty = 0.01 * sum(layer.weight.square().sum() for layer in mlp.dense.values())
    (loss + penalty).backward()
    loss, penalty, logits = loss.detach(), penalty.detach(), logits.detach()
    first = seen.iloc[0]
    assert first["loss"] == pytest.approx(float(loss), rel=1e-4)
    assert first["penalty"] == pytest.approx(float(penalty / (loss + penalty)), rel=1e-4)
    assert first["acc"] == pytest.approx(float((logits.argmax(1) == labels).double().mean()), abs=1e-6)
    hidden = mlp.dense["dense_1"]
    assert first["gradient/dense_1"] == pytest.approx(float(hidden.weight.grad.norm()), rel=1e-4)
    assert first["step/dense_1"] == pytest.approx(
        float(hidden.weight.grad.norm() / hidden.weight.detach().norm()), rel=1e-4
    )
    assert (first["moved/dense_1"], seen["moved/dense_1"][1] > 0) == (0, True)
    kernel = hidden.weight.detach()
    out = torch.relu(images @ kernel.T)
    assert first["dead/dense_1"] == pytest.approx(float((out.amax(0) == 0).double().mean()))
    assert first["pre_std/dense_1"] == pytest.approx(float((images @ kernel.T).std(correction=0)), rel=1e-4)
    x, y = (tensor.numpy() for tensor in data.train)
    means = np.array([x[y == digit].mean(0) for digit in range(10)])
    nearest = pairwise_distances_argmin(data.val[0].numpy(), means)
    assert first["centroid_acc"] == pytest.approx(np.mean(nearest == data.val[1].numpy()), abs=1e-6)
    assert (first["num_classes"], first["num_judged"]) == (10, len(data.val[1]))


@pytest.mark.parametrize("name", FAULTS)
def test_what_has_a_fault_is_sick_and_its_fault_among_the_first_suspects(ward, name):
    _, cause = FAULTS[name]
    found = diagnose(ward / name)
    if cause is None:
        assert found.symptoms == []
        assert found.suspects == []
        assert found.line() == "healthy"
        return
    assert found.symptoms, found
    assert any(suspect.name.startswith(cause) for suspect in found.suspects[:3]), found.suspects


def test_the_command_says_it_without_torch_and_writes_it_down(ward, tmp_path):
    folder = shutil.copytree(ward / "rate too high", tmp_path / "run")
    done = run_command("run", cwd=tmp_path, module="mlp_study.diagnose", warm=WITHOUT_TORCH)
    assert done.code == 0, done.err
    assert not {"torch", "lightning"} & set(done.imported)
    assert "sick, accuracy" in done.out
    assert "1. learning rate too high: sgd at 10, where 0.01 to 0.5 is usual" in done.out
    assert json.loads((folder / "diagnosis.json").read_text())["suspects"][0]["name"] == "learning rate too high"
    assert (folder / "diagnosis.png").stat().st_size > 10_000
    as_json = run_command("run", "--json", cwd=tmp_path, module="mlp_study.diagnose", warm=WITHOUT_TORCH)
    assert json.loads(as_json.out)["is_healthy"] is False
    whole = run_command(str(ward), cwd=tmp_path, module="mlp_study.diagnose", warm=WITHOUT_TORCH)
    assert whole.code == 0, whole.err
    assert whole.out.count("healthy") >= 1
    assert "suspected: initialization symmetric" in " ".join(whole.out.split())


def test_a_cure_is_trained_beside_the_unchanged_run_and_printed_with_its_command(ward, tmp_path):
    folder = shutil.copytree(ward / "rate too high", tmp_path / "run")
    words = ("run", "--cure", "--budget", "3")
    done = run_command(*words, cwd=tmp_path, module="mlp_study.diagnose")
    assert done.code == 0, done.err
    assert "cure: optim" in done.out or "best of all: optim" in done.out, done.out
    assert "to train it so: python -m mlp_study.train data=digits" in done.out
    cures = json.loads((folder / "diagnosis.json").read_text())["cures"]
    best, plain = cures[0], next(cure for cure in cures if not cure["change"])
    assert best["helps"]
    assert best["seeds"] == plain["seeds"] == 3
    assert best["accuracy"] > plain["accuracy"] + 0.1
    results = sorted((folder / "cures").glob("*/result.json"))
    assert any(path.parent.name.startswith("unchanged,seed=1") for path in results)
    before = {path: path.stat().st_mtime for path in results}
    again = run_command(*words, cwd=tmp_path, module="mlp_study.diagnose")
    assert again.code == 0, again.err
    assert {path: path.stat().st_mtime for path in sorted((folder / "cures").glob("*/result.json"))} == before


def test_a_cure_carries_no_number_of_what_it_replaces():
    own = ["optim=sgd", "optim.lr=10", "init=normal", "init.std=3", "model.hidden=[10]"]
    assert changed(own, ["optim=adam", "optim.lr=0.001"]) == [
        "init=normal", "init.std=3", "model.hidden=[10]", "optim=adam", "optim.lr=0.001",
    ]  # fmt: skip
    assert changed(own, ["optim.lr=1"]) == [*own[:1], *own[2:], "optim.lr=1"]
    assert changed(own, ["init=glorot", "bias_init=zeros"])[:3] == ["optim=sgd", "optim.lr=10", "model.hidden=[10]"]
    assert str(Cure(("optim=adam", "optim.lr=0.001"))) == "optim=adam optim.lr=0.001"


def test_a_run_of_an_earlier_version_is_judged_by_what_it_has(ward, tmp_path):
    folder = shutil.copytree(ward / "rate too low", tmp_path / "run")
    (folder / "evidence.csv").unlink()
    found = diagnose(folder)
    assert found.symptoms
    assert "earlier version" in found.unknown
    assert any(suspect.name == "learning rate too low" for suspect in found.suspects)
    assert np.isfinite(found.allowed)


def test_what_cannot_be_diagnosed_is_one_line(ward, tmp_path):
    folder = shutil.copytree(ward / "zeros", tmp_path / "run")
    (folder / "evidence.csv").write_text("epoch,loss\n1,x\n")
    (tmp_path / "empty").mkdir()
    for words, said in (
        (["run"], "evidence.csv: damaged"),
        (["empty"], "empty"),
        ([str(ward / "healthy"), "--budget", "0"], "--budget 0: expected a number >= 1"),
        ([str(ward), "--cure"], "a study; --cure expects the directory of one of its runs"),
    ):
        done = run_command(*words, cwd=tmp_path, module="mlp_study.diagnose", warm=WITHOUT_TORCH)
        assert done.code == 2, done.out
        assert said in done.err
        assert len(done.err.splitlines()) == 1


def test_tables_a_run_s_last_line_and_python_say_it_too(tmp_path):
    words = ["data=digits", "model.hidden=[32,16]", "trainer.max_epochs=6", "logger=none"]
    done = run_command(*words, "optim.lr=10", "hydra.run.dir=alone", cwd=tmp_path)
    assert "diagnosis: " in done.out
    assert "suspected: learning rate too high; why: mlp diagnose" in done.out
    done = run_command("-m", *words, "optim.lr=10,0.3", "hydra.sweep.dir=study", cwd=tmp_path)
    assert "1 of 2 runs are sick: 1 " in done.out
    table = pd.read_csv(tmp_path / "study" / "study.csv").set_index("optim.lr")["diagnosis"]
    assert table[0.3] == "healthy"
    assert table[10].endswith("suspected: learning rate too high")
    assert dict(ms.open(tmp_path / "study").diagnosis().values)["optim.lr=0.3"] == "healthy"
    assert not ms.open(tmp_path / "alone").diagnosis().is_healthy


def test_a_diverged_run_of_one_epoch_is_said_to_be_that(tmp_path):
    (run,) = study_runs(["data=digits", "optim.lr=1e8", "trainer.max_epochs=3", "logger=none"], tmp_path)
    carry_out([run])
    patient = Patient.read(run.folder)
    assert patient.result.status == "diverged"
    found = diagnose(run.folder)
    assert found.symptoms[0].name == "diverged"
    assert found.suspects[0].name == "learning rate too high"
