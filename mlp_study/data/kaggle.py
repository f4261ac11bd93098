"""The CSV files of Kaggle's digit-recognizer: label,pixel0..pixel783 for training, pixel0..pixel783 to predict."""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import io
import lzma
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from mlp_study.errors import UserError
from mlp_study.reading import GIB, check_regular, decoding, physical_memory

NUM_PIXELS = 784
PIXELS = [f"pixel{i}" for i in range(NUM_PIXELS)]
MOST_LINE, BLOCK = 2**16, 2**23  # bytes of a line, and of the lines that are read at a time
OPENERS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": lambda path: importlib.import_module("zstandard").open(path, "rb"),
}


def read(path: str | Path, labelled: bool | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Images (N, 784) uint8 and, if `labelled`, labels (N,) int64; None takes labels where the file has them.

    A file that ends in .gz, .bz2, .xz, .zip or .zst is unpacked, piece by piece.

    Raises:
        UserError: the file is missing or no CSV, lacks a column, or holds something that is no pixel or digit.
    """
    path = Path(path).expanduser()
    check_regular(path)
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    num_rows = 0
    with decoding(path, "not a readable CSV file"), _opened(path) as file:
        header = _header(file)
        columns = pd.read_csv(io.BytesIO(header), nrows=0).columns
        labelled = "label" in columns if labelled is None else labelled
        _check_columns(path, columns, labelled)
        for lines in _blocks(file):
            # The header before each block: every row is seen against it, and a quotation mark that is never closed
            # takes no more than its block with it.
            table = pd.read_csv(io.BytesIO(header + lines), low_memory=False)
            if not isinstance(table.index, pd.RangeIndex):  # pandas takes what is too many for names, and shifts all
                raise UserError(f"{path}: its rows have more fields than its header; expected as many")
            images.append(_whole_numbers(path, table[PIXELS], 255, num_rows).astype(np.uint8))
            if labelled:
                labels.append(_whole_numbers(path, table[["label"]], 9, num_rows)[:, 0].astype(np.int64))
            num_rows += len(table)
    if num_rows == 0:
        raise UserError(f"{path}: holds no image")
    return np.concatenate(images), np.concatenate(labels) if labelled else None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's content, uncompressed as far as it is read."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) != 1:
                raise ValueError(f"an archive of {len(archive.infolist())} files; expected one")
            with archive.open(archive.infolist()[0]) as file:
                yield file
        return
    if path.suffix == ".zst" and importlib.util.find_spec("zstandard") is None:
        raise UserError(f"{path}: .zst is read with the package zstandard, which is not installed; unpack the file")
    with OPENERS.get(path.suffix, lambda plain: plain.open("rb"))(path) as file:
        yield file


def _header(file: IO[bytes]) -> bytes:
    """The first line that is not blank."""
    for _ in range(100):
        line = file.readline(MOST_LINE)
        if line.strip():
            break
    if len(line) == MOST_LINE:
        raise ValueError(f"its first line has more than {MOST_LINE} characters")
    return line if line.endswith(b"\n") else line + b"\n"


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """What follows, in blocks of whole lines."""
    total, most = 0, physical_memory() // 2  # an image takes at least as many bytes once it is scaled
    while lines := file.read(BLOCK):
        rest = file.readline(MOST_LINE)
        total += len(lines) + len(rest)
        if len(rest) == MOST_LINE or total > most:
            raise ValueError(f"a line of more than {MOST_LINE} characters, or more than {most / GIB:.1f} GiB in all")
        if len(lines) == BLOCK and not lines.strip():
            raise ValueError(f"{BLOCK} blank lines")
        yield lines + rest


def _check_columns(path: Path, columns: pd.Index, labelled: bool) -> None:
    wanted = (["label"] if labelled else []) + PIXELS
    missing = [column for column in wanted if column not in columns]
    if missing:
        raise UserError(
            f"{path}: lacks the column {missing[0]}"
            + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
            + f"; expected {'label,' if labelled else ''}pixel0..pixel783"
        )


def _whole_numbers(path: Path, table: pd.DataFrame, most: int, num_before: int) -> np.ndarray:
    """The table as float64, once every entry has been seen to be a whole number from 0 to `most`.

    num_before: rows of the file before the table's, for the number of a line in an error.
    """
    values = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64, copy=True)
    values[:, (table.dtypes == "bool").to_numpy()] = np.nan  # True is no number here
    wrong = np.argwhere(~((values >= 0) & (values <= most) & (values == np.floor(values))))
    if len(wrong):
        row, column = (int(i) for i in wrong[0])
        quoted = repr(str(table.iat[row, column])[:40])
        raise UserError(
            f"{path}: line {num_before + row + 2}, column {table.columns[column]}: {quoted} "
            f"is not a whole number from 0 to {most}"
        )
    return values
