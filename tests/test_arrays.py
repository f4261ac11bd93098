"""Arrays of one's own: any number of features and classes, any real numbers, from the command line and from Python."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import run_command
from sklearn.datasets import load_wine
from sklearn.preprocessing import MinMaxScaler

import mlp_study as ms
from mlp_study.config.sections import Arrays
from mlp_study.data import sources
from mlp_study.data.scaling import Scaler
from mlp_study.data.split import split_indices
from mlp_study.errors import UserError

X, Y = load_wine(return_X_y=True)  # 178 rows of 13 features, 3 classes
NAMES = np.array(["barolo", "grignolino", "barbera"])[Y]
SHORT = {"trainer.max_epochs": 3, "data.batch_size": 16, "logger": "none"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on arrays from the command line, with TensorBoard: its folder's parent, which holds mine.npz."""
    folder = tmp_path_factory.mktemp("arrays")
    order = np.random.default_rng(0).permutation(len(X))
    x, y = X[order], NAMES[order]
    np.savez(folder / "mine.npz", X=x[:130], y=y[:130], X_test=x[130:], y_test=y[130:])
    np.savez(folder / "new.npz", X=x[130:], y=y[130:])
    np.savez(folder / "unlabelled.npz", X=x[130:])
    words = ["data=arrays", "data.file=mine.npz", "data.stratify=true", "data.val_fraction=0.2", "optim=adam"]
    words += ["optim.lr=0.02", "trainer.max_epochs=8", "data.batch_size=16", "callbacks=checkpoint"]
    done = run_command(*words, "hydra.run.dir=run", cwd=folder)
    assert done.code == 0, done.err
    return folder


def test_a_run_learns_them_and_its_record_is_like_any_other(trained):
    result = json.loads((trained / "run" / "result.json").read_text())
    assert result["status"] == "completed"
    assert result["num_parameters"] == 13 * 100 + 100 + 100 * 3 + 3
    assert result["metrics"]["test_acc"] > 0.85
    assert json.loads((trained / "run" / "classes.json").read_text()) == ["barbera", "barolo", "grignolino"]
    scaler = Scaler.load(trained / "run" / "scaler.npz")
    data = Arrays(file=str(trained / "mine.npz"), stratify=True, val_fraction=0.2)
    raw = sources.load(data)
    rows, held_out = split_indices(data, raw.labels)
    np.testing.assert_allclose(scaler.mean, raw.images[rows].mean(0))
    fractions = [np.bincount(raw.labels[part]) / len(part) for part in (rows, held_out)]
    np.testing.assert_allclose(fractions[0], fractions[1], atol=0.03)  # stratified


def test_predict_judges_and_predicts_them(trained):
    metrics = json.loads((trained / "run" / "result.json").read_text())["metrics"]
    done = run_command("run", cwd=trained, module="mlp_study.predict")
    assert done.code == 0, done.err
    evaluation = json.loads((trained / "run" / "predictions" / "evaluation.json").read_text())
    assert evaluation["acc"] == metrics["test_acc"]
    assert evaluation["loss"] == pytest.approx(metrics["test_loss"], rel=1e-6)
    assert not (trained / "run" / "predictions" / "mistakes.png").exists()  # they are no images
    assert "grignolino" in done.out
    for name in ("new", "unlabelled"):
        arguments = ("run", "--arrays", f"{name}.npz", "--out", name)
        done = run_command(*arguments, cwd=trained, module="mlp_study.predict")
        assert done.code == 0, done.err
        table = pd.read_csv(trained / name / "predictions.csv")
        y = np.load(trained / "new.npz")["y"]
        assert (table["class"] == y).mean() == metrics["test_acc"]
        assert (trained / name / "evaluation.json").exists() == (name == "new")


def test_inspect_and_report_do_without_pictures(trained):
    arguments = ("run", "--embed", "pca", "--num", "40")
    done = run_command(*arguments, cwd=trained, module="mlp_study.inspect")
    assert done.code == 0, done.err
    assert np.load(trained / "run" / "inspection" / "dense_1.npy").shape == (48, 100)
    assert (trained / "run" / "inspection" / "embeddings.html").stat().st_size > 10_000
    done = run_command("run", cwd=trained, module="mlp_study.report")
    assert done.code == 0, done.err
    assert not (trained / "run" / "figures" / "digits.png").exists()


def test_from_python_with_scalings_as_scikit_learns(tmp_path):
    order = np.random.default_rng(1).permutation(len(X))
    study = ms.sweep(
        {"data.scaling": ["standard", "minmax", "none"], "seed": [0, 1], **SHORT},
        folder=tmp_path, data=(X[order], Y[order] + 7), progress=False,
    )  # fmt: skip
    assert len(study) == 6
    assert set(study.best().predict(X)) <= {7, 8, 9}
    run = study.cell({"data.scaling": "minmax"}).runs[0]
    rows, _ = split_indices(run.config.data, Y[order])
    scaler, theirs = Scaler.load(run.folder / "scaler.npz"), MinMaxScaler().fit(X[order][rows])
    np.testing.assert_allclose(scaler.transform(X, np.float64), theirs.transform(X), atol=1e-12)
    saved = list(tmp_path.glob("data-*.npz"))
    assert len(saved) == 1
    # The same arrays are the same study; others are another.
    before = (run.folder / "result.json").stat().st_mtime_ns
    words = {"data.scaling": ["standard", "minmax", "none"], "seed": [0, 1], **SHORT}
    ms.sweep(words, folder=tmp_path, data={"X": X[order], "y": Y[order] + 7}, progress=False)
    assert (run.folder / "result.json").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="another configuration"):
        ms.sweep(words, folder=tmp_path, data=(X[order], Y[order]), progress=False)


