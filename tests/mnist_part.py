"""A little of the shipped MNIST as IDX files: what reads, scales and trains on it does what it would do with all."""

import gzip
from functools import cache
from pathlib import Path

from mlp_study.data.idx import FILES, SHIPPED_MNIST


@cache
def idx_file(name: str) -> bytes:
    """The shipped file, unpacked."""
    return gzip.decompress((SHIPPED_MNIST / f"{name}.gz").read_bytes())


def idx_folder(folder: Path, num_train: int = 20, num_test: int = 20, **replaced: bytes) -> Path:
    """A directory with the first images and labels in four IDX files, some of them `replaced`: train_images=..."""
    folder.mkdir()
    for (part, kind), name in FILES.items():
        content, num = idx_file(name), num_train if part == "train" else num_test
        header, size = (16, 784) if kind == "images" else (8, 1)
        small = content[:4] + num.to_bytes(4, "big") + content[8 : header + size * num]
        (folder / name).write_bytes(replaced.get(f"{part}_{kind}", small))
    return folder
