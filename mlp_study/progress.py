"""Progress bars: epochs and images per second of runs; steps of unlike length."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from mlp_study.showing import console

STARTING = "loading torch and the images"  # behind the bar until something is trained
WIDE = 120  # columns of a terminal, from which on the bar has all that it knows


class Bar:
    """Shown inside a `with` block."""

    _progress: Progress

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class TrainingBar(Bar):
    """A bar over epochs, `num_epochs` in all; silent where standard error is no terminal or `enabled` is false."""

    def __init__(self, description: str, num_epochs: int, enabled: bool = True) -> None:
        output = console(stderr=True)
        is_wide = output.width >= WIDE
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=24)),
            BarColumn(40 if is_wide else 8),
            TextColumn("epoch {task.fields[epochs]:.1f}/{task.total:.0f}"),
            *([TextColumn("{task.fields[rate]:,.0f} images/s"), TimeElapsedColumn()] if is_wide else []),
            *([TextColumn("left")] if is_wide else []),
            TimeRemainingColumn(compact=not is_wide),
            TextColumn("{task.fields[note]}", markup=False),
            console=output,
            transient=True,
            disable=not (enabled and output.is_terminal),
        )
        self._task = self._progress.add_task(description, total=num_epochs, rate=0.0, note=STARTING, epochs=0.0)
        self._epochs, self._note = 0.0, STARTING
        self._images = 0
        self._started = self._shown = time.perf_counter()

    def advance(self, epochs: float, num_images: int) -> None:
        """So many epochs (or parts of one) and images more. Redrawn a few times a second at most."""
        self._epochs += epochs
        self._images += num_images
        if self._note == STARTING:
            self.note("")
        now = time.perf_counter()
        if now - self._shown > 0.2:
            self._shown = now
            rate = self._images / (now - self._started)
            self._progress.update(self._task, completed=self._epochs, epochs=self._epochs, rate=rate)

    @property
    def is_shown(self) -> bool:
        """Whether it is on the terminal now."""
        return not self._progress.disable and self._progress.live.is_started

    def print(self, text: str) -> None:
        """Print a line above it."""
        self._progress.console.print(text)

    def note(self, text: str) -> None:
        """Change what stands behind the bar."""
        self._note = text
        self._progress.update(self._task, note=text)

    def describe(self, description: str) -> None:
        """Change what stands in front of the bar."""
        self._progress.update(self._task, description=description)


class StepsBar(Bar):
    """A bar over `num_steps` steps that take no equal time; silent where standard error is no terminal."""

    def __init__(self, num_steps: int) -> None:
        output = console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=output,
            transient=True,
            disable=not output.is_terminal,
        )
        self._task = self._progress.add_task("", total=num_steps, completed=-1)

    def begin(self, description: str) -> None:
        """The step before is done, this one begins."""
        self._progress.update(self._task, description=description, advance=1)
