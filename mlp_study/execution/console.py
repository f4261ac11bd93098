"""What a person sees while runs are carried out: a bar, lines, and at the end where everything is."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from rich.console import Console

from mlp_study.progress import TrainingBar
from mlp_study.runs.leader import Leader
from mlp_study.runs.listener import Listener, Worker
from mlp_study.runs.result import FAILED, Result
from mlp_study.runs.run import Run
from mlp_study.showing import console, printable

MOST_LINES = 48  # outcomes printed one by one; the table and study.csv hold all


class ConsoleListener(Listener):
    """Shows runs on the terminal; used as a context manager, which shows the bar.

    Args:
        runs: to be carried out.
        is_verbose: show every epoch, as for a run alone, not only the outcomes.
    """

    def __init__(self, runs: Sequence[Run], is_verbose: bool = False) -> None:
        self.runs, self.is_verbose = {run.name: run for run in runs}, is_verbose
        self.console, self.errors = console(), console(stderr=True)
        self.num_runs = self.num_done = 0
        self.bar: TrainingBar | None = None
        self.started = time.perf_counter()
        self.trained = 0.0
        self.leader = Leader()
        self.workers: set[str] = set()

    def planned(self, num_runs: int, num_complete: int, num_epochs: int, lines: Sequence[str]) -> None:
        """Print the plan and begin the bar."""
        for run in self.runs.values() if num_complete and num_runs == 1 else ():
            self.console.print(printable(f"{run.name}: already complete in {run.folder}"))
        if num_complete and num_runs > 1:
            self.console.print(f"{num_complete} of {num_runs} runs are already complete")
        if num_complete == num_runs:
            return
        for line in lines:
            self.console.print(line)
        self.num_runs = num_runs - num_complete
        enabled = all(run.config.trainer.progress_bar for run in self.runs.values())
        self.bar = TrainingBar("" if self.is_verbose else f"0/{self.num_runs} runs", num_epochs, enabled)
        self.bar.__enter__()

    def remarked(self, line: str) -> None:
        """Print it as what it is, no result."""
        self._print(self.errors, printable(line))

    def advanced(self, num_epochs: float, num_images: int) -> None:
        """Move the bar."""
        if self.bar is not None:
            self.bar.advance(num_epochs, num_images)

    def said(self, name: str, text: str) -> None:
        """Print it, if every epoch is to be seen."""
        if self.is_verbose:
            self._print(self.console, text)

    def epoch(self, name: str, row: dict[str, float]) -> None:
        """Show behind the bar how good the best is so far, and of a run alone its loss now."""
        leads = self.leader.sees(name, row)
        if self.bar is None or not (leads or self.is_verbose):
            return
        if self.is_verbose:
            self.bar.show({**self.leader.row, "train_loss": row["train_loss"]})
        else:
            self.bar.show(self.leader.row, name)

    def ended(self, name: str, result: Result) -> None:
        """Print how a run ended."""
        self.num_done += 1
        self.trained += result.timings["train_seconds"] or 0.0
        if self.is_verbose:
            self._print(self.console, printable(f"results: {self.runs[name].folder}"))
            return
        if self.bar is not None:
            self.bar.describe(f"{self.num_done}/{self.num_runs} runs")
        if self.num_runs == 1 and result.status == FAILED:
            log = self.runs[name].folder / "train.log"
            self._print(self.console, printable(f"{name}: failed ({result.reason}); see {log}"))
        elif self.num_runs <= MOST_LINES:
            self._print(self.console, printable(result.line()))

    def _print(self, where: Console, text: str) -> None:
        """Print a line where the bar may be."""
        with self.bar.aside() if self.bar is not None and where.is_terminal else nullcontext():
            where.print(text)

    def taken(self, worker: Worker, names: Sequence[str]) -> None:
        """Count it, unless it is this process."""
        if worker.pid != os.getpid():
            self.workers.add(worker.name)

    def costs(self) -> None:
        """Print what the runs took."""
        if self.num_done:
            whole = time.perf_counter() - self.started
            if self.workers:
                num = f"{len(self.workers)} worker{'s' * (len(self.workers) != 1)}"
                self.console.print(f"{self.num_done} runs in {whole:.1f} s by {num}, {self.trained:.1f} s of training")
                return
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            self.console.print(
                f"{self.num_done} runs in {whole:.1f} s, {whole - self.trained:.1f} s of it outside training; "
                f"peak memory {peak:.2f} GiB"
            )

    def __enter__(self) -> ConsoleListener:
        return self

    def __exit__(self, *error: Any) -> None:
        if self.bar is not None:
            self.bar.__exit__(*error)
