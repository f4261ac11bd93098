"""Time one epoch at batch 32 on the 60,000 images of MNIST, several ways, in one run.

First one network, 784-100-10: a plain loop, this project, Lightning as templates write it. Then a grid of networks of
784-100-10-10, in seconds per network.

    python -m benchmarks.bench            (or: make bench)
    python -m benchmarks.bench --rounds 5
    python -m benchmarks.bench --quick      one round of 200 mini-batches: a first look, not to be quoted

Then stacks of many kinds, row by row (`benchmarks.rows`), beside their bare products, JAX and Keras. Then whole sweeps,
as commands (`benchmarks.sweeps`): workers, snapshots, a thousand runs, a busy machine.

The ways are run in turn, round after round, so that a machine whose speed drifts slows all of them; the table shows
each one's fastest and median epoch and its ratio to the plain loop, from the medians.
"""

from __future__ import annotations

import argparse
import cProfile
import logging
import pstats
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import lightning as L
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import nn
from torch.nn import functional as F

from benchmarks import rivals, stacks, sweeps
from benchmarks.rows import CELLS, CELLS_48, ROWS, SGD_48, Row
from mlp_study.config.sections import Mnist
from mlp_study.engines.datamodule import ImageDataModule
from mlp_study.engines.device import prepare_processor
from mlp_study.engines.lit import LitMLP

BATCH = 32
QUICK_BATCHES, SMOKE_BATCHES = 200, 2
DATA = Mnist(batch_size=BATCH, val_fraction=0.0)


class EpochClock(L.Callback):
    """Seconds of each training epoch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, *args) -> None:
        self.started = time.perf_counter()

    def on_train_epoch_end(self, *args) -> None:
        self.seconds.append(time.perf_counter() - self.started)


def plain_loop(data: ImageDataModule) -> float:
    """PyTorch and nothing else: images in a tensor, a permutation, 1,875 steps."""
    images, labels = data.train
    model = nn.Sequential(nn.Linear(784, 100), nn.Tanh(), nn.Linear(100, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    started = time.perf_counter()
    order = torch.randperm(len(images))[: data.train_batches(0).num_images]
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        loss = F.cross_entropy(model(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - started


def this_project(data: ImageDataModule) -> float:
    """Our LightningModule in a Lightning Trainer, with the running loss and accuracy of the epoch."""
    module = LitMLP(
        mlp={"in_size": 784, "hidden": [100], "out_size": 10}, optim={"name": "sgd", "lr": 0.1}, batch_size=BATCH
    )
    return fit(module, datamodule=data)


def template(data: ImageDataModule) -> float:
    """Lightning as most templates write it: dataset and transforms, DataLoader, torchmetrics, self.log, a bar."""
    from torchmetrics import MeanMetric
    from torchmetrics.classification import MulticlassAccuracy

    class TemplateModule(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.Tanh(), nn.Linear(100, 10))
            self.train_loss, self.train_acc = MeanMetric(), MulticlassAccuracy(10, average="micro")

        def training_step(self, batch, batch_idx):
            images, labels = batch
            logits = self.net(images)
            loss = F.cross_entropy(logits, labels)
            self.train_loss(loss)
            self.train_acc(logits.argmax(1), labels)
            self.log("train/loss", self.train_loss, on_step=False, on_epoch=True, prog_bar=True)
            self.log("train/acc", self.train_acc, on_step=False, on_epoch=True, prog_bar=True)
            return loss

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    loader = torch.utils.data.DataLoader(torchvision_mnist(), batch_size=BATCH, shuffle=True)
    return fit(TemplateModule(), loader, bar=True, limit=data.num_batches)


def serial(row: Row, limit: int | None) -> Callable[[], float]:
    """Seconds per run of an epoch of Lightning runs one after the other."""
    configs = [run.config for run in row.runs(limit)]
    data = ImageDataModule.of(configs[0], torch.device("cpu"))

    def epoch() -> float:
        return (
            sum(fit(LitMLP.of(config, row.widths[0], row.widths[-1]), datamodule=data) for config in configs) / row.num
        )

    return epoch


def torchvision_mnist():
    """torchvision's MNIST dataset with ToTensor and Normalize, over the files we ship."""
    import gzip
    import tempfile
    from pathlib import Path

    from torchvision.datasets import MNIST
    from torchvision.transforms import Compose, Normalize, ToTensor

    from mlp_study.data import idx

    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for path in idx.SHIPPED_MNIST.glob("*.gz"):
            (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        return MNIST(folder, train=True, transform=Compose([ToTensor(), Normalize((0.1307,), (0.3081,))]))


def fit(module: L.LightningModule, *loaders, bar: bool = False, datamodule=None, limit: int | None = None) -> float:
    clock = EpochClock()
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=bar,
        enable_model_summary=False, callbacks=[clock], num_sanity_val_steps=0, limit_val_batches=0,
        limit_train_batches=limit, log_every_n_steps=1,
    )  # fmt: skip
    trainer.fit(module, *loaders, datamodule=datamodule)
    return clock.seconds[0]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is timed (default 3)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="torch's threads")
    parser.add_argument("--only", choices=["single", "grid", "stacks", "sweeps"], help="one of the parts")
    parser.add_argument("--profile", action="store_true", help="say instead where a stack of twelve spends its time")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help=f"one round of {QUICK_BATCHES} mini-batches")
    size.add_argument("--smoke", action="store_true", help="one round of 2 mini-batches: whether it runs at all")
    arguments = parser.parse_args(argv)
    limit = QUICK_BATCHES if arguments.quick else SMOKE_BATCHES if arguments.smoke else None
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    prepare_processor()
    threads = arguments.threads
    if arguments.profile:
        epoch = stacks.stacked(CELLS, limit, threads)[0]
        with cProfile.Profile() as profile:
            epoch()
        pstats.Stats(profile).sort_stats("tottime").print_stats(14)
        return
    if arguments.only in (None, "single", "grid"):
        _epochs(arguments, threads, limit)
    if arguments.only in (None, "stacks"):
        rows = ROWS[:: 1 if limit is None else 4 if arguments.quick else 12]
        stacks.main(arguments.rounds if limit is None else 1, threads, limit, rows)
    if arguments.only in (None, "sweeps"):
        whole = replace(sweeps.FULL, rounds=arguments.rounds)
        sweeps.main(sweeps.QUICK if arguments.quick else sweeps.SMOKE if arguments.smoke else whole)


