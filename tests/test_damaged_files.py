"""Whatever data are read from files is checked: what is damaged is one line that names it, and takes no memory."""

import bz2
import gzip
import lzma
import os
import zipfile

import numpy as np
import pytest
from conftest import WITHOUT_TORCH, run_command
from damaged import bounded, not_files, npy, ran_out_of_memory, refused, zipped
from mnist_part import idx_file, idx_folder
from PIL import Image

from mlp_study import reading
from mlp_study.commands import inspecting, predicting, reporting
from mlp_study.config.sections import Arrays, Kaggle, Mnist
from mlp_study.data import idx, kaggle, sources
from mlp_study.data.scaling import Scaler
from mlp_study.errors import UserError
from mlp_study.execution.carry_out import carry_out
from mlp_study.sweeps.words import single_run

QUICK = ["data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "logger=none", "model.hidden=[4]"]


def test_only_regular_files_are_read(tmp_path):
    for name, said in not_files(tmp_path).items():
        path = tmp_path / name
        for read in (
            lambda: sources.load(Kaggle(train_csv=str(path))),  # noqa: B023
            lambda: sources.load(Arrays(file=str(path))),  # noqa: B023
            lambda: idx.read(path, idx.IMAGES_MAGIC),  # noqa: B023
            lambda: Scaler.load(path),  # noqa: B023
        ):
            refused(path, said, read)


# Kaggle's CSV


def csv_lines(num_rows=12, labelled=True):
    rows = np.random.default_rng(0).integers(0, 256, (num_rows, 784)).astype(str).tolist()
    first = ["label"] * labelled
    return [first + kaggle.PIXELS, *([str(i % 10)] * labelled + row for i, row in enumerate(rows))]


def written(path, lines):
    path.write_text("\n".join(map(",".join, lines)) + "\n")
    return path


@pytest.mark.parametrize("labelled", [True, False, None])
@pytest.mark.parametrize("rows", [[1], [2], [12], range(1, 13)], ids=["first", "second", "last", "all"])
@pytest.mark.parametrize("change", ["longer", "shorter"])
def test_rows_that_are_longer_or_shorter_than_the_header(tmp_path, change, rows, labelled):
    lines = csv_lines(labelled=labelled is not False)
    for i in rows:
        lines[i] = [*lines[i], "0"] if change == "longer" else lines[i][:-1]
    path = written(tmp_path / "train.csv", lines)
    refused(path, "more fields|not a readable CSV.*fields|line .* column pixel783", lambda: kaggle.read(path, labelled))


def test_a_long_csv_is_read_in_blocks_and_its_lines_are_counted_through(tmp_path, monkeypatch):
    monkeypatch.setattr(kaggle, "BLOCK", 10_000)
    lines = csv_lines(16)
    images, labels = kaggle.read(written(tmp_path / "train.csv", lines), labelled=True)
    assert images.astype(str).tolist() == [line[1:] for line in lines[1:]]
    assert labels.astype(str).tolist() == [line[0] for line in lines[1:]]
    lines[15][3] = "dark"
    path = written(tmp_path / "train.csv", lines)
    refused(path, "line 16, column pixel2: 'dark'", lambda: kaggle.read(path, labelled=True))
    lines[15] = ["True"] * 785
    path = written(tmp_path / "train.csv", lines)
    refused(path, "line 16, column pixel0: 'True'", lambda: kaggle.read(path, labelled=True))


PACKED = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zip": lambda content: zipped({"train.csv": content}),
}


