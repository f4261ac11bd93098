"""Sources, scaling, splits and batches."""

import gzip
import hashlib
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from mlp_study.config.sections import Digits, Kaggle, Mnist, Torchvision
from mlp_study.data import idx, sklearn_digits, sources
from mlp_study.data.scaling import Scaler
from mlp_study.data.split import split_indices
from mlp_study.engines.datamodule import Batches, ImageDataModule
from mlp_study.errors import UserError

DIGITS = Digits(val_fraction=0.25, split_seed=3)


def test_the_shipped_files_are_the_published_ones():
    for line in (idx.SHIPPED_MNIST / "RAW_MD5SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.md5(gzip.decompress((idx.SHIPPED_MNIST / f"{name}.gz").read_bytes())).hexdigest() == digest
    assert "CC BY-SA 3.0" in (idx.SHIPPED_MNIST / "PROVENANCE.md").read_text()


def test_mnist():
    raw = sources.load(Mnist())
    assert raw.images.shape == (60000, 784)
    assert raw.test_images.shape == (10000, 784)
    assert raw.images.dtype == np.uint8
    assert raw.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert raw.test_labels[:3].tolist() == [7, 2, 1]
    assert raw.images[0].reshape(28, 28)[5].max() > 0


def test_idx_files_of_another_data_set_plain_or_packed_in_torchvisions_layout(tmp_path):
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for (part, kind), name in idx.FILES.items():
        num = 30 if part == "train" else 10
        if kind == "images":
            header = [0x0803, num, 28, 28]
            body = bytes(range(256)) * (num * 784 // 256 + 1)
            content = b"".join(n.to_bytes(4, "big") for n in header) + body[: num * 784]
        else:
            content = b"".join(n.to_bytes(4, "big") for n in (0x0801, num)) + bytes(i % 10 for i in range(num))
        packed = part == "train"
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)
    data = Torchvision(dataset="FashionMNIST", root=str(tmp_path))
    assert sources.survey(data).num_images == 30
    raw = sources.load(data)
    assert raw.images[0, :300].tolist() == [i % 256 for i in range(300)]
    assert raw.test_labels.tolist() == list(range(10))


def test_kaggle_csv_in_any_column_order(tmp_path):
    generator = np.random.default_rng(0)
    table = pd.DataFrame(generator.integers(0, 256, (20, 784)), columns=[f"pixel{i}" for i in range(784)])
    table.insert(0, "label", np.arange(20) % 10)
    table.sample(frac=1, axis=1, random_state=0).to_csv(tmp_path / "train.csv", index=False)
    raw = sources.load(Kaggle(train_csv=str(tmp_path / "train.csv")))
    np.testing.assert_array_equal(raw.images, table.drop(columns="label").to_numpy())
    assert raw.labels.tolist() == table["label"].tolist()
    assert raw.test_images is None


def test_standard_scaling_is_scikit_learns_fitted_on_the_training_part_only():
    data = ImageDataModule(DIGITS, seed=0, dtype=torch.float64)
    data.setup()
    raw = sources.load(DIGITS)
    train, val = split_indices(DIGITS, raw.labels)
    theirs = StandardScaler().fit(raw.images[train].astype(np.float64))
    assert (theirs.var_ == 0).any(), "no constant pixel: the test would not see how one is handled"
    for images, (ours, _) in (
        (raw.images[train], data.train),
        (raw.images[val], data.val),
        (raw.test_images, data.test),
    ):
        np.testing.assert_allclose(ours.numpy(), theirs.transform(images.astype(np.float64)), rtol=0, atol=1e-13)


def test_scaling_is_scikit_learns_to_the_bit_where_columns_are_constant_but_for_rounding_too():
    generator = np.random.default_rng(0)
    for num, offset, spread in ((2, 0.1, 0.0), (900, 1e8, 1e-9), (900, 3e4, 1e3), (1, 5.0, 1.0)):
        table = offset + spread * generator.normal(size=(num, 7))
        ours, theirs = Scaler.fit("standard", table), StandardScaler().fit(table)
        np.testing.assert_array_equal(ours.mean, theirs.mean_)
        np.testing.assert_array_equal(ours.scale, theirs.scale_)


def test_the_digits_are_scikit_learns_from_its_file_or_if_it_moves_from_itself(monkeypatch):
    images, labels = load_digits(return_X_y=True)
    for find in (find_spec, lambda name: None):
        monkeypatch.setattr(sklearn_digits, "find_spec", find)
        found = sklearn_digits.read()
        np.testing.assert_array_equal(found[0], images)
        np.testing.assert_array_equal(found[1], labels)


def test_other_scalings(tmp_path):
    images = np.array([[0, 128, 255, 7]], np.uint8)
    np.testing.assert_allclose(Scaler.fit("minmax", images).transform(images), images / np.float32(255), rtol=1e-6)
    np.testing.assert_array_equal(Scaler.fit("none", images).transform(images), images.astype(np.float32))
    fitted = Scaler.fit("standard", np.array([[0, 1], [2, 1]], np.uint8))
    fitted.save(tmp_path / "scaler.npz")
    read = Scaler.load(tmp_path / "scaler.npz")
    np.testing.assert_array_equal(read.mean, fitted.mean)
    np.testing.assert_array_equal(read.scale, [1.0, 1.0])
    (tmp_path / "bad.npz").write_bytes(b"PK no archive")
    with pytest.raises(UserError, match=r"bad\.npz"):
        Scaler.load(tmp_path / "bad.npz")


def test_random_split_is_scikit_learns():
    labels = np.arange(1000) % 10
    for stratify in (False, True):
        data = replace(DIGITS, val_fraction=0.13, stratify=stratify)
        ours = split_indices(data, labels)
        theirs = train_test_split(
            np.arange(1000), test_size=0.13, random_state=3, stratify=labels if stratify else None
        )
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_last_split_is_keras_validation_split():
    train, val = split_indices(replace(DIGITS, split="last", val_fraction=0.2, batch_size=1), np.zeros(11))
    assert train.tolist() == list(range(8))  # int(11 * (1 - 0.2))
    assert val.tolist() == [8, 9, 10]
    train, val = split_indices(replace(DIGITS, val_fraction=0.0), np.zeros(50))
    assert (len(train), len(val)) == (50, 0)


def test_validation_on_the_test_images_leaves_the_training_part_as_it_is():
    held_out, on_test = (ImageDataModule(replace(DIGITS, validate_on=where), seed=0) for where in ("held_out", "test"))
    for module in (held_out, on_test):
        module.setup()
    assert torch.equal(held_out.train[0], on_test.train[0])
    assert torch.equal(on_test.val[0], on_test.test[0])
    assert torch.equal(on_test.val[1], on_test.test[1])
    assert not torch.equal(held_out.val[1], on_test.val[1])


def test_training_pixels_need_no_torch_and_are_the_same():
    for data in (Mnist(), DIGITS):
        pixels, labels, shape = sources.training_pixels(data)
        raw = sources.load(data)
        assert np.array_equal(pixels, raw.images)
        assert np.array_equal(labels, raw.labels)
        assert shape == raw.image_shape


def test_an_epoch_shows_every_image_once_in_a_new_seeded_order():
    images, labels = torch.arange(103.0)[:, None], torch.arange(103)

    def epochs(seed, **kwargs):
        batches = Batches(images, labels, batch_size=10, steps_per_execution=3, seed=seed, **kwargs)
        return [torch.cat([y for _, y in batches]).tolist() for _ in range(2)], len(batches)

    (first, second), num_blocks = epochs(0)
    assert num_blocks == 4
    assert sorted(first) == sorted(second) == list(range(103))
    assert first != second
    assert epochs(0)[0] == [first, second]
    assert epochs(1)[0] != [first, second]
    assert [len(epoch) for epoch in epochs(0, limit=4)[0]] == [40, 40]