def _epochs(arguments: argparse.Namespace, threads: int, limit: int | None) -> None:
    """Time the ways in turn and show them."""
    data = ImageDataModule(DATA, seed=0, limits={"train": limit})
    data.setup()
    ways: dict[str, Callable[[], float] | None] = {
        "plain PyTorch loop": lambda: plain_loop(data),
        "this project, one run": lambda: this_project(data),
        "Lightning template": lambda: template(data),
    }
    if arguments.only == "grid":
        del ways["this project, one run"]
    if arguments.only != "single":
        ways |= {
            "serial, 12 cells": serial(CELLS, limit),
            "stacked, 1 member": stacks.stacked(replace(SGD_48, num=1), limit, 1)[0],
            "stacked, 12 cells": stacks.stacked(CELLS, limit, threads)[0],
            "stacked, 48 members": stacks.stacked(CELLS_48, limit, threads)[0],
            "stacked, 48 members, all sgd": stacks.stacked(SGD_48, limit, threads)[0],
            "JAX vmap + scan, 12 cells": rivals.jax_stack(CELLS, data.num_batches),
            "Keras 3 on JAX, one": rivals.keras_serial(CELLS, data.num_batches),
            "products only, 12": rivals.products(CELLS, data.num_batches, threads),
            "products only, 48": rivals.products(CELLS_48, data.num_batches, threads),
        }
    times: dict[str, list[float]] = {name: [] for name, way in ways.items() if way is not None}
    for name in ways.keys() - times.keys():
        print(f"{name}: skipped, not installed (pip install -e '.[bench]')")
    for _ in track(range(arguments.rounds if limit is None else 1), "timing", console=Console(stderr=True)):
        for name in times:
            torch.set_num_threads(threads)
            way = ways[name]
            assert way is not None
            times[name].append(way())
    show(times, threads, data.num_batches * BATCH)


def show(times: dict[str, list[float]], num_threads: int, num_images: int) -> None:
    """One row per way: seconds of an epoch per network, and ratios from the medians."""
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    base, slowest = medians["plain PyTorch loop"], medians["Lightning template"]
    title = (
        f"one epoch of one network, batch 32, {num_images:,} images; torch {torch.__version__}, {num_threads} threads"
    )
    table = Table(title=title, title_justify="left")
    for column in ("way", "fastest s", "median s", "x plain loop", "times faster than the template"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for name, seconds in times.items():
        median = medians[name]
        row = (f"{min(seconds):.3f}", f"{median:.3f}", f"{median / base:.2f}", f"{slowest / median:.1f}")
        table.add_row(name, *row)
    Console(width=120).print(table)
    for slow, fast in (
        ("serial, 12 cells", "stacked, 12 cells"),
        ("Keras 3 on JAX, one", "stacked, 12 cells"),
        ("JAX vmap + scan, 12 cells", "stacked, 12 cells"),
        ("stacked, 48 members", "products only, 48"),
        ("stacked, 48 members, all sgd", "products only, 48"),
    ):
        if slow in medians and fast in medians:
            print(f"{slow} / {fast} = {medians[slow] / medians[fast]:.2f}")


if __name__ == "__main__":
    main()
