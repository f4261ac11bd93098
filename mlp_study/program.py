"""How every command ends: in one line, with the right exit code, whatever becomes of its terminal.

Ctrl-C and SIGTERM interrupt it. A terminal or a pipe that goes away (SIGHUP, `| head -1`) does not: the command goes
on, and what it prints goes nowhere.
"""

from __future__ import annotations

import _thread
import argparse
import atexit
import errno
import gc
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from mlp_study.errors import FAILED_EXIT_CODE, INTERRUPTED_EXIT_CODE, UserError, fail

ERASE = "\x1b[K"  # what follows on the line of a terminal


class Arguments(argparse.ArgumentParser):
    """A parser whose mistakes end in one line, without the usage, which --help shows."""

    def error(self, message: str) -> NoReturn:
        """End the program."""
        fail(f"{message}; {self.prog} --help says more")


@contextmanager
def program(interrupted: str = "interrupted") -> Iterator[None]:
    """Be the program for what is done inside; may be nested.

    A user who sets HYDRA_FULL_ERROR=1 gets tracebacks whole.

    Args:
        interrupted: what is said of a Ctrl-C.
    """
    mistakes = () if os.environ.get("HYDRA_FULL_ERROR") == "1" else (UserError, OSError)
    before, hook = _signals(), sys.unraisablehook
    sys.unraisablehook = _not_lost
    try:
        with _enduring_output():
            try:
                yield
            except KeyboardInterrupt:
                # Where it came inside of code made from text, such as a named tuple's, Python would end itself by a
                # signal in the end, whatever was done about it; running more such code makes it forget that.
                exec("")
                fail(interrupted, INTERRUPTED_EXIT_CODE)
            except mistakes as error:
                _end_with(error)
    except KeyboardInterrupt:  # once more, while all this was ending
        raise SystemExit(INTERRUPTED_EXIT_CODE) from None
    finally:
        sys.unraisablehook = hook
        if before:
            atexit.unregister(_stay_ended)
            atexit.register(_stay_ended)  # now, and so before what torch has registered
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with(error: UserError | OSError) -> NoReturn:
    if isinstance(error, UserError):
        fail(str(error), error.exit_code)
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)
    fail(
        f"{error.filename or 'a file'}: {error.strerror or error}",
        FAILED_EXIT_CODE if is_full else UserError.exit_code,
    )


def _signals() -> dict[int, Any]:
    """Set the handlers; returns those of before. Only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    wanted: dict[int, Any] = {signal.SIGTERM: interrupt, signal.SIGHUP: signal.SIG_IGN}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's background process ignores it
        wanted[signal.SIGINT] = interrupt
    return {number: signal.signal(number, handler) for number, handler in wanted.items()}


def interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupt what is done; an import first comes to its end, since torch's does not survive an exception inside."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            _again_soon(number)
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _stay_ended() -> None:
    """Let no second Ctrl-C change the exit code, and Python take itself down without a last look for garbage.

    With torch it takes a second; without that look, for what the system takes back anyway, a fifth of it.
    """
    gc.freeze()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _again_soon(number: int) -> None:
    timer = threading.Timer(0.02, _thread.interrupt_main, [number])
    timer.daemon = True
    timer.start()


def _not_lost(unraisable: Any) -> None:
    """A Ctrl-C that came while Python was cleaning up, where nothing can be raised, comes again a moment later."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _again_soon(signal.SIGINT)
    else:
        sys.__unraisablehook__(unraisable)


def waiting(text: str) -> None:
    """Show on the terminal what is waited for, until anything else is printed; where there is none, nothing."""
    is_ours = isinstance(getattr(getattr(sys.stderr, "buffer", None), "raw", None), _Enduring)
    if is_ours and os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb":
        with suppress(OSError):
            os.write(2, f"\r{text}{ERASE}".encode())
            _Enduring.is_waiting = True


def _no_longer_waiting() -> None:
    if _Enduring.is_waiting:
        _Enduring.is_waiting = False
        with suppress(OSError):
            os.write(2, f"\r{ERASE}".encode())


class _Enduring(io.RawIOBase):
    """A file descriptor that is written to as long as somebody reads it; from then on, /dev/null.

    Attributes:
        lost: why something that was to be seen was not, where nobody is to blame but the disk.
        is_waiting: whether the terminal shows what is waited for.
    """

    is_waiting = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.lost: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, content: Any) -> int:
        _no_longer_waiting()
        try:
            return os.write(self._descriptor, content)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):  # nobody listens: a closed pipe, a terminal that hung up
                self.lost = error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._descriptor)
            os.close(nowhere)
            return len(content)


@contextmanager
def _enduring_output() -> Iterator[None]:
    """Let standard output and error be enduring, unless they are no files or are so already."""
    before = sys.stdout, sys.stderr
    raw = [_Enduring(number) for number in (1, 2)]
    if not all(_is_plain(stream, number) for number, stream in enumerate(before, start=1)):
        yield
        return
    for stream in before:
        stream.flush()
    own = [
        io.TextIOWrapper(io.BufferedWriter(file), stream.encoding, "backslashreplace", line_buffering=True)
        for file, stream in zip(raw, before, strict=True)
    ]
    sys.stdout, sys.stderr = own
    try:
        yield
        own[0].flush()
        if raw[0].lost is not None:
            fail(f"standard output: {raw[0].lost.strerror}", FAILED_EXIT_CODE)
    finally:
        _no_longer_waiting()
        sys.stdout, sys.stderr = before
        for stream in own:
            stream.flush()
            stream.detach().detach()  # the descriptor is not ours to be closed


def _is_plain(stream: Any, number: int) -> bool:
    """Whether `stream` is Python's own over the file descriptor `number`."""
    try:
        is_ours = isinstance(getattr(getattr(stream, "buffer", None), "raw", None), _Enduring)
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == number and not is_ours
    except (OSError, ValueError):
        return False
