"""Write a study's page again and again while it is trained, and take next to nothing of the machine for it."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from mlp_study.errors import UserError

PAUSE, SHARE = 10.0, 0.02  # seconds between two pages at least; the share of a processor that they may take
NICE = 19


def follow(folder: str, parent: int, pause: float = PAUSE) -> None:
    """Go on as long as this process is a child of `parent`.

    Args:
        folder: of the study.
        parent: who trains it.
        pause: seconds between two pages at least.
    """
    os.nice(NICE)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # not in the middle of a file
    os.environ["OMP_NUM_THREADS"] = "1"
    from mlp_study.page.study_page import Reader, write_page

    begin, reader = time.monotonic(), Reader([Path(folder)])
    while os.getppid() == parent:
        # A full disk, or a run that is being written: there is a next time, and training says what is wrong.
        with suppress(OSError, UserError):
            write_page([Path(folder)], reader=reader, is_live=True)
        written = time.monotonic()
        # Also what importing has taken is given back by waiting.
        until = max(written + pause, begin + time.process_time() / SHARE)
        while time.monotonic() < until and os.getppid() == parent:
            time.sleep(0.5)
