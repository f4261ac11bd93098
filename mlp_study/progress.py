"""The progress bar: epochs and images per second of one run, or runs, epochs and images per second of a whole grid."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text


class _ImagesPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.fields['rate']:,.0f} images/s" if task.fields.get("rate") else "")


class TrainingBar:
    """A bar over images, `num_images` in all; silent where standard error is no terminal or `enabled` is false."""

    def __init__(self, description: str, num_images: int, enabled: bool = True) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            _ImagesPerSecond(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
            disable=not (enabled and console.is_terminal),
        )
        self._task = self._progress.add_task(description, total=num_images, rate=None, note="")
        self._started = time.perf_counter()
        self._images = 0
        self._shown = 0.0

    def advance(self, num_images: int, note: str | None = None) -> None:
        """So many images more were trained on. Redrawn a few times a second, whatever the rate of calls."""
        self._images += num_images
        now = time.perf_counter()
        if note is None and now - self._shown < 0.2:
            return
        self._shown = now
        fields: dict[str, Any] = {} if note is None else {"note": note}
        self._progress.update(
            self._task, completed=self._images, rate=self._images / (now - self._started + 1e-9), **fields
        )

    def describe(self, description: str) -> None:
        """Change what stands in front of the bar."""
        self._progress.update(self._task, description=description)

    def __enter__(self) -> TrainingBar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
