"""Predicting with a trained run through the command line: test images, Kaggle's CSV, pictures, and hostile files."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import Outcome, run_command
from mnist_part import idx_folder
from PIL import Image

from mlp_study.config.sections import Mnist
from mlp_study.data import image_files, sources
from mlp_study.engines.trained import open_run
from mlp_study.errors import UserError

NUM_TEST = 2_500


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A short run on a third of MNIST with its checkpoint, and Kaggle-format files of the test images."""
    folder = tmp_path_factory.mktemp("trained")
    idx_folder(folder / "mnist", num_train=22_000, num_test=NUM_TEST)
    outcome = run_command(
        "data.root=mnist",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=600",
        "callbacks=checkpoint",
        "hydra.run.dir=run",
        cwd=folder,
    )
    assert outcome.code == 0, outcome.err
    raw = raw_images(folder)
    table = pd.DataFrame(raw.test_images, columns=[f"pixel{i}" for i in range(784)])
    table.to_csv(folder / "test.csv", index=False)
    table.insert(0, "label", raw.test_labels)
    table.to_csv(folder / "labelled.csv", index=False)
    return folder


def raw_images(trained: Path) -> sources.RawImages:
    return sources.load(Mnist(root=str(trained / "mnist")))


def predict(folder: Path, *arguments: str) -> Outcome:
    return run_command(*arguments, cwd=folder, module="mlp_study.predict")


def test_the_test_images_give_the_accuracy_of_training_to_the_last_digit(trained):
    done = predict(trained, "run")
    assert done.code == 0, done.err
    metrics = json.loads((trained / "run" / "result.json").read_text())["metrics"]
    evaluation = json.loads((trained / "run" / "predictions" / "evaluation.json").read_text())
    assert evaluation["acc"] == metrics["test_acc"]
    assert evaluation["loss"] == pytest.approx(metrics["test_loss"], rel=1e-6)
    assert f"test_acc {metrics['test_acc']}" in done.out
    confusion = pd.read_csv(trained / "run" / "predictions" / "confusion.csv", index_col="true").to_numpy()
    assert confusion.sum() == NUM_TEST
    assert np.trace(confusion) / NUM_TEST == metrics["test_acc"]
    np.testing.assert_allclose(evaluation["recall"], np.diag(confusion) / confusion.sum(1), rtol=1e-6)
    np.testing.assert_allclose(evaluation["precision"], np.diag(confusion) / confusion.sum(0), rtol=1e-6)
    with Image.open(trained / "run" / "predictions" / "mistakes.png") as picture:
        assert picture.width == 560


def test_kaggle_csv_of_the_test_images_gives_the_same_accuracy_and_a_submission(trained):
    done = predict(trained, "run", "--csv", "test.csv", "--out", "kaggle")
    assert done.code == 0, done.err
    submission = pd.read_csv(trained / "kaggle" / "submission.csv")
    assert list(submission.columns) == ["ImageId", "Label"]
    assert list(submission["ImageId"]) == list(range(1, NUM_TEST + 1))
    labels = raw_images(trained).test_labels
    metrics = json.loads((trained / "run" / "result.json").read_text())["metrics"]
    assert float((submission["Label"] == labels).mean()) == metrics["test_acc"]
    assert not (trained / "kaggle" / "evaluation.json").exists()
    done = predict(trained, "run", "--csv", "labelled.csv", "--out", "labelled")
    assert json.loads((trained / "labelled" / "evaluation.json").read_text())["acc"] == metrics["test_acc"]


def test_unscaled_images_are_another_reading(trained):
    done = predict(trained, "run", "--scaling", "none", "--out", "unscaled")
    assert done.code == 0, done.err
    evaluation = json.loads((trained / "unscaled" / "evaluation.json").read_text())
    metrics = json.loads((trained / "run" / "result.json").read_text())["metrics"]
    assert evaluation["acc"] < metrics["test_acc"] - 0.01


def test_no_evaluation_takes_the_place_of_the_test_images(trained):
    assert predict(trained, "run").code == 0
    before = (trained / "run" / "predictions" / "evaluation.json").read_bytes()
    others = {
        "scaling_none": ("--scaling", "none"),
        "held_out": ("--held-out",),
        "csv": ("--csv", "labelled.csv"),
        "csv-scaling_minmax": ("--csv", "labelled.csv", "--scaling", "minmax"),
    }
    for name, arguments in others.items():
        done = predict(trained, "run", *arguments)
        assert f"results: run/predictions/{name}\n" in done.out
        assert (trained / "run" / "predictions" / name / "evaluation.json").is_file()
    assert (trained / "run" / "predictions" / "evaluation.json").read_bytes() == before
    assert json.loads(before)["images"] == f"the {NUM_TEST} test images of the run's data"


