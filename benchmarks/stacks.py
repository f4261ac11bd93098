"""Stacks, row by row: a step of one network beside the row it varies, the bare products, JAX and Keras."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import rivals
from benchmarks.rows import ROWS, Row, named
from mlp_study.engines.attempt import Attempt
from mlp_study.engines.image_data import ImageData
from mlp_study.engines.learner import Learner
from mlp_study.engines.look import seen
from mlp_study.engines.snapshot import Saver
from mlp_study.engines.stack.trainer import StackTrainer
from mlp_study.runs.listener import Listener

SECONDS = 0.3  # that an epoch of ours takes, about


def trainer_of(row: Row, limit: int | None, device: torch.device | str = "cpu") -> StackTrainer:
    """The row's stack, before its first epoch."""
    runs = row.runs(limit)
    data = ImageData.of(runs[0].config, torch.device(device))
    attempts = [Attempt(run, Listener()) for run in runs]
    for attempt in attempts:
        attempt.run.folder.mkdir()
        attempt.begin(data, Learner)
    return StackTrainer(attempts, data, Listener(), Saver(runs, "stack"))


def stacked(row: Row, limit: int | None, threads: int) -> tuple[Callable[[], float], int]:
    """Seconds per network of an epoch of our stack, and how many mini-batches that has."""
    trainer = trainer_of(row, limit)

    def epoch() -> float:
        torch.set_num_threads(min(threads, trainer.threads.number))
        started = time.perf_counter()
        trainer.train_epoch()
        return (time.perf_counter() - started) / row.num

    return epoch, trainer.data.num_batches


def looks(row: Row) -> tuple[Callable[[], float], int]:
    """Seconds per network of what a doctor is shown after each epoch, and how many mini-batches a whole one has."""
    trainer = trainer_of(row, 2)
    num_batches = -(-len(row.images()[0]) // row.configs[0].data.batch_size)

    def look() -> float:
        started = time.perf_counter()
        seen(trainer.network, [attempt.doctor for attempt in trainer.members])
        return (time.perf_counter() - started) / row.num

    return look, num_batches


def main(rounds: int, threads: int, limit: int | None = None, rows: Sequence[Row] = ROWS) -> None:
    """Time the rows, the ways of each in turn, and print them.

    Args:
        rounds: how often; medians are shown.
        threads: of torch; JAX and Keras take what they want.
        limit: mini-batches an epoch; default what takes a third of a second.
        rows: those.
    """
    steps = {
        row.name: _times(row, rounds, threads, limit) for row in track(rows, "timing", console=Console(stderr=True))
    }
    title = f"milliseconds of a step of one network, median of {rounds}; torch {torch.__version__}, {threads} threads"
    table = Table(title=title, title_justify="left")
    for column in ("stack", "ms", "x its relative", "x the products", "JAX / ours", "Keras / ours", "evidence"):
        table.add_column(column, justify="left" if column == "stack" else "right")
    for row in rows:
        ours, others = steps[row.name]["ours"], steps[row.name]
        relative = f"{ours / others['relative']:.2f} (aim {row.against[1]:g})" if row.against is not None else ""
        table.add_row(
            row.name,
            f"{1000 * ours:.4f}",
            relative,
            f"{ours / others['products']:.2f}",
            *(f"{others[way] / ours:.2f}" if way in others else "" for way in ("JAX", "Keras")),
            f"{others['evidence'] / ours:.1%}",
        )
    Console(width=130).print(table)
    print("evidence: what a doctor is shown after each epoch (evidence.csv), of the time of that epoch of all images")
    if not any("JAX" in found for found in steps.values()):
        print("JAX, Keras: skipped, not installed (pip install -e '.[bench]')")


def _times(row: Row, rounds: int, threads: int, limit: int | None) -> dict[str, float]:
    """Median seconds of a step of one network, by way."""
    if limit is None:
        epoch, num = stacked(row, 20, threads)
        epoch()
        limit = max(20, int(20 * SECONDS / (epoch() * row.num)))
    ours, num = stacked(row, limit, threads)
    ways: dict[str, Callable[[], float] | None] = {
        "ours": ours,
        "relative": None if row.against is None else stacked(named(row.against[0]), limit, threads)[0],
        "products": rivals.products(row, num, threads),
        "JAX": rivals.jax_stack(row, num),
        "Keras": rivals.keras_serial(row, num) if row.is_beside_keras else None,
    }
    ways["evidence"], num_whole = looks(row)
    nums = {"evidence": num_whole}  # which has no steps: as much for each step of an epoch
    times: dict[str, list[float]] = {name: [] for name, way in ways.items() if way is not None}
    for number in range(rounds + 1):
        for name, found in times.items():
            way = ways[name]
            assert way is not None
            seconds = way()
            if number or rounds == 1:  # the first is a rehearsal
                found.append(seconds / nums.get(name, num))
    return {name: statistics.median(found) for name, found in times.items()}
