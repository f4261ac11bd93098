"""Whole sweeps, as commands: workers, snapshots, a thousand runs, a machine that is busy with something else.

Every way is a command line of its own, from Enter to its end, on data of this package; those that are compared are run
in turn, round after round, and shown as ratios of the medians.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

GRID = ["optim=sgd,adam,rmsprop", "init=glorot,he_normal", "optim.lr=0.001,0.01", "logger=none"]
WIDE = ["model.hidden=[512,512]", "data.batch_size=128", "optim=sgd,adam", "seed=0,1", "logger=none"]
THOUSAND = ["data=digits", "trainer.max_epochs=5", "optim=sgd,adam", "model.hidden=[32],[64]", "logger=none"]
SPINNING = "while True: pass"


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds of waiting, of training (all runs together), the largest process's GiB, files."""

    seconds: float
    trained: float
    memory: float
    num_runs: int
    num_files: int


def run(words: Sequence[str]) -> tuple[int, float]:
    """`python -m mlp_study.train WORDS`: its exit code and the GiB of its largest process."""
    line = [sys.executable, "-m", "mlp_study.train", *words]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss / 2**20


@dataclass(frozen=True)
class Size:
    """How much is done, and how.

    Attributes:
        epochs: of the grid on MNIST.
        also: words that are added to each command.
        seeds: of the thousand runs.
        rounds: how often each command is timed.
        shapes: of networks that are compared.
        run: runs a command.
    """

    epochs: int
    also: Sequence[str]
    seeds: int
    rounds: int = 1
    shapes: int = 2
    run: Callable[[Sequence[str]], tuple[int, float]] = run


FULL, QUICK = Size(4, [], 250), Size(2, ["trainer.limit_train_batches=200"], 25, shapes=1)
SMOKE = Size(1, ["data=digits", "trainer.limit_train_batches=2", "optim=sgd", "init=glorot"], 1, shapes=1)


def command(words: Sequence[str], size: Size) -> Cost:
    """Run a sweep in a directory that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder, "study")
        whole = ["-m", *words, *size.also, f"hydra.sweep.dir={study}"]
        started = time.perf_counter()
        code, memory = size.run(whole)
        seconds = time.perf_counter() - started
        if code:
            raise RuntimeError(f"exit code {code}: {' '.join(whole)}")
        results = [json.loads(path.read_text()) for path in study.glob("*/result.json")]
        files = sum(path.is_file() for path in study.rglob("*"))
    trained = sum(result["timings"]["train_seconds"] for result in results)
    return Cost(seconds, trained, memory, len(results), files)


@contextmanager
def busy(num: int) -> Iterator[None]:
    """So many processes that do nothing, as fast as they can."""
    spinning = [subprocess.Popen([sys.executable, "-c", SPINNING]) for _ in range(num)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def compared(ways: dict[str, tuple[Sequence[str], int]], size: Size) -> dict[str, float]:
    """Median seconds of commands, each with a number of busy neighbours."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(size.rounds):
        for name, (words, neighbours) in ways.items():
            with busy(neighbours):
                times[name].append(command(words, size).seconds)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def show(title: str, medians: dict[str, float]) -> None:
    """One line a way, each against the first."""
    print(title)
    first = next(iter(medians.values()))
    for name, seconds in medians.items():
        print(f"  {name:<32} {seconds:6.1f} s  {seconds / first:5.2f} x")


def main(size: Size) -> None:
    """Measure and print all."""
    one, two = (f"hydra.launcher.workers={num}" for num in (1, 2))
    often, never = "trainer.snapshot_seconds=1", "trainer.snapshot_seconds=null"
    grid, wide = [*GRID, f"trainer.max_epochs={size.epochs}"], [*WIDE, f"trainer.max_epochs={-(-size.epochs // 4)}"]
    for title, words in (("12 runs of 784-100-10", grid), ("4 runs of 784-512-512-10", wide))[: size.shapes]:
        ways = {
            "workers=1": ([*words, one], 0),
            "workers=2": ([*words, two], 0),
            "workers=auto": (words, 0),
            "workers=1, 2 busy neighbours": ([*words, one], 2),
            "workers=2, 2 busy neighbours": ([*words, two], 2),
            "workers=1, no snapshots": ([*words, one, never], 0),
            "workers=1, one each second": ([*words, one, often], 0),
        }
        show(f"{title} on MNIST, whole commands", compared(ways, size))
    for workers in (one, two):
        cost = command([*THOUSAND, f"seed=range({size.seeds})", workers], size)
        outside = 1000 * (cost.seconds - cost.trained / int(workers[-1])) / cost.num_runs
        print(
            f"{cost.num_runs} runs on digits, {workers.removeprefix('hydra.launcher.')}: {cost.seconds:.1f} s, "
            f"{outside:.0f} ms a run outside training; largest process {cost.memory:.2f} GiB; "
            f"{cost.num_files / cost.num_runs:.1f} files a run"
        )
