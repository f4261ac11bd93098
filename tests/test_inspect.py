"""Looking inside a run through the command line and the files it leaves: weights, representations, embeddings."""

import base64
import csv
import io
import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from html import unescape

import numpy as np
import pandas as pd
import pytest
import torch
from browser import CHROMIUM, PROBE, Addresses, browse
from conftest import run_command
from inspections import train
from PIL import Image

from mlp_study.engines.datamodule import ImageDataModule
from mlp_study.engines.trained import open_run
from mlp_study.inspection import embeddings, thumbnails
from mlp_study.inspection.palette import COLOURS

NUM = 120


@pytest.fixture(scope="module")
def inspected(tmp_path_factory):
    """A trained run, inspected with all that there is: its directory, with what was printed in printed.txt."""
    folder = tmp_path_factory.mktemp("inspected")
    network = ["model.hidden=[20,12]", "model.activation=relu", "model.dropout=0.2", "model.l2=0.001"]
    run = train(folder, "study/run", *network, "callbacks=checkpoint")
    done = run_command(str(run), "--embed", "tsne,mds,pca", "--num", str(NUM), cwd=folder, module="mlp_study.inspect")
    assert (done.code, done.err) == (0, "")  # no warnings, and no bar where there is no terminal
    (run / "printed.txt").write_text(done.out)
    return run


def test_help_imports_no_torch():
    command = [sys.executable, "-X", "importtime", "-m", "mlp_study.inspect", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "(out, in)" in done.stdout
    assert not {"torch", "lightning", "pandas", "bokeh", "sklearn"} & imported


def test_weights_at_initialization_and_as_trained(inspected):
    with (inspected / "inspection" / "weights.csv").open() as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["layer", "parameter", "when", "shape", "mean", "std", "min", "max"]
    assert len(table) == 3 * 2 * 2
    config = open_run(inspected).config
    assert config.seed == 0
    initial = inspect_initial(inspected)
    trained = torch.load(inspected / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    for row in table:
        i = {"dense_1": 0, "dense_2": 2, "dense_3": 4}[row["layer"]]
        key = f"layers.{i}.{'weight' if row['parameter'] == 'kernel' else 'bias'}"
        tensor = initial[key] if row["when"] == "initial" else trained[f"mlp.{key}"]
        values = tensor.double().numpy()
        assert row["shape"] == "x".join(map(str, values.shape))
        numbers = [float(row[key]) for key in ("mean", "std", "min", "max")]
        assert numbers == [values.mean(), values.std(), values.min(), values.max()]
    assert not (initial["layers.0.weight"] == trained["mlp.layers.0.weight"]).all()
    printed = (inspected / "printed.txt").read_text()
    assert "dropout_1 (Dropout)" in printed
    assert re.search(r"dense_1: type=Dense  units=20  activation=relu .* kernel_l2=0.001 ", printed)
    assert [row["when"] for row in table[:2]] == ["initial", "trained"]
    assert f" {float(table[1]['std']):.4g} " in printed
    layers = json.loads((inspected / "inspection" / "layers.json").read_text())
    assert [layer["name"] for layer in layers] == ["dense_1", "dropout_1", "dense_2", "dropout_2", "dense_3"]
    assert [layer.get("units", layer.get("rate")) for layer in layers] == [20, 0.2, 12, 0.2, 10]


def inspect_initial(run):
    """The weights before training, from the arguments of the network alone."""
    from mlp_study.nets.mlp import MLP

    return MLP(64, [20, 12], 10, activation="relu", dropout=0.2, seed=0).state_dict()


def test_representations_are_the_activations_without_dropout(inspected, look, tmp_path):
    run = open_run(inspected)
    data = ImageDataModule.of(run.config, torch.device("cpu"))
    assert look(inspected, "--part", "train", "--out", tmp_path / "train")[0] == 0
    assert look(inspected, "--part", "val", "--layers", "dense_2", "--out", tmp_path / "val")[0] == 0
    parts = {"test": inspected / "inspection", "train": tmp_path / "train", "val": tmp_path / "val"}
    for part, folder in parts.items():
        images, labels = getattr(data, part)
        np.testing.assert_array_equal(np.load(folder / "labels.npy"), labels)
        with torch.no_grad():
            expected = run.module.mlp.activations(images)
        names = ["dense_2"] if part == "val" else list(expected)
        assert {path.stem for path in folder.glob("*.npy")} == {*names, "labels"}
        for name in names:
            values = np.load(folder / f"{name}.npy")
            assert values.dtype == np.float32
            np.testing.assert_allclose(values, expected[name].numpy(), rtol=1e-5, atol=1e-5)


def test_representations_of_another_inspection_do_not_stay(inspected, look, tmp_path):
    look(inspected, "--out", tmp_path)
    code, out, _ = look(inspected, "--part", "train", "--layers", "dense_3", "--out", tmp_path)
    assert code == 0
    assert {path.name for path in tmp_path.glob("*.npy")} == {"dense_3.npy", "labels.npy"}
    assert len(np.load(tmp_path / "labels.npy")) == len(np.load(tmp_path / "dense_3.npy")) > 1000
    assert json.loads((tmp_path / "inspection.json").read_text())["part"] == "train"
    assert f"results: {tmp_path}" in out
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_embeddings_of_other_images_do_not_stay_beside_new_labels(inspected, look, tmp_path):
    assert look(inspected, "--embed", "pca", "--num", NUM, "--out", tmp_path)[0] == 0
    first = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    (tmp_path / "notes.txt").write_text("mine")
    code, out, _ = look(inspected, "--part", "train", "--layers", "dense_2", "--out", tmp_path)
    assert code == 0
    assert "embeddings of the last inspection were removed; --embed makes those of this one" in out
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert not [name for name in left if "embeddings" in name or "scores" in name or "dense_1" in name]
    assert {"notes.txt", "dense_2.npy", "labels.npy", "weights.csv", "projector/dense_2.tsv"} <= left
    assert json.loads((tmp_path / "inspection.json").read_text())["embeddings"] == []
    code, out, _ = look(inspected, "--embed", "pca", "--num", NUM, "--out", tmp_path)
    assert "removed" not in out
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.name != "notes.txt"} == first


def test_embeddings_and_their_scores(inspected, look, tmp_path):
    folder = inspected / "inspection"
    table = pd.read_csv(folder / "embeddings.csv")
    labels = np.load(folder / "labels.npy")[:NUM]
    scores = pd.read_csv(folder / "scores.csv").set_index(["layer", "method"])
    assert len(scores) == 3 * 4
    for (layer, method), places in table.groupby(["layer", "method"]):
        assert list(places["index"]) == list(range(NUM))
        assert list(places["digit"]) == list(labels)
        assert scores.loc[(layer, method), "neighbor_acc"] == nearest(places[["x", "y"]].to_numpy(), labels)
        rows = np.load(folder / f"{layer}.npy")[:NUM].astype(np.float64)
        assert scores.loc[(layer, "none"), "neighbor_acc"] == nearest(rows, labels)
        assert scores.loc[(layer, method), "trustworthiness"] > 0.85
    assert scores.loc[("dense_1", "tsne"), "neighbor_acc"] > scores.loc[("dense_1", "pca"), "neighbor_acc"]
    for seed in (0, 1):  # t-SNE's start is PCA's, but its seed is ours
        out = tmp_path / str(seed)
        arguments = (inspected, "--layers", "dense_2", "--embed", "tsne", "--num", NUM, "--seed", seed, "--out", out)
        assert look(*arguments)[0] == 0
    again = pd.read_csv(tmp_path / "0" / "embeddings.csv")
    before = table[(table["layer"] == "dense_2") & (table["method"] == "tsne")].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, before)


