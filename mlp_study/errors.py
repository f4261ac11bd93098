"""Errors that end in one line without a traceback, and the ladder of exit codes that all commands share.

0    done; a run that diverged is a result
1    something was started, and some of it failed
2    the command was wrong, and nothing was started
130  interrupted
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

FAILED_EXIT_CODE, USAGE_EXIT_CODE, INTERRUPTED_EXIT_CODE = 1, 2, 130


class UserError(Exception):
    """A wrong name, value, file or directory; one line that quotes the bad value and names the good ones."""


class RunsFailed(UserError):
    """Training was started, and some run failed."""


def fail(message: str, exit_code: int = USAGE_EXIT_CODE) -> NoReturn:
    """One line on standard error, and out."""
    print("mlp_study: error: " + " ".join(message.split()), file=sys.stderr)
    raise SystemExit(exit_code)


@contextmanager
def one_line(interrupted: str = "interrupted") -> Iterator[None]:
    """End the program in one line, with the right exit code, where what is done inside ends in a mistake of the user's.

    Args:
        interrupted: what is said of a Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt:
        fail(interrupted, INTERRUPTED_EXIT_CODE)
    except RunsFailed as error:
        fail(str(error), FAILED_EXIT_CODE)
    except UserError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or 'output'}: {error.strerror or error}")