@pytest.mark.parametrize("ending", PACKED)
def test_packed_csv_files(tmp_path, ending):
    plain = written(tmp_path / "train.csv", csv_lines())
    path = tmp_path / f"train.csv{ending}"
    packed = PACKED[ending](plain.read_bytes())
    path.write_bytes(packed)
    for ours, theirs in zip(kaggle.read(path, True), kaggle.read(plain, True), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for damaged in (packed[:-30], packed[:50], b"", b"text", bytes(100), packed[:200] + bytes(100) + packed[300:]):
        path.write_bytes(damaged)
        refused(path, "not a readable CSV|lacks the column", lambda: kaggle.read(path, labelled=True))


@pytest.mark.parametrize("ending", [".gz", ".xz"])
@pytest.mark.parametrize("line", [b"0", b"0,", b'"0\n', b"\n"], ids=["digits", "fields", "quotation", "blank"])
def test_a_csv_bomb_takes_no_memory(tmp_path, ending, line):
    path = tmp_path / f"train.csv{ending}"
    header = ",".join(["label", *kaggle.PIXELS]).encode() + b"\n"
    packed = PACKED[ending](line * (2**24 // len(line)))
    path.write_bytes(PACKED[ending](header) + packed * 24)  # 400 MB; streams one behind the other are one file
    with bounded(300), pytest.raises(UserError, match=r"not a readable CSV|holds no image|line ") as error:
        kaggle.read(path, labelled=True)
    assert not ran_out_of_memory(error.value)


def test_zst_without_its_package_and_archives_of_several_files(tmp_path):
    (tmp_path / "train.csv.zip").write_bytes(zipped({"a.csv": b"", "b.csv": b""}))
    refused(tmp_path, "archive of 2 files", lambda: kaggle.read(tmp_path / "train.csv.zip", True))
    (tmp_path / "train.csv.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    refused(tmp_path, "zstandard|not a readable CSV", lambda: kaggle.read(tmp_path / "train.csv.zst", True))


# IDX


def test_idx_images_without_pixels(tmp_path):
    for i, (height, width) in enumerate([(0, 28), (28, 0), (0, 0)]):
        sizes = b"".join(n.to_bytes(4, "big") for n in (0x803, 20, height, width))
        folder = idx_folder(tmp_path / str(i), train_images=sizes, test_images=sizes)
        for read in (sources.survey, sources.load, sources.training_pixels):
            refused(folder, "its images have no pixels: 20 x", lambda: read(Mnist(root=str(folder))))  # noqa: B023


def test_an_idx_file_is_unpacked_no_further_than_its_header_says(tmp_path):
    folder = idx_folder(tmp_path / "bomb")
    name = folder / "train-images-idx3-ubyte"
    good = name.read_bytes()
    name.unlink()
    zeros = gzip.compress(bytes(2**26))
    packed = folder / "train-images-idx3-ubyte.gz"
    packed.write_bytes(gzip.compress(good) + zeros * 48)  # 3 MB, 3 GiB
    assert packed.stat().st_size < 4e6
    refused(packed, "more than 15696 bytes.*asks for 15696", lambda: sources.survey(Mnist(root=str(folder))))
    for huge, said in ((2**32 - 1, "GiB; too much for this machine"), (500_000, "15696 bytes, where")):
        packed.write_bytes(gzip.compress(good[:4] + huge.to_bytes(4, "big") + good[8:]))
        refused(packed, said, lambda: sources.survey(Mnist(root=str(folder))))


def test_images_that_are_not_square(tmp_path, capsys):
    for part in ("train", "test"):
        content = idx_file("train-images-idx3-ubyte")
        halves = b"".join(n.to_bytes(4, "big") for n in (0x803, 40, 28, 14)) + content[16 : 16 + 40 * 392]
        folder = idx_folder(tmp_path / part, 40, 40, train_images=halves, test_images=halves)
    run = single_run([f"data.root={folder}", *QUICK[1:], "callbacks=checkpoint"], tmp_path / "run")
    assert carry_out([run], "lightning")[0].status == "completed"
    predicting.main([str(run.folder)])
    inspecting.main([str(run.folder), "--embed", "pca", "--num", "20"])
    assert "digits" in reporting.drawings(run.folder)
    with Image.open(run.folder / "predictions" / "mistakes.png") as picture:
        shown = np.asarray(picture.convert("L"))[14:70, :56]  # the first: 54 high, 27 wide, in the middle
    assert (shown[:, :14] == 255).all()
    assert (shown[:, 42:] == 255).all()
    assert (shown[1:55, 15:41] < 255).mean() > 0.9
    for option, name in (("--images", "4.png"), ("--csv", "test.csv")):
        with pytest.raises(SystemExit):
            predicting.main([str(run.folder), option, name])
        said = f"{option}: {run.folder} takes 392 numbers an image; expected a run on images of 28 x 28\n"
        assert capsys.readouterr().err.endswith(said)


# Arrays


X, Y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (npy(X, shape=(2**40, 3)), "X.npy holds 480 bytes, where its header, float64"),
        (npy(X, shape=(2**40, 2**40)), "X.npy holds 480 bytes"),
        (npy(X, shape=(19, 3)), "X.npy holds 480 bytes"),
        (npy(X, shape=(-20, -3)), "not a readable"),
        (npy(X, descr="|O"), "holds objects"),
        (npy(X, descr="|V0"), "X.npy holds"),
        (npy(X)[:-1], "X.npy holds 479 bytes"),
        (npy(X)[:20], "not a readable"),
        (b"no array", "not a readable"),
        (npy(X * 1e200), "expected numbers up to 1e[+]100"),
    ],
)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_arrays_whose_headers_lie(tmp_path, x, said, method):
    path = tmp_path / "mine.npz"
    path.write_bytes(zipped({"X.npy": x, "y.npy": npy(Y)}, method))
    refused(path, said, lambda: sources.load(Arrays(file=str(path))))


def test_a_bomb_of_arrays_and_other_archives(tmp_path, monkeypatch):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, X=X, y=Y)
    assert sources.load(Arrays(file=str(path))).num_classes == 2
    monkeypatch.setattr(reading, "physical_memory", lambda: 2**28)
    np.savez_compressed(path, X=np.zeros((2**22, 5)), y=np.zeros(2**22))
    assert path.stat().st_size < 1e6
    refused(path, "0.2 GiB when unpacked; half of this machine", lambda: sources.load(Arrays(file=str(path))))
    path.write_bytes(zipped({"X.npy": npy(X), "notes.txt": b"mine"}))
    refused(path, "'notes.txt' is no array", lambda: sources.load(Arrays(file=str(path))))


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.array(["a", "b"] * 10).view(np.uint32) + 2**31, "cannot be written"),
        (np.array(["a", "\ud800"] * 10), "cannot be written"),
        (np.array([b"a", b"\xff"] * 10), "cannot be written"),
        (np.array([0, np.inf] * 10), "expected classes"),
        (np.array([0, 1e300] * 10), "expected classes"),
    ],
)
def test_classes_that_cannot_be_written(tmp_path, y, said):
    path = tmp_path / "mine.npz"
    np.savez(path, X=X, y=y.view("<U1") if y.dtype == np.uint32 else y)
    refused(path, said, lambda: sources.load(Arrays(file=str(path))))


