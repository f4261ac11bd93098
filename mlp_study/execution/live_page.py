"""Has study.html written again and again while a study is trained, by a process that gives way to everybody else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

PATIENCE = 5.0  # seconds, in which the process comes to the end of what it writes
AFTER = 30.0  # seconds; a study that is done sooner has its page at its end


class LivePage:
    """Of the study in `folder`, from its making until `stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._due = time.monotonic() + AFTER
        self._process: subprocess.Popen[bytes] | None = None

    def keep(self) -> None:
        """Begin, when it is time."""
        if time.monotonic() < self._due:
            return
        self._due = float("inf")
        command = [sys.executable, "-m", "mlp_study.page", str(self.folder), str(os.getpid())]
        nowhere = subprocess.DEVNULL
        with suppress(OSError):  # no room for a process: the page comes at the end
            # In a session of its own: Ctrl-C is not for it.
            self._process = subprocess.Popen(
                command, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True
            )

    def stop(self) -> None:
        """No page is written any more when this returns."""
        self._due = float("inf")
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
