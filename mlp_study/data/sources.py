"""The sources of images: IDX files, shipped or found elsewhere, Kaggle's CSV, scikit-learn's digits, own arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlp_study.config.sections import Arrays, Data, Digits, Kaggle, Mnist, Torchvision
from mlp_study.data import idx, sklearn_digits
from mlp_study.errors import UserError


@dataclass(frozen=True)
class RawImages:
    """Images as they come, before any scaling.

    Attributes:
        images: (N, pixels), uint8; of own arrays any real numbers.
        labels: (N,), int64, from 0.
        test_images: (N_test, pixels), the same, or None where the source has no labelled test images.
        test_labels: (N_test,), int64, or None.
        image_shape: height and width of an image; None where rows are no images.
        largest: the largest value that the format can hold; None where it knows none.
        classes: what the labels stand for: (classes,), numbers or texts.
    """

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray | None
    test_labels: np.ndarray | None
    image_shape: tuple[int, int] | None
    largest: float | None = 255.0
    classes: np.ndarray = field(default_factory=lambda: np.arange(10))

    @property
    def num_classes(self) -> int:
        """How many classes the labels tell apart."""
        return len(self.classes)


def load(data: Data) -> RawImages:
    """Read a source.

    Raises:
        UserError: a file is missing or damaged.
    """
    if isinstance(data, Kaggle):
        return _kaggle(data)
    if isinstance(data, Arrays):
        return _arrays(data)
    if isinstance(data, Digits):
        return _digits()
    return _idx(data)


class Survey(NamedTuple):
    """What a source holds: number of labelled images before the split, pixels of each, classes, the labels (N,) from 0.

    The labels are None where they are yet to be downloaded; `has_test` is whether there are labelled test images.
    """

    num_images: int
    in_size: int
    classes: np.ndarray
    labels: np.ndarray | None
    has_test: bool


def survey(data: Data) -> Survey:
    """What `data` holds; reads and checks every file on the way, without torch.

    Raises:
        UserError: a file is missing or damaged.
    """
    if isinstance(data, (Kaggle, Arrays, Digits)):
        raw = load(data)
        num_images, in_size = raw.images.shape
        return Survey(num_images, in_size, raw.classes, raw.labels, raw.test_images is not None)
    if _is_yet_to_be_downloaded(data):
        return Survey(60_000, 784, np.arange(10), None, True)  # each of the three that torchvision can download here
    part, _ = idx.read_parts(_idx_files(data))
    return Survey(part.num, math.prod(part.size), np.arange(10), part.digits(), True)


def training_pixels(data: Data) -> tuple[np.ndarray, np.ndarray, tuple[int, int] | None]:
    """All labelled images (N, pixels), their labels (N,) and the images' height and width, before the split.

    Without torch.

    Raises:
        UserError: a file is missing or damaged.
    """
    if isinstance(data, (Kaggle, Arrays, Digits)):
        raw = load(data)
        return raw.images, raw.labels, raw.image_shape
    part = idx.read_part(_idx_files(data), "train")
    return part.pixels(), part.digits(), part.size


def fingerprint(data: Data) -> tuple[tuple[str, int, int], ...]:
    """Path, size and time of the files that `data` reads: what was read before is read anew once one has changed."""
    if isinstance(data, Kaggle):
        paths = [Path(path) for path in (data.train_csv, data.test_csv) if path is not None]
    elif isinstance(data, Arrays):
        paths = [Path(data.file)]
    else:
        root = getattr(data, "root", None)
        paths = sorted(Path(root).expanduser().rglob("*-ubyte*")) if root is not None else []
    stats = [(path, path.stat()) for path in paths if path.is_file()]
    return tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats)


def _idx_files(data: Data) -> dict[tuple[str, str], Path]:
    if isinstance(data, Mnist) and data.root is None:
        if idx.SHIPPED_MNIST.is_dir() and any(idx.SHIPPED_MNIST.glob("*.gz")):
            return idx.find(idx.SHIPPED_MNIST, "MNIST")
        return idx.find(_download("MNIST", Path.home() / ".cache" / "mlp_study"), "MNIST")
    assert isinstance(data, (Mnist, Torchvision))
    assert data.root is not None
    dataset, root = data.dataset if isinstance(data, Torchvision) else "MNIST", Path(data.root).expanduser()
    if _is_yet_to_be_downloaded(data):
        _download(dataset, root)
    try:
        return idx.find(root, dataset)
    except UserError as error:
        if not isinstance(data, Torchvision):
            raise
        raise UserError(f"{error}; data.download=true fetches {dataset} into it") from None


def _is_yet_to_be_downloaded(data: Data) -> bool:
    if not isinstance(data, Torchvision) or not data.download:
        return False
    try:
        idx.find(Path(data.root).expanduser(), data.dataset)
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


def _idx(data: Data) -> RawImages:
    train, test = idx.read_parts(_idx_files(data))
    return RawImages(train.pixels(), train.digits(), test.pixels(), test.digits(), train.size)


def _kaggle(data: Kaggle) -> RawImages:
    from mlp_study.data import kaggle

    images, labels = kaggle.read(data.train_csv, labelled=True)
    assert labels is not None
    if data.test_csv is not None:
        kaggle.read(data.test_csv, labelled=False)  # fail now, not after the training
    return RawImages(images, labels, None, None, (28, 28))


def _arrays(data: Arrays) -> RawImages:
    from mlp_study.data import arrays

    found = arrays.read(data.file)
    for name in found.keys() & {"y", "y_test"}:
        found[name] = arrays.plain_classes(found[name])
    classes, labels = np.unique(found["y"], return_inverse=True)
    shape = found["X"].shape
    parts = {name: found[name].reshape(len(found[name]), -1) for name in ("X", "X_test") if name in found}
    return RawImages(
        parts["X"],
        labels.astype(np.int64),
        parts.get("X_test"),
        np.searchsorted(classes, found["y_test"]).astype(np.int64) if "y_test" in found else None,
        (shape[1], shape[2]) if len(shape) == 3 else None,
        largest=None,
        classes=classes,
    )


def _digits() -> RawImages:
    """scikit-learn's 1,797 digits of 8 x 8 pixels, 0 to 16; the last fifth stands for the test images."""
    pixels, labels = sklearn_digits.read()
    num_train = len(pixels) * 4 // 5
    return RawImages(
        pixels[:num_train], labels[:num_train], pixels[num_train:], labels[num_train:], (8, 8), largest=16.0
    )
