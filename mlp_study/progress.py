"""Progress bars: epochs of runs, how good they are so far, images per second; steps of unlike length."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.cells import cell_len
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from mlp_study.showing import console, printable

WIDE, WIDE_BAR, NARROW_BAR = 120, 24, 8  # columns: of a terminal that is wide, and of the bar itself
STARTING = "loading torch and the images"  # until something is trained
LEAST = 10  # columns: that a run's name gets
LONG = {"train_loss": "loss", "train_acc": "best train_acc", "val_acc": "best val_acc"}
SHORT = {"train_loss": "loss", "train_acc": "best", "val_acc": "best"}


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
    """A bar over epochs, `num_epochs` in all; silent where standard error is no terminal or `enabled` is false.

    One line, however narrow the terminal is: what does not fit is left out, the least important first.
    """

    def __init__(self, description: str, num_epochs: int, enabled: bool = True) -> None:
        output = console(stderr=True)
        self.description = description
        self._row: dict[str, float] = {}
        self._whose = ""
        self._width = lambda: output.width
        bar = BarColumn(WIDE_BAR if output.width >= WIDE else NARROW_BAR)
        self._progress = Progress(
            _Drawn(self._front),
            bar,
            _Drawn(self._rest),
            console=output,
            transient=True,
            disable=not (enabled and output.is_terminal),
        )
        self._bar_width = bar.bar_width or 0
        self._task = self._progress.add_task("", total=num_epochs)
        self._epochs = 0.0
        self._images = 0
        self._started = self._shown = time.perf_counter()
        self._rate = 0.0

    def advance(self, epochs: float, num_images: int) -> None:
        """So many epochs (or parts of one) and images more. Redrawn a few times a second at most."""
        self._epochs += epochs
        self._images += num_images
        now = time.perf_counter()
        if now - self._shown > 0.2:
            self._shown = now
            self._rate = self._images / (now - self._started)
            self._progress.update(self._task, completed=self._epochs)

    def show(self, row: Mapping[str, float], whose: str = "") -> None:
        """Say how good it is so far: the loss, and the best accuracy of `row`, `whose` it is."""
        self._row, self._whose = dict(row), printable(whose)
        self._progress.update(self._task, completed=self._epochs)

    def describe(self, description: str) -> None:
        """Change what stands in front of the bar."""
        self.description = description

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar away while something else is printed."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def _front(self, task: Task) -> str:
        return printable(self.description)

    def _rest(self, task: Task) -> str:
        """What stands behind the bar: as much of it as there is room for."""
        room = self._width() - cell_len(self._front(task)) - self._bar_width - 3
        num = f"{task.completed:.1f}/{task.total or 0:.0f}"
        rate = f"{self._rate:,.0f} images/s" if self._images else ""
        left = "" if task.time_remaining is None else f"{_clock(task.time_remaining)} left"
        parts = [f"epoch {num}", _in_words(self._row, LONG), rate, _clock(task.elapsed or 0.0), left]
        if not self._images:
            parts[1] = STARTING
        # What is shortened or left out first, if need be; of a run's name at least its beginning is to be seen.
        least = min(cell_len(self._whose), LEAST) + 1
        for i, shorter in ((2, ""), (3, ""), (1, _in_words(self._row, SHORT)), (0, num), (4, ""), (0, "")):
            if cell_len(_joined(parts)) + least <= room:
                break
            parts[i] = shorter
        if whose := _cut(self._whose, room - cell_len(_joined(parts)) - 1):
            parts[1] = f"{parts[1]} {whose}"
        return _cut(_joined(parts), room)


class _Drawn(ProgressColumn):
    """A column of text that is made when it is drawn."""

    def __init__(self, make: Callable[[Task], str]) -> None:
        super().__init__(Column(no_wrap=True))
        self._make = make

    def render(self, task: Task) -> Text:
        return Text(self._make(task), no_wrap=True)


def _in_words(row: Mapping[str, float], words: Mapping[str, str]) -> str:
    return "  ".join(f"{word} {row[key]:.4f}" for key, word in words.items() if key in row)


def _joined(parts: Sequence[str]) -> str:
    return "  ".join(part for part in parts if part)


def _cut(text: str, room: int) -> str:
    """As much of a text as there is room for."""
    shown = Text(text)
    shown.truncate(max(0, room), overflow="ellipsis")
    return shown.plain if cell_len(text) > room else text


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


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
