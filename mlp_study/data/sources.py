"""The sources of images: IDX files, shipped or found elsewhere, Kaggle's CSV, scikit-learn's digits."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlp_study.data import idx
from mlp_study.errors import UserError


@dataclass(frozen=True)
class RawImages:
    """Images as they come, before any scaling.

    Attributes:
        images: (N, pixels), uint8.
        labels: (N,), int64, from 0.
        test_images: (N_test, pixels), uint8, or None where the source has no labelled test images.
        test_labels: (N_test,), int64, or None.
        image_shape: height and width of an image.
        num_classes: how many classes the labels tell apart.
    """

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray | None
    test_labels: np.ndarray | None
    image_shape: tuple[int, int]
    num_classes: int = 10


def load(data: dict[str, Any]) -> RawImages:
    """Read the source that the checked settings `data` name.

    Raises:
        UserError: a file is missing or damaged.
    """
    if data["source"] == "kaggle":
        return _kaggle(data)
    if data["source"] == "digits":
        return _digits()
    with tempfile.TemporaryDirectory() as folder:
        idx.stage(_idx_files(data), into=Path(folder))
        return _read_with_torchvision(Path(folder))


def count_training_images(data: dict[str, Any]) -> int:
    """How many labelled images there are before the split; reads and checks every file on the way, without torch."""
    if data["source"] == "kaggle":
        return len(_kaggle(data).images)
    if data["source"] == "digits":
        return len(_digits().images)
    if _is_yet_to_be_downloaded(data):
        return 60_000  # each of the three datasets that torchvision can download here
    return idx.stage(_idx_files(data), into=None)["train"]


def training_pixels(data: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """All labelled images (N, pixels) uint8 and their labels (N,), before the split, without torch.

    Raises:
        UserError: a file is missing or damaged.
    """
    if data["source"] in ("kaggle", "digits"):
        raw = load(data)
        return raw.images, raw.labels
    files = _idx_files(data)
    parts = []
    for kind, magic in (("images", idx.IMAGES_MAGIC), ("labels", idx.LABELS_MAGIC)):
        shape, content = idx.read(files["train", kind], magic)
        parts.append(np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape[0], -1))
    return parts[0], parts[1][:, 0].astype(np.int64)


def _idx_files(data: dict[str, Any]) -> dict[tuple[str, str], Path]:
    if data["source"] == "mnist" and data["root"] is None:
        if idx.SHIPPED_MNIST.is_dir() and any(idx.SHIPPED_MNIST.glob("*.gz")):
            return idx.find(idx.SHIPPED_MNIST, "MNIST")
        return idx.find(_download("MNIST", Path.home() / ".cache" / "mlp_study"), "MNIST")
    dataset = data.get("dataset", "MNIST")
    root = Path(data["root"]).expanduser()
    if _is_yet_to_be_downloaded(data):
        _download(dataset, root)
    return idx.find(root, dataset)


def _is_yet_to_be_downloaded(data: dict[str, Any]) -> bool:
    if not data.get("download"):
        return False
    try:
        idx.find(Path(data["root"]).expanduser(), data["dataset"])
    except UserError:
        return True
    return False


def _download(dataset: str, root: Path) -> Path:
    """Torchvision's own download, for whoever has a network and no files."""
    from torchvision import datasets

    try:
        getattr(datasets, dataset)(str(root), download=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"data: {dataset} could not be downloaded into {root} ({error}); set data.root to a directory that holds it"
        ) from None
    return root


def _read_with_torchvision(folder: Path) -> RawImages:
    from torchvision.datasets.mnist import read_image_file, read_label_file

    parts = {
        part: (
            read_image_file(str(folder / idx.FILES[part, "images"])).numpy(),
            read_label_file(str(folder / idx.FILES[part, "labels"])).numpy(),
        )
        for part in ("train", "test")
    }
    (images, labels), (test_images, test_labels) = parts["train"], parts["test"]
    height, width = images.shape[1:]
    return RawImages(
        images.reshape(len(images), -1), labels, test_images.reshape(len(test_images), -1), test_labels, (height, width)
    )


def _kaggle(data: dict[str, Any]) -> RawImages:
    from mlp_study.data import kaggle

    images, labels = kaggle.read(data["train_csv"], labelled=True)
    assert labels is not None
    if data["test_csv"] is not None:
        kaggle.read(data["test_csv"], labelled=False)  # fail now, not after the training
    return RawImages(images, labels, None, None, (28, 28))


def _digits() -> RawImages:
    """scikit-learn's 1,797 digits of 8 x 8 pixels, 0 to 16; the last fifth stands for the test images."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images, labels = images.astype(np.uint8), labels.astype(np.int64)
    num_train = len(images) * 4 // 5
    return RawImages(images[:num_train], labels[:num_train], images[num_train:], labels[num_train:], (8, 8))