def test_a_kaggle_run_is_judged_on_what_it_was_not_trained_on(trained):
    raw = raw_images(trained)
    table = pd.DataFrame(raw.images[:800], columns=[f"pixel{i}" for i in range(784)])
    table.insert(0, "label", raw.labels[:800])
    table.to_csv(trained / "train.csv", index=False)
    words = ["data=kaggle", "data.train_csv=train.csv", "trainer.max_epochs=1", "callbacks=checkpoint"]
    assert run_command(*words, "hydra.run.dir=kaggle_run", cwd=trained).code == 0
    done = predict(trained, "kaggle_run")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "no labelled test images; give --held-out, --csv" in done.err
    done = predict(trained, "kaggle_run", "--held-out")
    assert done.code == 0, done.err
    val_acc = json.loads((trained / "kaggle_run" / "result.json").read_text())["metrics"]["val_acc"]
    assert f"held_out_acc {val_acc} " in done.out
    assert "judged on the 80 of 800 labelled images that were held out of training\n" in done.out
    # Its own training file, under another name and in another order: the pixels tell.
    table.sample(frac=1, random_state=0).to_csv(trained / "shuffled.csv", index=False)
    done = predict(trained, "kaggle_run", "--csv", "shuffled.csv")
    assert "test_acc" not in done.out
    assert "the 800 images of shuffled.csv; kaggle_run was trained on 720 of these images, so that" in done.out
    assert json.loads((trained / "kaggle_run/predictions/csv/evaluation.json").read_text())["num_trained_on"] == 720
    done = predict(trained, "kaggle_run", "--csv", "labelled.csv")
    assert f"judged on the {NUM_TEST} images of labelled.csv; kaggle_run was trained on none of them\n" in done.out
    (trained / "train.csv").unlink()
    done = predict(trained, "kaggle_run", "--csv", "shuffled.csv")
    assert done.code == 0, done.err
    assert "whether kaggle_run was trained on them is not known (train.csv: no such file)" in done.out


def test_nothing_was_held_out(trained):
    words = ["data.root=mnist", "data.val_fraction=0", "trainer.limit_train_batches=2", "trainer.max_epochs=1"]
    assert run_command(*words, "callbacks=checkpoint", "hydra.run.dir=all", cwd=trained).code == 0
    done = predict(trained, "all", "--held-out")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--held-out: all was trained on all labelled images (data.val_fraction=0)" in done.err


def test_pictures_of_any_size_dark_on_light_or_light_on_dark(trained):
    raw = raw_images(trained)
    names = []
    for i in range(12):
        digit = Image.fromarray(raw.test_images[i].reshape(28, 28))
        if i % 2:
            digit = Image.fromarray(255 - np.asarray(digit))
        size = (28, 90, 301)[i % 3]
        names.append(f"{i}.{'png' if i % 4 else 'jpg'}")
        digit.resize((size, size)).save(trained / names[-1])
    done = predict(trained, "run", "--images", *names)
    assert done.code == 0, done.err
    guesses = [int(line.split(": ")[1][0]) for line in done.out.splitlines()[: len(names)]]
    assert sum(guess == label for guess, label in zip(guesses, raw.test_labels, strict=False)) >= 10
    assert list(pd.read_csv(trained / "run" / "predictions" / "pictures.csv")["class"]) == guesses


def test_a_picture_becomes_an_mnist_image(trained, tmp_path):
    raw = raw_images(trained)
    alike = []
    for original in raw.test_images[:20].reshape(-1, 28, 28):
        Image.fromarray(255 - original).resize((112, 112)).save(tmp_path / "digit.png")
        ours = image_files.read([tmp_path / "digit.png"])[0]
        alike.append(np.corrcoef(ours, original.ravel())[0, 1])
    assert np.mean(alike) > 0.9


class Malicious:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def broken_run(trained: Path, folder: Path) -> Path:
    run = folder / "run"
    (run / "checkpoints").mkdir(parents=True)
    for name in ("config.yaml", "scaler.npz", "checkpoints/last.ckpt"):
        (run / name).write_bytes((trained / "run" / name).read_bytes())
    return run


@pytest.mark.parametrize("kind", ["malicious", "malicious archive", "damaged", "text", "other", "mismatch"])
def test_a_bad_checkpoint_is_refused_and_runs_nothing(trained, tmp_path, kind, monkeypatch):
    run = broken_run(trained, tmp_path)
    path = run / "checkpoints" / "last.ckpt"
    good = torch.load(path, weights_only=True)
    if kind == "malicious":
        path.write_bytes(pickle.dumps(Malicious()))
    elif kind == "malicious archive":
        torch.save({**good, "extra": Malicious()}, path)
    elif kind == "damaged":
        path.write_bytes(path.read_bytes()[:-5000])
    elif kind == "text":
        path.write_text("not a checkpoint")
    elif kind == "other":
        torch.save({"weights": torch.ones(3)}, path)
    else:
        good["state_dict"] = {key: value[:5] for key, value in good["state_dict"].items()}
        torch.save(good, path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"last\.ckpt"):
        open_run(run)
    if kind == "malicious archive":
        done = predict(tmp_path, "run")
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert "none of it was executed" in done.err
        assert not (run / "predictions").exists()
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("spoil", "quoted"),
    [
        (lambda run: (run / "config.yaml").unlink(), "config.yaml"),
        (lambda run: (run / "config.yaml").write_text("a: [1"), "config.yaml"),
        (lambda run: (run / "scaler.npz").write_bytes(b"PK"), "scaler.npz"),
        (lambda run: (run / "scaler.npz").unlink(), "scaler.npz"),
        (lambda run: (run / "checkpoints" / "last.ckpt").unlink(), "callbacks=checkpoint"),
    ],
)
def test_a_spoilt_run_is_one_line(trained, tmp_path, spoil, quoted):
    run = broken_run(trained, tmp_path)
    spoil(run)
    with pytest.raises(UserError, match=quoted):
        open_run(run)


def test_bad_inputs_are_one_line(trained, tmp_path):
    (tmp_path / "bad.csv").write_text("pixel0,pixel1\n1,2\n")
    (tmp_path / "bad.png").write_text("no picture")
    Image.new("L", (50, 50), 255).save(tmp_path / "empty.png")
    for name in ("bad.png", "empty.png", "no.png"):
        with pytest.raises(UserError, match=name):
            image_files.read([tmp_path / name])
    done = predict(tmp_path, str(trained / "run"), "--csv", "bad.csv")
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert "bad.csv" in done.err


def test_help_is_quick():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mlp_study.predict", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "submission.csv" in done.stdout
    assert not {"torch", "lightning", "pandas"} & imported
