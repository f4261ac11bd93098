"""Looking inside odd runs and at odd representations; colours that everyone can tell apart."""

import numpy as np
import pandas as pd
import pytest
from conftest import run_command
from inspections import train

from mlp_study.execution.carry_out import carry_out
from mlp_study.inspection import embeddings
from mlp_study.inspection.palette import COLOURS
from mlp_study.sweeps.words import single_run


def test_colours_are_far_apart_for_everyone():
    linear = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in COLOURS])
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    for sight in SIGHTS:
        t = (linear @ np.array(sight).T).clip(0, 1) @ to_xyz.T / [0.9505, 1, 1.089]
        f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
        lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)
        distances = np.linalg.norm(lab[:, None] - lab[None], axis=2)
        assert distances[np.triu_indices(10, 1)].min() > 30
    assert (1.05 / (linear @ to_xyz[1] + 0.05)).min() > 2.2  # contrast with white


# Full sight; protanopia, deuteranopia and tritanopia by Machado, Oliveira and Fernandes (2009).
SIGHTS = [
    np.eye(3),
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
]


def test_a_run_without_a_checkpoint_shows_its_initial_weights(look, tmp_path):
    run = train(tmp_path, "run", "init=small")
    code, out, err = look(run)
    assert (code, err) == (0, "")
    assert "no checkpoint (train with callbacks=checkpoint" in out
    table = pd.read_csv(run / "inspection" / "weights.csv")
    assert set(table["when"]) == {"initial"}
    kernel, bias = table.iloc[0], table.iloc[1]
    assert abs(kernel["std"] / 1e-3 - 1) < 0.05
    assert (bias["mean"], bias["std"]) == (0, 0)
    code, _, err = look(run, "--checkpoint", "last")
    assert (code, err.count("\n")) == (2, 1)
    assert "last.ckpt" in err


def test_what_is_no_run_is_one_line(look, tmp_path):
    code, _, err = look(tmp_path)
    assert (code, err.count("\n")) == (2, 1)
    assert "config.yaml" in err


def test_networks_that_have_learnt_nothing(look, tmp_path):
    run = train(tmp_path, "zeros", "init=zeros", "model.hidden=[5]", "model.activation=relu", "data.val_fraction=0")
    code, _, err = look(run, "--embed", "all", "--num", "40")
    assert (code, err) == (0, "")
    assert pd.read_csv(run / "inspection" / "scores.csv")["neighbor_acc"].isna().all()
    assert (pd.read_csv(run / "inspection" / "embeddings.csv")[["x", "y"]] == 0).all(axis=None)
    code, _, err = look(run, "--part", "val")
    assert (code, err.count("\n")) == (2, 1)
    assert "data.val_fraction=0" in err


def test_a_run_that_diverged(look, tmp_path):
    run = train(tmp_path, "run", "model.activation=relu", "optim.lr=1e30", "callbacks=checkpoint")
    code, out, err = look(run)
    assert (code, err) == (0, "")
    assert "not finite" in out
    assert np.isnan(pd.read_csv(run / "inspection" / "weights.csv").query("when == 'trained'")["mean"]).any()
    code, _, err = look(run, "--embed", "pca")
    assert (code, err.count("\n")) == (2, 1)
    assert "not finite" in err


def test_more_classes_than_colours(look, tmp_path):
    np.savez(tmp_path / "mine.npz", X=np.eye(60), y=np.arange(60) % 12, X_test=np.eye(60), y_test=np.arange(60) % 12)
    words = ["data=arrays", f"data.file={tmp_path}/mine.npz", "logger=none", "trainer.max_epochs=1"]
    run = single_run([*words, "data.batch_size=20"], tmp_path / "run")
    carry_out([run], "lightning")
    code, _, err = look(run.folder, "--embed", "pca")
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    "rows",
    [
        np.random.default_rng(0).normal(size=(40, 1)),  # one unit
        np.random.default_rng(0).normal(size=(5, 7)),  # fewer images than the perplexity asks for
        np.random.default_rng(0).normal(size=(40, 3)) * [1, 0, 0],  # constant units
        np.repeat(np.eye(4), 10, 0),  # four places
        np.random.default_rng(0).normal(size=(40, 3)) * 1e30,
        0.5 + np.random.default_rng(0).normal(size=(40, 3)) * 1e-6,
        np.random.default_rng(0).normal(size=(12, 12)),  # no matrix of distances
    ],
    ids=["one unit", "five images", "constant units", "four places", "huge", "tiny", "square"],
)
@pytest.mark.parametrize("method", ["tsne", "mds", "pca"])
def test_odd_representations_have_places_too(rows, method):
    labels = np.arange(len(rows)) % 3
    embedding = embeddings.embed("dense_1", method, rows.astype(np.float32), labels, seed=0)
    assert embedding.places.shape == (len(rows), 2)
    assert np.isfinite(embedding.places).all()
    assert np.ptp(embedding.places, axis=0).max() > 0
    again = embeddings.embed("dense_1", method, rows.astype(np.float32), labels, seed=0)
    np.testing.assert_array_equal(embedding.places, again.places)


@pytest.mark.long
def test_forty_five_thousand_hidden_representations(look, tmp_path):
    """The document's network on real MNIST: (45000, 512), and its parameters."""
    network = ["model.hidden=[512,512]", "model.activation=relu", "model.dropout=0.2", "data.scaling=minmax"]
    short = ["data.val_fraction=0.25", "trainer.max_epochs=1", "trainer.limit_train_batches=5", "logger=none"]
    outcome = run_command(*network, *short, "trainer.limit_val_batches=1", "hydra.run.dir=run", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    code, out, err = look(tmp_path / "run", "--part", "train", "--layers", "dense_2")
    assert (code, err) == (0, "")
    assert np.load(tmp_path / "run" / "inspection" / "dense_2.npy", mmap_mode="r").shape == (45000, 512)
    assert "Total params: 669,706" in out
