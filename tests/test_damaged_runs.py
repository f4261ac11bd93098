"""A run whose files are damaged is refused in one line, whatever is wrong with them; nothing in them takes memory."""

import copy
import hashlib
import json
import os
import pickle
import shutil
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
import yaml
from damaged import bounded, not_files, npy, refused, zipped

from mlp_study.commands import predicting
from mlp_study.data.scaling import Scaler
from mlp_study.engines.trained import open_run
from mlp_study.errors import UserError
from mlp_study.execution.carry_out import carry_out
from mlp_study.sweeps.words import single_run

WORDS = [
    "data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "logger=none", "model.hidden=[4]",
    "model.batch_norm=true", "callbacks=checkpoint",
]  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    run = single_run(WORDS, tmp_path_factory.mktemp("good") / "run")
    assert carry_out([run], "lightning")[0].status == "completed"
    path = run.folder / "result.json"  # without the digests of its files, which would tell of all that is done to them
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": {}}))
    return run.folder


@pytest.fixture
def run(good, tmp_path):
    return shutil.copytree(good, tmp_path / "run")


def content(run):
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed"])
@pytest.mark.parametrize("engine", ["lightning", "stack"])
def test_weights_are_read_as_they_were_written(tmp_path, precision, engine):
    run = single_run([*WORDS, f"trainer.precision={precision}"], tmp_path / "run")
    carry_out([run], engine)
    read, saved = open_run(run.folder).module.state_dict(), content(run.folder)["state_dict"]
    assert read.keys() == saved.keys()
    for name, tensor in read.items():
        assert torch.equal(tensor, saved[name])
        assert tensor.dtype == saved[name].dtype


# The scaler

GOOD = {"name": np.array("standard"), "mean": np.zeros(64), "scale": np.ones(64)}


@pytest.mark.parametrize(
    "changed",
    [
        {"name": np.array("other")},
        {"name": np.array(["standard"])},
        {"name": np.array(b"standard")},
        {"name": np.array(7)},
        {"mean": np.full(64, "0")},
        {"mean": np.zeros(64, np.float32)},
        {"mean": np.zeros(64, complex)},
        {"mean": np.zeros((8, 8)), "scale": np.ones((8, 8))},
        {"mean": np.zeros(63)},
        {"mean": np.zeros(0), "scale": np.ones(0)},
        {"mean": np.array(0.0), "scale": np.array(1.0)},
        {"mean": np.full(64, np.nan)},
        {"scale": np.full(64, np.inf)},
        {"scale": np.zeros(64)},
        {"scale": -np.ones(64)},
        {"extra": np.ones(3)},
        {"mean": None},
        {"scale": np.array([None] * 64)},
    ],
    ids=lambda changed: ", ".join(f"{key} {str(value)[:20]}" for key, value in changed.items()),
)
def test_a_scaler_that_is_none(run, changed):
    np.savez(run / "scaler.npz", **{name: value for name, value in (GOOD | changed).items() if value is not None})
    refused(run / "scaler.npz", "damaged: not a saved scaler", lambda: open_run(run))