def nearest(rows, labels):
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=2) + np.diag(np.full(len(rows), np.inf))
    return (labels[distances.argmin(1)] == labels).mean()


def test_figures_show_every_digit_in_its_colour(inspected):
    for name in ("dense_1", "dense_2", "dense_3"):
        with Image.open(inspected / "inspection" / f"embeddings_{name}.png") as picture:
            assert picture.width > 3 * 500
            pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
        for colour in COLOURS:
            assert (pixels == [int(colour[i : i + 2], 16) for i in (1, 3, 5)]).all(1).sum() > 20
        svg = (inspected / "inspection" / f"embeddings_{name}.svg").read_text()
        assert "</svg>" in svg
        assert "<image" not in svg


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium or chrome on PATH")
def test_the_page_draws_itself_without_a_network(inspected, tmp_path):
    page = inspected / "inspection" / "embeddings.html"
    content = page.read_text()
    addresses = Addresses()
    addresses.feed(content)
    assert not [address for address in addresses.found if not address.startswith("data:")]
    (tmp_path / "probed.html").write_text(content + PROBE)
    dom = browse(tmp_path, tmp_path / "probed.html", "--dump-dom")
    found = json.loads(unescape(re.search(r'<pre id="probe">(.*?)</pre>', dom, re.DOTALL)[1]))
    assert found["canvases"] >= 1
    assert sorted(set(found["tabs"])) == ["MDS", "PCA", "dense_1", "dense_2", "dense_3", "t-SNE"]
    ((source, width, text),) = found["pictures"]
    run = open_run(inspected)
    images = inspect_images(run)
    greys = thumbnails.shades(images, NUM)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))
    np.testing.assert_array_equal(shown, greys[3])
    assert width == 8
    logits = np.load(inspected / "inspection" / "dense_3.npy")
    assert re.sub(r"\s+", "", text) == f"image3digit{images.labels[3]}predicted{logits[3].argmax()}"
    assert found["muted"] == [True] + [False] * 9
    # Errors are hollow, in the digit's colour on the white page, also where that is nearly black.
    assert found["drawn"] == ["fill", "edge"]
    colours = [COLOURS[digit] for digit in images.labels[:NUM]]
    is_right = logits[:NUM].argmax(1) == images.labels[:NUM]
    assert 0 < is_right.sum() < NUM
    shown = list(zip(found["fills"], found["edges"], strict=True))
    expected = [(c, "white") if right else ("white", c) for c, right in zip(colours, is_right, strict=True)]
    assert shown == expected
    assert "those that are misclassified are hollow" in content
    browse(tmp_path, page, f"--screenshot={tmp_path / 'page.png'}")
    colours = np.unique(np.asarray(Image.open(tmp_path / "page.png").convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 500


def inspect_images(run):
    from mlp_study.inspection.representations import images_of

    return images_of(run.config, "test")


def test_tensorboard_serves_the_projector_of_a_run_without_events(inspected):
    (events,) = inspected.glob("events.*")  # which leads to it, and holds nothing
    assert events.stat().st_size < 100
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", inspected.parent, "--port", "0"]
    server = subprocess.Popen([*command, "--host", "127.0.0.1"], stderr=subprocess.PIPE, text=True)
    try:
        address = next(match[0] for line in server.stderr if (match := re.search(r"http://127[^ ]*:\d+/", line)))

        def get(what, **arguments):
            query = urllib.parse.urlencode(arguments)
            with urllib.request.urlopen(f"{address}data/plugin/projector/{what}?{query}", timeout=30) as answer:
                return answer.read()

        end = time.monotonic() + 30
        while not (runs := json.loads(get("runs"))) and time.monotonic() < end:
            time.sleep(0.2)
        assert runs == ["run"]
        run = runs[0]
        tensors = json.loads(get("info", run=run))["embeddings"]
        assert [tensor["tensorName"] for tensor in tensors] == ["dense_1", "dense_2", "dense_3"]
        for tensor in tensors:
            name = tensor["tensorName"]
            expected = np.load(inspected / "inspection" / f"{name}.npy")[:NUM]
            vectors = np.frombuffer(get("tensor", run=run, name=name), np.float32)
            np.testing.assert_array_equal(vectors.reshape(tensor["tensorShape"]), expected)
        table = pd.read_csv(io.BytesIO(get("metadata", run=run, name="dense_2")), sep="\t")
        assert list(table["digit"]) == list(np.load(inspected / "inspection" / "labels.npy")[:NUM])
        assert list(table["predicted"]) == list(expected.argmax(1))
        sheet = np.asarray(Image.open(io.BytesIO(get("sprite_image", run=run, name="dense_1"))))
        assert sheet.shape == (11 * 8, 11 * 8)
        width, height = tensors[0]["sprite"]["singleImageDim"]
        assert (width, height) == (8, 8)
        greys = thumbnails.shades(inspect_images(open_run(inspected)), NUM)
        np.testing.assert_array_equal(sheet[8:16, 24:32], greys[11 + 3])  # second row, fourth image
    finally:
        server.terminate()
        server.wait()
        server.stderr.close()


def test_what_was_before_training_can_be_shown_too(inspected, look, tmp_path):
    assert look(inspected, "--checkpoint", "initial", "--layers", "dense_1", "--out", tmp_path)[0] == 0
    run = open_run(inspected, "initial")
    images, _ = ImageDataModule.of(run.config, torch.device("cpu")).test
    state = inspect_initial(inspected)
    expected = torch.relu(images @ state["layers.0.weight"].T)
    np.testing.assert_allclose(np.load(tmp_path / "dense_1.npy"), expected, rtol=1e-5, atol=1e-5)
    before, after = (len(pd.read_csv(f / "weights.csv")) for f in (tmp_path, inspected / "inspection"))
    assert after == 2 * before


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (["--layers", "dense_9"], "dense_9"),
        (["--layers", "all,dense_1"], "--layers=all,dense_1: all stands for every layer; expected it alone"),
        (["--embed", "tsn"], "Did you mean tsne"),
        (["--embed", "pca", "--num", "3"], "3 images are too few"),
        (["--num", "0"], "--num=0"),
        (["--seed", "-1"], "--seed=-1"),
        (["--out", "/dev/null/out"], "/dev/null/out"),
    ],
)
def test_what_cannot_be_done_is_one_line(inspected, look, tmp_path, arguments, quoted):
    code, _, err = look(inspected, "--out", tmp_path, *arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert quoted in err


def test_umap_is_asked_for_and_not_installed(inspected, look, tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings.importlib.util, "find_spec", lambda name: None)
    code, _, err = look(inspected, "--embed", "pca,umap", "--out", tmp_path)
    assert (code, err.count("\n")) == (2, 1)
    assert "pip install umap-learn" in err
    assert embeddings.methods_of("all") == ["tsne", "mds", "pca"]