def test_classes_that_are_bytes_are_texts(tmp_path):
    np.savez(tmp_path / "mine.npz", X=X, y=np.array([b"no", b"yes"])[Y])
    assert sources.load(Arrays(file=str(tmp_path / "mine.npz"))).classes.tolist() == ["no", "yes"]


def test_damaged_data_files_are_seen_before_torch_is_imported(tmp_path):
    written(tmp_path / "train.csv", csv_lines())
    (tmp_path / "train.csv.xz").write_bytes(lzma.compress((tmp_path / "train.csv").read_bytes())[:-40])
    np.savez(tmp_path / "mine.npz", X=X, y=np.append(np.zeros(19, int), 7))
    os.mkfifo(tmp_path / "pipe")
    for words, said in (
        (["data=kaggle", "data.train_csv=train.csv.xz"], "train.csv.xz: not a readable CSV file"),
        (["data=arrays", "data.file=pipe"], "pipe: a pipe"),
        (["data=arrays", "data.file=mine.npz", "data.stratify=true", "data.batch_size=1"], "class 7 has one image"),
    ):
        done = run_command(*words, cwd=tmp_path, warm=WITHOUT_TORCH)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert said in done.err
        assert "torch" not in done.imported
    assert not (tmp_path / "outputs").exists()
