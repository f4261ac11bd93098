"""Reading files that anybody may have written or damaged: nothing they say of their sizes is believed unchecked.

Nothing in a file is executed.
"""

from __future__ import annotations

import math
import os
import stat
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from mlp_study.errors import UserError

GIB = 2**30
MOST_TEXT = 64 * 2**20  # bytes of a file that holds text and no images


def physical_memory() -> int:
    """Bytes of memory that this machine has, free or not."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def check_regular(path: str | Path) -> int:
    """The size in bytes of the file `path`. A pipe, which one could wait for forever, is no file to read.

    Raises:
        UserError: it is missing, or no regular file.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not stat.S_ISREG(found.st_mode):
        kind = "a directory" if stat.S_ISDIR(found.st_mode) else "a pipe, a socket or a device"
        raise UserError(f"{path}: {kind}; expected a regular file")
    return found.st_size


@contextmanager
def decoding(path: str | Path, said: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one line that names the file and begins with `said`.

    Any exception: those who decode damaged bytes raise what they stumble over, be it SyntaxError or struct.error.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except UserError:
        raise
    except Exception as error:
        words = (str(error) or type(error).__name__).strip().splitlines()
        raise UserError(f"{path}: {said} ({words[0][:200] if words else type(error).__name__})") from None


def text(path: Path, said: str) -> str:
    """The content of a text file of ours; `said`: see `decoding`.

    Raises:
        UserError: it is no regular file, larger than any of ours, or not UTF-8.
    """
    if check_regular(path) > MOST_TEXT:
        raise UserError(f"{path}: {said} (more than {MOST_TEXT // 2**20} MiB)")
    with decoding(path, said):
        return path.read_text(encoding="utf-8")


def check_archive(archive: zipfile.ZipFile, size: int, is_stored: bool) -> None:
    """See that the entries of a zip archive in a file of `size` bytes are what they can be.

    Args:
        archive: open.
        size: of its file.
        is_stored: whether nothing in it may be compressed, as numpy.savez and torch.save write.

    Raises:
        ValueError: an entry is larger than the file, or stands there twice, or all of them are more than memory holds.
    """
    entries = archive.infolist()
    if len({entry.filename for entry in entries}) < len(entries):
        raise ValueError("two entries of one name")
    if sum(entry.compress_size for entry in entries) > size:
        raise ValueError("its entries are larger than the file")
    if is_stored and any(
        entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size for entry in entries
    ):
        raise ValueError("compressed, which ours are not")
    if is_stored and min((entry.header_offset for entry in entries), default=0) != 0:
        raise ValueError("something stands before its first entry")
    total, most = sum(entry.file_size for entry in entries), physical_memory() // 2
    if total > most:
        raise ValueError(f"{total / GIB:.1f} GiB when unpacked; half of this machine's memory is {most / GIB:.1f} GiB")


def arrays(path: str | Path, said: str, is_stored: bool) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, by name; no object is unpickled, and none is larger than its entry.

    Args:
        path: the file.
        said: how an error begins, see `decoding`.
        is_stored: whether a compressed one counts as damaged.

    Raises:
        UserError: it is missing, or no .npz file of plain arrays.
    """
    size = check_regular(path)
    with decoding(path, said), zipfile.ZipFile(path) as archive:
        check_archive(archive, size, is_stored)
        found = {}
        for entry in archive.infolist():
            if not entry.filename.endswith(".npy"):
                raise ValueError(f"{entry.filename!r} is no array")
            with archive.open(entry) as file:
                _check_header(file, entry)
                file.seek(0)
                found[entry.filename.removesuffix(".npy")] = np.lib.format.read_array(file, allow_pickle=False)
        return found


def _check_header(file: IO[bytes], entry: zipfile.ZipInfo) -> None:
    """See that the shape and the type in an array's header ask for the bytes that are there, no more and no fewer."""
    readers: dict[Any, Any] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(file)
    if version not in readers:
        raise ValueError(f"{entry.filename} is of another version of the format")
    shape, _, dtype = readers[version](file)
    if dtype.hasobject:
        raise ValueError(f"{entry.filename} holds objects, which are not unpickled")
    asked, there = math.prod(shape) * dtype.itemsize, entry.file_size - file.tell()
    if asked != there or dtype.itemsize == 0:
        raise ValueError(f"{entry.filename} holds {there} bytes, where its header, {dtype} {shape}, asks for {asked}")
