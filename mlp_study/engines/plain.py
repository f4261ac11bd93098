"""Train one run with the Lightning Trainer: the plain path, and the oracle for the stack."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from mlp_study.engines import checkpoint
from mlp_study.engines.attempt import Attempt
from mlp_study.engines.cohort import Cohort
from mlp_study.engines.datamodule import ImageDataModule
from mlp_study.engines.device import be_deterministic, flops_per_step, num_threads
from mlp_study.engines.image_data import ImageData
from mlp_study.engines.lit import LitMLP
from mlp_study.engines.products import products_of
from mlp_study.engines.quiet import quiet_lightning
from mlp_study.engines.snapshot import Saver
from mlp_study.engines.writer import TestOutcome
from mlp_study.learning.layer_statistics import layer_histograms, layer_statistics
from mlp_study.runs.listener import Listener
from mlp_study.runs.result import DIVERGED


def train(
    attempts: Sequence[Attempt], data: ImageData, listener: Listener, saver: Saver, cohort: Cohort | None = None
) -> None:
    """Train each attempt until it has ended and finish it.

    Args:
        attempts: begun, or resumed.
        data: their images, set up, on the device that trains.
        listener: told of every block of mini-batches.
        saver: of snapshots.
        cohort: judges them, in a search.
    """
    assert isinstance(data, ImageDataModule)
    with saver.interruptible(listener):
        for attempt in attempts:
            _train(attempt, data, Recorder(attempt, data, listener, saver, cohort or Cohort()))


def _train(attempt: Attempt, data: ImageDataModule, recorder: Recorder) -> None:
    settings, module = attempt.run.config.trainer, attempt.module
    assert isinstance(module, LitMLP)
    be_deterministic(settings.deterministic)
    flops = flops_per_step(module.mlp, data.data.batch_size)
    torch.set_num_threads(num_threads(flops))
    with quiet_lightning(), products_of(flops / (3 * len(module.mlp.dense)), data.device):
        trainer = L.Trainer(
            accelerator=data.device.type,
            devices=1 if data.device.type == "cpu" else [data.device.index],
            precision=settings.precision,  # type: ignore[arg-type]
            max_epochs=settings.max_epochs,
            callbacks=[recorder],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        try:
            with _checkpoint_file(attempt.restored) as path:
                trainer.fit(module, datamodule=data, ckpt_path=path, weights_only=True)
            if attempt.result is not None:  # it failed on the way
                return
            test = None
            if attempt.status != DIVERGED and data.test is not None:
                trainer.test(module, datamodule=data, verbose=False)
                found = module.evaluated["test"]
                test = TestOutcome(float(found.loss), float(found.acc), found.predicted.cpu().numpy())
        except SystemExit:  # Lightning's own end of a Ctrl-C, with an exit code that says nothing of it
            raise KeyboardInterrupt from None
    attempt.finish(test, data)


@contextmanager
def _checkpoint_file(content: dict[str, Any] | None) -> Iterator[str | None]:
    """A checkpoint as the file that Lightning wants it to be, as long as it does."""
    if content is None:
        yield None
        return
    with tempfile.NamedTemporaryFile(suffix=".ckpt") as file:
        torch.save(content, file)
        file.flush()
        yield file.name


class Recorder(Callback):
    """Hands every epoch to the attempt and ends training with it; between two steps, it saves and is interrupted."""

    def __init__(
        self, attempt: Attempt, data: ImageDataModule, listener: Listener, saver: Saver, cohort: Cohort
    ) -> None:
        self.attempt, self.data, self.listener, self.saver, self.cohort = attempt, data, listener, saver, cohort
        self._started = 0.0
        self._num_images = data.train_batches(0).num_images  # in an epoch

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Come between the steps; and handle SIGTERM, for which Lightning has just set a handler of its own."""
        assert isinstance(pl_module, LitMLP)
        pl_module.before_step = partial(self._before_step, trainer, pl_module)
        self.saver.interrupts.take()

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Handle SIGTERM again."""
        self.saver.interrupts.take()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Tell of the progress. Nothing here reads a number from the device."""
        self.attempt.num_images += len(batch[0])
        self.listener.advanced(len(batch[0]) / self._num_images, len(batch[0]))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Record the epoch. Lightning calls this after validation."""
        assert isinstance(pl_module, LitMLP)
        part = pl_module.part
        row: dict[str, float] = {
            "lr": float(pl_module.lr_used),
            "train_loss": float(part.losses) / part.num,
            "train_acc": int(part.hits) / part.num,
        }
        if "val" in pl_module.evaluated:
            found = pl_module.evaluated["val"]
            row |= {"val_loss": float(found.loss), "val_acc": float(found.acc)}
        self._add_seconds()
        states = pl_module.layer_states()
        row.update({key: float(value) for key, value in layer_statistics(states).items()})
        tags = layer_histograms(states) if self.attempt.writer.wants_histograms else {}
        assert pl_module.first_loss is not None
        network = partial(self._network, trainer, pl_module)
        self.attempt.epoch(
            row,
            {tag: members[0] for tag, members in tags.items()},
            float(pl_module.first_loss),
            network,
            self.attempt.doctor.at(pl_module.mlp),
        )
        self.cohort.judge([self.attempt], [network])
        if self.attempt.status:
            trainer.should_stop = True
        elif self.saver.is_due():
            self._save(trainer, pl_module)

    def _before_step(self, trainer: L.Trainer, module: LitMLP) -> None:
        """Save, if it is time to; at the very beginning of an epoch, the end of the last one was the time."""
        if self.saver.is_due(is_inside=True) and module.part.num:
            self._add_seconds()
            self._save(trainer, module, is_inside=True)
            self._started = time.perf_counter()

    def _add_seconds(self) -> None:
        now = time.perf_counter()
        self.attempt.train_seconds += now - self._started
        self._started = now

    def _save(self, trainer: L.Trainer, module: LitMLP, is_inside: bool = False) -> None:
        attempt = self.attempt
        self.saver.save([attempt.run], lambda: [attempt.state(self._network(trainer, module, is_inside))], {})

    def _network(self, trainer: L.Trainer, module: LitMLP, is_inside: bool = False) -> dict[str, Any]:
        """The content of a checkpoint, at the end of an epoch or inside it."""
        optimizer, scheduler = module.optimizers(use_pl_optimizer=False), module.lr_schedulers()
        assert isinstance(optimizer, torch.optim.Optimizer)
        return checkpoint.content(
            module,
            optimizer.state_dict(),
            None if scheduler is None else scheduler.state_dict(),  # type: ignore[union-attr]
            trainer.current_epoch + (not is_inside),
            int(trainer.num_training_batches),
            self.data.state_dict(module.part.num if is_inside else 0),
            module.part.states()[0] if is_inside else None,
        )