def test_images_with_negative_numbers_and_a_test_part_to_validate_on(tmp_path):
    images = np.random.default_rng(0).normal(size=(60, 5, 4)).astype(np.float32)
    labels = (images.mean((1, 2)) > 0).astype(float)
    run = ms.train(
        {"data.validate_on": "test", **SHORT, "logger": "tensorboard"},
        data=(images[:40], labels[:40], images[40:], labels[40:]), folder=tmp_path, progress=False,
    )  # fmt: skip
    assert run.metrics()["val_acc"] == run.metrics()["test_acc"]
    assert run.predict(images[40:]).tolist() == (run.outputs(images[40:])[:, 1] > 0.5).astype(int).tolist()


GOOD = {"X": np.eye(20), "y": np.arange(20) % 2}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({}, "has no array; expected X"),
        ({"X": np.eye(20)}, "has X; expected X"),
        ({**GOOD, "extra": np.ones(3)}, "extra"),
        ({**GOOD, "X_test": np.eye(20)}, "X_test and y_test"),
        ({**GOOD, "X": np.ones(20)}, r"X has shape \(20,\)"),
        ({**GOOD, "X": np.ones((20, 0))}, r"X has shape \(20, 0\)"),
        ({**GOOD, "X": np.full((20, 2), "a")}, "X holds <U1; expected real numbers"),
        ({**GOOD, "X": np.ones((20, 2), complex)}, "complex128; expected real numbers"),
        ({**GOOD, "X": np.full((20, 2), np.inf)}, "not finite"),
        ({**GOOD, "y": np.arange(19) % 2}, r"y has shape \(19,\); expected \(20,\)"),
        ({**GOOD, "y": np.arange(20) / 7}, "expected classes"),
        ({**GOOD, "y": np.zeros(20, int)}, "one class alone"),
        ({**GOOD, "X_test": np.eye(3), "y_test": np.ones(3, int)}, r"X_test \(3, 3\); expected alike"),
        ({**GOOD, "X_test": np.ones((3, 20)), "y_test": np.array([0, 1, 2])}, "y_test has the class 2"),
        ({**GOOD, "X": np.array([object()] * 20)[:, None]}, "not a readable .npz file of plain arrays"),
    ],
)
def test_arrays_that_cannot_be_trained_on_are_refused_before_anything_starts(tmp_path, arrays, said):
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(UserError, match=said) as error:
        ms.train("data=arrays", f"data.file={tmp_path}/mine.npz", folder=tmp_path / "run")
    assert "mine.npz" in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [b"", b"PK no archive", None])
def test_a_file_that_is_no_archive(tmp_path, content):
    if content is None:
        with (tmp_path / "mine.npz").open("wb") as file:
            np.save(file, np.eye(3))
    else:
        (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"mine\.npz: (not a readable|a single array)"):
        sources.load(Arrays(file=str(tmp_path / "mine.npz")))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ((X,), r"expected \(X, y\)"),
        ("mnist", r"expected \(X, y\)"),
        ((X, Y[:5]), "y has shape"),
        ({"X": X}, "has X; expected X"),
    ],
)
def test_wrong_data_from_python(tmp_path, data, said):
    with pytest.raises(UserError, match=f"data: .*{said}"):
        ms.sweep("seed=0", data=data, folder=tmp_path / "study")
    assert not (tmp_path / "study").exists()
    with pytest.raises(UserError, match="as arrays and as a word"):
        ms.train("data=digits", data=(X, Y), folder=tmp_path / "run")


def test_a_class_that_the_run_does_not_know(trained, tmp_path):
    np.savez(tmp_path / "new.npz", X=X, y=Y)
    done = run_command(str(trained / "run"), "--arrays", "new.npz", cwd=tmp_path, module="mlp_study.predict")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "y has the class 0; the run knows barbera, barolo, grignolino" in done.err


@pytest.mark.parametrize("way", [ms.train, ms.sweep])
def test_arrays_from_python_are_not_left_behind_where_the_words_are_refused(tmp_path, way):
    given = np.eye(20), np.arange(20) % 2
    own = tmp_path / "own"
    (own / "seed=0").mkdir(parents=True)
    for folder in (own, own / "seed=0"):
        (folder / "history.csv").write_text("years of work")
    words = ["data.batch_size=4", "trainer.max_epochs=1"] + (["seed=0,1"] if way is ms.sweep else [])
    with pytest.raises(UserError, match="not a run's directory"):
        way(*words, data=given, folder=own, progress=False)
    assert sorted(path.name for path in own.iterdir()) == ["history.csv", "seed=0"]
    for more in ({}, {"engine": "jax"}):
        with pytest.raises(UserError, match="jax" if more else "optim.lr='fast'"):
            way(*words, "optim.lr=0.1" if more else "optim.lr=fast", data=given, folder=tmp_path / "a" / "b", **more)
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_rows_of_unlike_length_are_a_mistake_of_the_users(tmp_path):
    with pytest.raises(UserError, match="data: not arrays: "):
        ms.train(data=([[1, 2], [3]], [0, 1]), folder=tmp_path)
