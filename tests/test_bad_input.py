"""What a user can get wrong, through the command line: one line, no traceback, exit code 2, no torch imported."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from conftest import WITHOUT_TORCH, run_command, run_python
from mnist_part import idx_file, idx_folder

from mlp_study.data.idx import FILES

# Arguments, and what the message must quote and offer.
CASES = [
    ("optim=sdg", "sdg", "sgd, sgd_keras3"),
    ("init=glorott", "glorott", "glorot_uniform"),
    ("bias_init=zeroes", "zeroes", "zeros"),
    ("data=mnsit", "mnsit", "mnist"),
    ("trainer=gpu", "gpu", "cuda"),
    ("experiment=nothing", "nothing", "quick"),
    ("logger=wandb", "wandb", "tensorboard"),
    ("callbacks=[stop]", "stop", "early_stopping"),
    ("schedule=linear", "linear", "one_cycle"),
    ("optimizer=sgd", "optimizer", "optim"),
    ("optim.learning_rate=1", "learning_rate", "lr"),
    ("model.hiden=[10]", "hiden", "hidden"),
    ("+extra=1", "extra", "seed"),
    ("+model.extra=1", "extra", "hidden"),
    ("optim.lr=abc", "abc", "a number > 0"),
    ("optim.lr=-1", "-1", "a number > 0"),
    ("optim.lr=0", "0", "a number > 0"),
    ("optim.lr=nan", "nan", "a number > 0"),
    ("optim.lr=inf", "inf", "a number > 0"),
    ("optim.lr=null", "null", "a number > 0"),
    ("trainer.max_epochs=0", "0", ">= 1"),
    ("trainer.max_epochs=2.5", "2.5", "whole number"),
    ("trainer.max_epochs=many", "many", "whole number"),
    ("data.batch_size=0", "0", ">= 1"),
    ("data.batch_size=-32", "-32", ">= 1"),
    ("data.batch_size=nan", "nan", "whole number"),
    ("data.batch_size=60001", "60001", "at most 54000"),
    ("model.hidden=[100,0]", "0", ">= 1"),
    ("model.hidden=[-5]", "-5", ">= 1"),
    ("model.hidden=wide", "wide", "a list"),
    ("model.dropout=1", "1", "< 1"),
    ("model.dropout=1.5", "1.5", "< 1"),
    ("model.dropout=-0.1", "-0.1", ">= 0"),
    ("model.l2=-1", "-1", ">= 0"),
    ("model.batch_norm=yess", "yess", "true or false"),
    ("data.val_fraction=1", "1", "< 1"),
    ("data.val_fraction=-0.1", "-0.1", ">= 0"),
    ("data.val_fraction=nan", "nan", "< 1"),
    ("model.activation=rleu", "rleu", "sigmoid, tanh, relu"),
    ("loss=crossentropy", "crossentropy", "cross_entropy, binary_cross_entropy, mse"),
    ("init.name=xavier", "xavier", "glorot_uniform"),
    ("data.scaling=zscore", "zscore", "standard, minmax, none"),
    ("data.split=first", "first", "random, last"),
    ("model.hidden=[10,20] model.activation=[tanh]", "tanh", "a list of 2"),
    ("model.hidden=[10,20] model.dropout=[0.1,0.2,0.3]", "0.3", "a list of 2"),
    ("model.names=[a,b,c]", "a", "give 2"),
    ("model.names=[a,a]", "a", "distinct"),
    ("model.names=[dropout_1,a] model.dropout=0.1", "dropout_1", "expected another"),
    ("seed=1.5", "1.5", "whole number"),
    ("seed=one", "one", "whole number"),
    ("seed=-1", "-1", ">= 0"),
    ("seed=true", "true", "whole number"),
    ("trainer.precision=8", "8", "64-true"),
    ("loss=cross_entropy model.output_activation=sigmoid", "sigmoid", "softmax"),
    ("callbacks=early_stopping data.val_fraction=0", "val_loss", "train_loss"),
    ("init=uniform init.low=1 init.high=0", "1", "low <= high"),
    ("bias_init.name=orthogonal +bias_init.gain=1", "orthogonal", "zeros"),
    ("data.stratify=true data.split=last", "true", "random"),
    ("data.root=nowhere", "nowhere", "train-images-idx3-ubyte"),
    ("data=kaggle data.train_csv=nowhere.csv", "nowhere.csv", "no such file"),
    ("data=digits model.batch_norm=true data.val_fraction=0 data.batch_size=1436", "1436", "another"),
    ("optim.lr=${nothing}", "nothing", "optim.lr"),
    ("model.hidden=[10", "model.hidden=[10", "cannot read"),
    ("-m optim=sgd,adan", "adan", "adam"),
    ("-m optim.lr=0.1,-0.1", "-0.1", "a number > 0"),
    ("-m seed=0,1 data.batch_size=32,100000", "100000", "at most"),
    ("hydra.run.dir=/dev/null/run", "/dev/null/run", "Not a directory"),
    ("-m seed=0,1 hydra.sweep.dir=/dev/null/sweep", "/dev/null/sweep", "cannot be written"),
]


def assert_one_line(outcome, quoted: str, offered: str, folder: Path) -> None:
    assert outcome.code == 2, outcome
    errors = outcome.err.splitlines()
    assert len(errors) == 1, outcome.err
    assert errors[0].startswith("mlp_study: error: ")
    assert quoted in errors[0]
    assert offered in errors[0]
    assert outcome.out == ""
    assert "hydra" in outcome.imported
    assert not {"torch", "lightning", "torchvision"} & set(outcome.imported)
    assert not (folder / "outputs").exists(), "something was started"


@pytest.fixture
def mistaken(tmp_path):
    """The command line in an empty directory, in a process that has no torch unless the command itself imports it."""

    def run(*arguments: str):
        return run_command(*arguments, cwd=tmp_path, warm=WITHOUT_TORCH)

    return run


@pytest.mark.parametrize(("arguments", "quoted", "offered"), CASES, ids=[case[0] for case in CASES])
def test_mistake(mistaken, tmp_path, arguments, quoted, offered):
    assert_one_line(mistaken(*arguments.split()), quoted, offered, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "quoted", "offered"),
    [case for case in CASES if case[0] in ("optim=sdg", "data.root=nowhere", "-m optim.lr=0.1,-0.1")],
)
def test_mistake_in_an_interpreter_that_has_imported_nothing(tmp_path, arguments, quoted, offered):
    assert_one_line(run_python(*arguments.split(), cwd=tmp_path), quoted, offered, tmp_path)


@pytest.mark.skipif("__import__('torch').cuda.is_available()")
def test_cuda_asked_for_where_there_is_none(mistaken, tmp_path):
    assert_one_line(mistaken("trainer=cuda"), "cuda", "auto or cpu", tmp_path)


IMAGES = "train-images-idx3-ubyte"


@pytest.mark.parametrize(
    ("damage", "quoted", "offered"),
    [
        (lambda good: b"", IMAGES, "0x00000803"),
        (lambda good: b"\x00\x00\x08\x01" + good[4:], IMAGES, "0x00000801"),
        (lambda good: good[:-10], IMAGES, "asks for 15696"),
        (lambda good: good + b"\x00", IMAGES, "asks for 15696"),
        (lambda good: good[:4] + (19).to_bytes(4, "big") + good[8:-784], IMAGES, "19 images, but 20 labels"),
        (lambda good: good[:4] + (0).to_bytes(4, "big") + good[8:16], IMAGES, "0 images, but 20"),
    ],
    ids=["empty", "wrong magic number", "truncated", "too long", "fewer images than labels", "no images"],
)
def test_damaged_idx_images(mistaken, tmp_path, damage, quoted, offered):
    good = (idx_folder(tmp_path / "good") / IMAGES).read_bytes()
    idx_folder(tmp_path / "bad", train_images=damage(good))
    assert_one_line(mistaken("data.root=bad"), quoted, offered, tmp_path)


@pytest.mark.parametrize("missing", FILES.values())
def test_missing_idx_file(mistaken, tmp_path, missing):
    (idx_folder(tmp_path / "bad") / missing).unlink()
    assert_one_line(mistaken("data.root=bad"), missing, "missing", tmp_path)


def test_label_beyond_nine(mistaken, tmp_path):
    labels = idx_file("train-labels-idx1-ubyte")
    idx_folder(tmp_path / "bad", train_labels=labels[:4] + (20).to_bytes(4, "big") + bytes([3] * 19 + [10]))
    assert_one_line(mistaken("data.root=bad"), "10", "0 to 9", tmp_path)


def test_truncated_gzip(mistaken, tmp_path):
    folder = idx_folder(tmp_path / "bad")
    packed = gzip.compress((folder / IMAGES).read_bytes())
    (folder / IMAGES).unlink()
    (folder / f"{IMAGES}.gz").write_bytes(packed[:-20])
    assert_one_line(mistaken("data.root=bad"), f"{IMAGES}.gz", "damaged", tmp_path)


def csv_text(rows: int = 40) -> list[list[str]]:
    generator = np.random.default_rng(0)
    header = ["label", *(f"pixel{i}" for i in range(784))]
    return [header, *([str(i % 10), *map(str, generator.integers(0, 256, 784))] for i in range(rows))]


@pytest.mark.parametrize(
    ("row", "column", "value", "quoted", "offered"),
    [
        (0, 0, "digit", "label", "expected label,pixel0..pixel783"),
        (0, 5, "pixelfour", "pixel4", "expected label,pixel0..pixel783"),
        (3, 7, "dark", "dark", "0 to 255"),
        (3, 7, "256", "256", "0 to 255"),
        (3, 7, "-1", "-1", "0 to 255"),
        (3, 7, "1.5", "1.5", "0 to 255"),
        (3, 7, "", "line 4, column pixel6", "0 to 255"),
        (2, 0, "10", "10", "0 to 9"),
        (2, 0, "two", "two", "0 to 9"),
    ],
)
def test_damaged_csv(mistaken, tmp_path, row, column, value, quoted, offered):
    rows = csv_text()
    rows[row][column] = value
    (tmp_path / "train.csv").write_text("\n".join(map(",".join, rows)))
    assert_one_line(mistaken("data=kaggle"), quoted, offered, tmp_path)


@pytest.mark.parametrize(
    ("content", "offered"),
    [
        (b"", "not a readable CSV"),
        (b"\xff\xfe\x00\x81" * 9, "not a readable CSV"),
        (b"label,pixel0\n", "lacks the column"),
    ],
)
def test_no_csv_at_all(mistaken, tmp_path, content, offered):
    (tmp_path / "train.csv").write_bytes(content)
    assert_one_line(mistaken("data=kaggle"), "train.csv", offered, tmp_path)


def test_damaged_csv_to_predict_is_seen_before_training(mistaken, tmp_path):
    (tmp_path / "train.csv").write_text("\n".join(map(",".join, csv_text())))
    (tmp_path / "test.csv").write_text("pixel0,pixel1\n1,2\n")
    outcome = mistaken("data=kaggle", "data.test_csv=test.csv")
    assert_one_line(outcome, "test.csv", "expected pixel0..pixel783", tmp_path)