def test_a_scaler_that_is_no_archive_of_ours(run):
    path = run / "scaler.npz"
    whole, mean = path.read_bytes(), Scaler.load(path).mean.tobytes()
    entries = {f"{name}.npy": npy(array) for name, array in GOOD.items()}
    path.write_bytes(zipped(entries, zipfile.ZIP_STORED))
    Scaler.load(path)
    bomb = zipped(entries | {"mean.npy": npy(np.zeros(2**23)) + bytes(2**30 // 4)})
    array = npy(np.ones(64))
    altered = bytearray(whole)
    altered[whole.index(mean) + 3] ^= 1
    longer = zipped(entries | {"mean.npy": npy(np.zeros(64), shape=(2**40,))}, zipfile.ZIP_STORED)
    for damaged in (
        zipped(entries),
        bomb,
        array,
        bytes(altered),
        longer,
        whole[:-9],
        whole[9:],
        b"",
        b"text",
        whole * 2,
    ):
        path.write_bytes(damaged)
        refused(path, "damaged: not a saved scaler", lambda: open_run(run))
    Scaler("none", np.zeros(65), np.ones(65)).save(path)
    refused(run, "of another run, or damaged", lambda: open_run(run))


# Classes


@pytest.mark.parametrize(
    "classes",
    [
        "", "[", "{}", "null", "7", '"0123456789"', "[]", "[[0, 1], [2, 3]]", '[0, "1", 2]', "[0, true]", "[0, 0, 1]",
        "[0.5, 1]", "[NaN, 1]", "[0, 1e999]", "[null, 1]", "[1]", f"[0, {10**30}]", f"[0, {'9' * 5000}]",
        "[" * 100_000, f'["{"a" * 100_000}", {", ".join(f"{chr(34)}{i}{chr(34)}" for i in range(1000))}]', "[-1, 1e3]",
        json.dumps(list(range(11))), json.dumps(list(range(9))), "\udcff[0]",
        json.dumps([*"abcdefghi", "\ud800"]),
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_classes_that_are_none(run, classes):
    (run / "classes.json").write_text(classes, encoding="utf-8", errors="surrogateescape")
    refused(run, "classes.json: damaged|last.ckpt: of another run, or damaged", lambda: open_run(run))


def test_ten_classes_of_another_name(run):
    (run / "classes.json").write_text(json.dumps([*"abcdefghi", "ĵ"]))
    assert open_run(run).classes.tolist() == [*"abcdefghi", "ĵ"]


# Checkpoints


def change(run, **changed):
    torch.save(content(run) | changed, run / "checkpoints" / "last.ckpt")


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["loss"], "hinge"),
        (["loss"], ["mse"]),
        (["mlp", "hidden"], [10**12]),
        (["mlp", "hidden"], [5]),
        (["mlp", "in_size"], 63),
        (["mlp", "kernel_init"], None),
        (["mlp", "names"], ["../a", "b"]),
        (["optim", "lr"], torch.ones(2)),
        (["optim", "name"], "sdg"),
        (["l2"], float("nan")),
        ([1], 2),
    ],
)
def test_settings_of_another_run(run, keys, value):
    settings = copy.deepcopy(content(run)["hyper_parameters"])
    group = settings
    for key in keys[:-1]:
        group = group[key]
    group[keys[-1]] = value
    change(run, hyper_parameters=settings)
    refused(run, "last.ckpt: of another run, or damaged: its settings", lambda: open_run(run))


KERNEL = "mlp.layers.0.weight"


@pytest.mark.parametrize(
    "changed",
    [
        lambda weights: weights.pop(KERNEL),
        lambda weights: weights.update(other=torch.ones(3)),
        lambda weights: weights.update({7: torch.ones(3)}),
        lambda weights: weights.update({KERNEL: weights[KERNEL][:3]}),
        lambda weights: weights.update({KERNEL: weights[KERNEL].T}),
        lambda weights: weights.update({KERNEL: torch.ones(()).expand(10**6, 10**6)}),
        lambda weights: weights.update({KERNEL: weights[KERNEL].double()}),
        lambda weights: weights.update({KERNEL: weights[KERNEL].to_sparse()}),
        lambda weights: weights.update({KERNEL: weights[KERNEL].to("meta")}),
        lambda weights: weights.update({KERNEL: "weights"}),
        lambda weights: weights.update({KERNEL: None}),
    ],
)
def test_weights_of_another_network(run, changed):
    weights = OrderedDict(content(run)["state_dict"])
    changed(weights)
    change(run, state_dict=weights)
    refused(run, r"last\.ckpt: (of another run, or damaged|not a checkpoint)", lambda: open_run(run))


def test_what_is_no_checkpoint(run, tmp_path):
    path = run / "checkpoints" / "last.ckpt"
    whole, weights = path.read_bytes(), content(run)["state_dict"][KERNEL].numpy().tobytes()
    altered = bytearray(whole)
    altered[whole.index(weights) + 17] ^= 64
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    key = next(name for name, entry in entries.items() if entry == weights)
    bomb = zipped(entries | {key: weights + bytes(2**28)})
    pickled = next(name for name in entries if name.endswith("data.pkl"))
    num = len(weights) // 4
    claim = entries[pickled].replace(b"M" + num.to_bytes(2, "little"), b"J" + (2**31 - 1).to_bytes(4, "little"))
    assert claim != entries[pickled]
    lying = zipped(entries | {pickled: claim}, zipfile.ZIP_STORED)
    old = pickle.dumps({"state_dict": {}, "hyper_parameters": {}})
    for damaged in (
        b"",
        b"text",
        whole[:-9],
        whole[9:],
        bytes(altered),
        zipped(entries),
        bomb,
        old,
        npy(np.eye(3)),
    ):
        path.write_bytes(damaged)
        refused(path, "not a checkpoint|of another run, or damaged", lambda: open_run(run))
    path.write_bytes(lying)  # a storage of 8 GiB, of which the weights are the beginning: cut off where the file ends
    with bounded():
        assert open_run(run).module.state_dict()[KERNEL].numpy().tobytes() == weights
    for found in ([], 7, {"state_dict": 1, "hyper_parameters": 2}, {"state_dict": {}}):
        torch.save(found, path)
        refused(path, "not a checkpoint|of another run, or damaged", lambda: open_run(run))
    for name, said in not_files(tmp_path).items():
        if "\0" not in name:
            path.unlink()
            path.symlink_to(tmp_path / name)
            refused(path, said, lambda: open_run(run))


def test_config_with_absurd_widths_builds_nothing(run):
    path = run / "config.yaml"
    values = yaml.safe_load(path.read_text())
    values["model"]["hidden"] = [10**20]
    path.write_text(yaml.safe_dump(values))
    for which in ("initial", "last"):
        refused(path, r"config.yaml: model.hidden=\[10*\]: 10\^21 weights", lambda: open_run(run, which))  # noqa: B023


def test_weights_that_are_not_finite_are_said_to_be(run, capsys):
    weights = content(run)["state_dict"]
    weights[KERNEL][0, 0] = float("nan")
    change(run, state_dict=weights)
    predicting.main([str(run)])
    said = "some of its weights are not finite (it diverged): its predictions mean nothing"
    assert capsys.readouterr().out.splitlines()[0] == f"{run}: {said}"
    assert json.loads((run / "predictions" / "evaluation.json").read_text())["loss"] is None


@pytest.mark.parametrize("name", ["scaler.npz", "checkpoints/last.ckpt", "classes.json"])
def test_files_are_those_that_training_wrote(run, name):
    (run / "classes.json").write_text(json.dumps(list("abcdefghij")))
    names = ("scaler.npz", "checkpoints/last.ckpt", "checkpoints/best.ckpt", "classes.json")
    result = json.loads((run / "result.json").read_text())
    result["sha256"] = {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in names}
    (run / "result.json").write_text(json.dumps(result))
    open_run(run)
    path = run / name
    if name == "classes.json":
        path.write_text(json.dumps(list("ABCDEFGHIJ")))
    elif name == "scaler.npz":
        Scaler("standard", np.zeros(64), np.ones(64)).save(path)
    else:
        os.replace(run / "checkpoints" / "best.ckpt", path)
        path.write_bytes(path.read_bytes() + b"\n")
    refused(path, "damaged: its bytes are not those that training wrote", lambda: open_run(run))
    path.unlink()
    with pytest.raises(UserError, match="no such"):
        open_run(run)
