"""Mistakes that end in one line without a traceback, and the ladder of exit codes that all commands share.

0    done; a run that diverged is a result
1    something was started, and some of it failed
2    the command was wrong, and nothing was started
130  interrupted, by Ctrl-C or by SIGTERM

    UserError            a wrong name, value, file or directory
    ├── RunsFailed       training was started, and some run failed
    └── NotWritten       a file could not be written: the disk is full, say
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import ClassVar, NoReturn

FAILED_EXIT_CODE, USAGE_EXIT_CODE, INTERRUPTED_EXIT_CODE = 1, 2, 130


class UserError(Exception):
    """A wrong name, value, file or directory; one line that quotes the bad value and names the good ones."""

    exit_code: ClassVar = USAGE_EXIT_CODE


class RunsFailed(UserError):
    """Training was started, and some run failed."""

    exit_code = FAILED_EXIT_CODE


class NotWritten(UserError):
    """A file could not be written. The one that was there before is as it was."""

    exit_code = FAILED_EXIT_CODE

    def __init__(self, path: Path | str, error: OSError) -> None:
        super().__init__(f"{path}: {error.strerror or error}")

    @staticmethod
    def is_meant_by(error: OSError, path: Path) -> bool:
        """Whether `error` is about `path`, or names no file at all, as a write to an open one does."""
        return error.filename is None or os.fspath(error.filename) == os.fspath(path)


def fail(message: str, exit_code: int = USAGE_EXIT_CODE) -> NoReturn:
    """One line on standard error, and out."""
    print("mlp_study: error: " + " ".join(message.split()), file=sys.stderr)
    raise SystemExit(exit_code)
