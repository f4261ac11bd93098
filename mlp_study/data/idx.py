"""IDX files, the format of MNIST: find the four files of a dataset, check them, and lay them out for torchvision.

Everything here works before torch is imported, so that a damaged file is reported at once.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

from mlp_study.errors import UserError

SHIPPED_MNIST = Path(__file__).parent / "mnist"
IMAGES_MAGIC, LABELS_MAGIC = 0x0803, 0x0801
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

    Raises:
        UserError: the file cannot be read, is damaged, truncated, too long, or of another kind.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: damaged or unreadable ({error})") from None
    kind = "images" if magic == IMAGES_MAGIC else "labels"
    if len(content) < 4 or int.from_bytes(content[:4], "big") != magic:
        raise UserError(f"{path}: starts with 0x{content[:4].hex()}; an IDX file of {kind} starts with 0x{magic:08x}")
    num_dims = magic & 0xFF
    header = 4 + 4 * num_dims
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, header, 4))
    if len(content) != header + math.prod(shape):
        raise UserError(
            f"{path}: damaged: {len(content)} bytes, where its header ({' x '.join(map(str, shape))}) "
            f"asks for {header + math.prod(shape)}"
        )
    return shape, content


def stage(files: dict[tuple[str, str], Path], into: Path | None) -> dict[str, int]:
    """Check the four files against each other and write them, uncompressed, to `into` under their own names.

    Returns:
        The number of images of each part, "train" and "test".
    """
    counts = {}
    sizes = set()
    for part in ("train", "test"):
        image_shape, images = read(files[part, "images"], IMAGES_MAGIC)
        label_shape, labels = read(files[part, "labels"], LABELS_MAGIC)
        if image_shape[0] != label_shape[0]:
            raise UserError(
                f"{files[part, 'images']}: {image_shape[0]} images, "
                f"but {label_shape[0]} labels in {files[part, 'labels']}"
            )
        if image_shape[0] == 0:
            raise UserError(f"{files[part, 'images']}: holds no image")
        if max(labels[8:]) > 9:
            raise UserError(f"{files[part, 'labels']}: has a label {max(labels[8:])}; expected 0 to 9")
        counts[part] = image_shape[0]
        sizes.add(image_shape[1:])
        if into is not None:
            (into / FILES[part, "images"]).write_bytes(images)
            (into / FILES[part, "labels"]).write_bytes(labels)
    if len(sizes) > 1:
        raise UserError(f"{files['test', 'images']}: its images are not of the size of the training images")
    return counts
