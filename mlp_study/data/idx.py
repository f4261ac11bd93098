"""IDX files, the format of MNIST: find the four files of a dataset, check and read them.

Everything here works before torch is imported, so that a damaged file is reported at once.
"""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlp_study.errors import UserError
from mlp_study.reading import GIB, check_regular, decoding, physical_memory

SHIPPED_MNIST = Path(__file__).parent / "mnist"
IMAGES_MAGIC, LABELS_MAGIC = 0x0803, 0x0801
BLOCK = 2**22  # bytes read at a time
FILES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}


def find(root: Path, dataset: str) -> dict[tuple[str, str], Path]:
    """The four IDX files, plain or .gz, in `root` or in torchvision's `root/<dataset>/raw`.

    Raises:
        UserError: naming the first file that is in neither place.
    """
    if not root.is_dir():
        raise UserError(f"data.root='{root}': no such directory; expected one that holds {', '.join(FILES.values())}")
    places = [root / dataset / "raw", root]
    found = {}
    for key, name in FILES.items():
        candidates = [place / f"{name}{ending}" for place in places for ending in ("", ".gz")]
        existing = [path for path in candidates if path.is_file()]
        if not existing:
            raise UserError(f"data.root='{root}': {name}(.gz) is missing there and in {dataset}/raw")
        found[key] = existing[0]
    return found


def read(path: Path, magic: int) -> tuple[tuple[int, ...], bytes]:
    """The dimensions and the whole content, uncompressed, of an IDX file of unsigned bytes.

    No more is read, or unpacked, than the header asks for.

    Raises:
        UserError: the file cannot be read, is damaged, truncated, too long, or of another kind.
    """
    check_regular(path)
    kind, header = "images" if magic == IMAGES_MAGIC else "labels", 4 + 4 * (magic & 0xFF)
    with decoding(path, "damaged or unreadable"), gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        content = file.read(header)
        if len(content) < header or int.from_bytes(content[:4], "big") != magic:
            raise UserError(
                f"{path}: starts with 0x{content[:4].hex()}; an IDX file of {kind} starts with 0x{magic:08x}"
            )
        shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, header, 4))
        asked, written = header + math.prod(shape), " x ".join(map(str, shape))
        if asked > physical_memory() // 2:
            raise UserError(f"{path}: its header ({written}) asks for {asked / GIB:.1f} GiB; too much for this machine")
        blocks = [content]
        while block := file.read(min(BLOCK, asked + 1 - sum(map(len, blocks)))):  # one more: is there more?
            blocks.append(block)
    content = b"".join(blocks)
    if len(content) != asked:
        there = f"more than {asked}" if len(content) > asked else len(content)
        raise UserError(f"{path}: damaged: {there} bytes, where its header ({written}) asks for {asked}")
    if 0 in shape[1:]:
        raise UserError(f"{path}: its images have no pixels: {written}")
    return shape, content


class Part(NamedTuple):
    """The training or the test images: how many, height and width, and two whole files, uncompressed."""

    num: int
    size: tuple[int, int]
    images: bytes
    labels: bytes

    def pixels(self) -> np.ndarray:
        """(N, pixels), uint8."""
        return np.frombuffer(self.images, np.uint8, offset=16).reshape(self.num, -1)

    def digits(self) -> np.ndarray:
        """The labels (N,), int64."""
        return np.frombuffer(self.labels, np.uint8, offset=8).astype(np.int64)


def read_part(files: dict[tuple[str, str], Path], part: str) -> Part:
    """The images and labels of one part, "train" or "test", checked against each other.

    Raises:
        UserError: see `read`; or they do not fit together, or are none.
    """
    (num, height, width), images = read(files[part, "images"], IMAGES_MAGIC)
    (num_labels,), labels = read(files[part, "labels"], LABELS_MAGIC)
    if num != num_labels:
        raise UserError(f"{files[part, 'images']}: {num} images, but {num_labels} labels in {files[part, 'labels']}")
    if num == 0:
        raise UserError(f"{files[part, 'images']}: holds no image")
    if max(labels[8:]) > 9:
        raise UserError(f"{files[part, 'labels']}: has a label {max(labels[8:])}; expected 0 to 9")
    return Part(num, (height, width), images, labels)


def read_parts(files: dict[tuple[str, str], Path]) -> tuple[Part, Part]:
    """The training and the test part of a dataset's four files, checked against each other.

    Raises:
        UserError: see `read_part`; or their images are of two sizes.
    """
    train, test = read_part(files, "train"), read_part(files, "test")
    if train.size != test.size:
        raise UserError(f"{files['test', 'images']}: its images are not of the size of the training images")
    return train, test
