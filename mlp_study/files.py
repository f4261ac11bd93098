"""The one way in which files are written: in one step, so that a reader never sees half of one, and never through a
symbolic link, whose target is somebody else's. And claiming a directory for one process."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mlp_study.errors import NotWritten, UserError

LOCK = ".lock"
LEAST_ROOM = 2**16  # bytes; what Hydra and a run write before the first epoch is less
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")  # see `replaced`


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary file to write, which takes the place of `path` in one step: a reader finds the old one or the new.

    Raises:
        NotWritten: the disk is full, or the like; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if NotWritten.is_meant_by(error, temporary):
            raise NotWritten(path, error) from error
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step: a reader, or a kill, finds the old file or the new one."""
    with replaced(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write strict JSON, numbers that are not finite as null."""
    write_text(path, json.dumps(finite(content), indent=2, allow_nan=False) + "\n")


def finite(content: Any) -> Any:
    """Plain containers with None in place of numbers that are not finite, which JSON cannot say."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def append_text(path: Path, text: str) -> None:
    """Add to the end of a file, by one call of the system: a reader, or a kill, finds all of `text` there or nothing.

    Raises:
        NotWritten: the disk is full, or the like; the file is as it was.
    """
    content = text.encode()
    try:
        file = _opened(path, os.O_WRONLY | os.O_APPEND)
        try:
            size = os.fstat(file).st_size
            if os.write(file, content) < len(content):  # there was room for a part of it
                os.ftruncate(file, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(file)
    except OSError as error:
        raise NotWritten(path, error) from error


def make_folder(path: Path) -> Path:
    """Make the directory `path` inside one that there is; a symbolic link in its place is replaced.

    Raises:
        NotWritten: it cannot be made.
    """
    try:
        remove_links([path])
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise NotWritten(path, error) from error
    return path


def remove_links(paths: Iterable[Path]) -> None:
    """Remove the symbolic links among `paths`: what others write there would otherwise go to their targets."""
    for path in paths:
        if path.is_symlink():
            path.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def claimed(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold `folder`, which is made if need be, for this process; the system lets go of it when the process ends.

    What another process, killed while it wrote, has left of its unfinished files is removed, and so are directories
    made here that nothing was written to.

    Args:
        folder: the directory.
        patience: seconds to wait for another process that holds it.

    Raises:
        UserError: the directory cannot be made or written, or another process holds it.
    """
    made = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    try:
        with _held(folder, patience):
            yield
    finally:
        for path in made:
            with suppress(OSError):  # it is not empty
                path.rmdir()


@contextmanager
def _held(folder: Path, patience: float) -> Iterator[None]:
    path, until = folder / LOCK, time.monotonic() + patience
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _locked(path, until)
    except BlockingIOError:
        raise UserError(f"{folder}: another process is writing there; choose another directory") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NotWritten(folder, error) from None
        raise UserError(f"{folder}: cannot be written ({error.strerror})") from None
    try:
        sweep_up(folder)
        _see_room(folder, lock)
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(lock)


def sweep_up(folder: Path) -> None:
    """Remove the unfinished files of a killed process in `folder`, which is claimed, or inside one that is."""
    with suppress(OSError):
        for leftover in folder.iterdir():
            if _TEMPORARY.fullmatch(leftover.name):
                leftover.unlink(missing_ok=True)


def remove_dead_lock(folder: Path) -> None:
    """Remove what a killed process has left of its claim on `folder`, if anything."""
    if (folder / LOCK).exists():
        with suppress(UserError), claimed(folder):
            pass


def _see_room(folder: Path, lock: int) -> None:
    """See that something can be written: on a full disk a directory and a lock, open as `lock`, can still be made."""
    try:
        os.posix_fallocate(lock, 0, LEAST_ROOM)
        os.ftruncate(lock, 0)
    except OSError as error:
        raise NotWritten(folder, error) from None


def _locked(path: Path, until: float) -> int:
    """A file descriptor that holds the lock `path`; tried until that moment of the monotonic clock."""
    while True:
        lock, is_ours = _opened(path, os.O_RDWR), False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):  # whoever held it has removed it since it was opened
                is_ours = os.path.samestat(os.fstat(lock), path.lstat())
            if is_ours:
                return lock
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.05)
        finally:
            if not is_ours:
                os.close(lock)


def _opened(path: Path, flags: int) -> int:
    """Open a file of ours, made if need be; a symbolic link in its place is replaced, not followed."""
    remove_links([path])
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
