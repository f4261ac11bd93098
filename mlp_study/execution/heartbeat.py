"""Keeps progress.json up to date while a study is carried out, whether or not anything happens."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from mlp_study.errors import NotWritten
from mlp_study.execution.live_page import LivePage
from mlp_study.runs import under_way
from mlp_study.runs.listener import Listener, Worker
from mlp_study.runs.under_way import Trainer, UnderWay

BEAT, REST = 1.0, 5.0  # seconds between two words: while something happens, while nothing does
RATE_OVER = 20  # words over which the speed is taken
MOST_REMARKS = 8


class Heartbeat(Listener):
    """Writes every second; used as a context manager. What comes to its good end leaves no file.

    Args:
        folder: of the study.
        words: of the command that goes on with it; empty where there is none.
    """

    def __init__(self, folder: Path, words: Sequence[str]) -> None:
        self.folder, self.words = folder, tuple(words)
        self._started = time.time()
        self._num_runs = self._num_epochs = self._num_images = 0
        self._epochs = 0.0
        self._workers: dict[str, Trainer] = {}
        self._remarks: deque[str] = deque(maxlen=MOST_REMARKS)
        self._seen: deque[tuple[float, int]] = deque(maxlen=RATE_OVER)
        self._over = threading.Event()
        self._page = LivePage(folder)
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._is_due = True

    def planned(self, num_runs: int, num_complete: int, num_epochs: int, lines: Sequence[str]) -> None:
        """Begin."""
        self._num_runs, self._num_epochs = num_runs, num_epochs
        self._write()
        self._thread.start()

    def remarked(self, line: str) -> None:
        """Keep it."""
        self._remarks.append(line)
        self._is_due = True

    def advanced(self, num_epochs: float, num_images: int) -> None:
        """Add it up."""
        self._epochs += num_epochs
        self._num_images += num_images
        self._is_due = True

    def taken(self, worker: Worker, names: Sequence[str]) -> None:
        """Keep who trains what."""
        self._workers[worker.name] = Trainer(
            worker.name, worker.host, worker.pid, worker.device, tuple(names), time.time()
        )
        self._is_due = True

    def freed(self, worker: Worker) -> None:
        """Forget it."""
        self._workers.pop(worker.name, None)
        self._is_due = True

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._over.wait(BEAT):
            if self._is_due or time.monotonic() - last > REST:
                last = time.monotonic()
                self._write()
            self._page.keep()

    def _write(self, ended: str = "") -> None:
        self._is_due = False
        now = time.monotonic()
        self._seen.append((now, self._num_images))
        (then, images) = self._seen[0]
        rate = (self._num_images - images) / (now - then) if now > then else 0.0
        workers = tuple(trainer.as_dict() for trainer in list(self._workers.values()))
        words = UnderWay(
            self.words, socket.gethostname(), os.getpid(), self._started, time.time(), ended, self._num_runs,
            self._num_epochs, self._epochs, rate, workers, tuple(self._remarks),
        )  # fmt: skip
        # Runs say themselves that there is no room, and for them it matters.
        with suppress(OSError, NotWritten):
            words.write(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._page.stop()
        if error is None:
            under_way.remove(self.folder)
        elif self._num_runs:
            self._workers.clear()
            self._write("interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}")
