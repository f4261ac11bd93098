"""Lightning callbacks: the one that writes the run's record, and Lightning's own for stopping and checkpoints."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint

from mlp_study.config import Config
from mlp_study.lit import LitMLP
from mlp_study.progress import TrainingBar
from mlp_study.statistics import Histogram, LayerState, histograms, layer_statistics
from mlp_study.writer import RunWriter


class Recorder(Callback):
    """Hands every epoch to the run's writer and ends a run that diverges.

    Args:
        writer: of the run.
        bar: moved on with every block of mini-batches.
        report: called with one line per epoch.
    """

    def __init__(self, writer: RunWriter, bar: TrainingBar, report: Any) -> None:
        self.writer, self.bar, self.report = writer, bar, report
        self.diverged = ""
        self.num_images = 0
        self.train_seconds = 0.0
        self._started = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar. Nothing here reads a number from the device."""
        self.num_images += len(batch[0])
        self.bar.advance(1 / trainer.num_training_batches, len(batch[0]))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the epoch. Lightning calls this after validation, before its own stopping and checkpoint callbacks."""
        assert isinstance(pl_module, LitMLP)
        row: dict[str, float] = {
            "lr": float(pl_module.lr_used),
            "train_loss": float(pl_module.train_loss.compute()),
            "train_acc": float(pl_module.train_acc.compute()),
        }
        if "val" in pl_module.evaluated:
            row["val_loss"], row["val_acc"] = pl_module.evaluated["val"]
        self.train_seconds += time.perf_counter() - self._started
        states = pl_module.layer_states()
        row.update({key: float(value) for key, value in layer_statistics(states).items()})
        tags = layer_histograms(states) if self.writer.wants_histograms else {}
        assert pl_module.first_loss is not None
        reason = self.writer.epoch(row, {tag: members[0] for tag, members in tags.items()}, float(pl_module.first_loss))
        line = epoch_line(row, trainer.current_epoch + 1, self.writer.config.trainer["max_epochs"])
        self.report(line)
        self.bar.note("  ".join(f"{key} {row[key]:.4f}" for key in ("train_loss", "val_acc") if key in row))
        if reason:
            self.diverged = reason
            trainer.should_stop = True


def layer_histograms(states: list[LayerState]) -> dict[str, list[Histogram | None]]:
    """Histograms of each layer's kernel and its gradient, one per member, by TensorBoard tag."""
    tags = {f"weights/{state.name}": histograms(state.weight) for state in states}
    return tags | {f"gradients/{state.name}": histograms(state.grad) for state in states}


def epoch_line(row: dict[str, float], epoch: int, max_epochs: int) -> str:
    """One epoch as Keras prints it."""
    shown = ("train_loss", "train_acc", "val_loss", "val_acc")
    return f"epoch {epoch:>{len(str(max_epochs))}}/{max_epochs}  " + "  ".join(
        f"{key} {row[key]:.4f}" for key in shown if key in row
    )


def monitor_mode(monitor: str) -> str:
    """Whether less or more of a metric is better: "min" or "max"."""
    return "max" if monitor.endswith("_acc") else "min"


def early_stopping(config: Config) -> EarlyStopping | None:
    """Lightning's EarlyStopping as the config asks, or None."""
    asked = config.callbacks.get("early_stopping")
    if asked is None:
        return None
    return EarlyStopping(
        asked["monitor"],
        min_delta=asked["min_delta"],
        patience=asked["patience"],
        mode=monitor_mode(asked["monitor"]),
        check_finite=False,  # divergence is recorded by ourselves, under its own name
        check_on_train_epoch_end=True,
    )


def checkpoint_monitor(config: Config) -> str:
    """What the best checkpoint is judged by."""
    return config.callbacks["checkpoint"]["monitor"] or ("val_loss" if config.has_validation else "train_loss")


def checkpoints(config: Config, folder: Path) -> list[Callback]:
    """Lightning's ModelCheckpoint for best.ckpt and last.ckpt in `folder`/checkpoints, as the config asks."""
    asked = config.callbacks.get("checkpoint")
    if asked is None:
        return []
    common: dict[str, Any] = {
        "dirpath": folder / "checkpoints",
        "save_on_train_epoch_end": True,
        "enable_version_counter": False,
    }
    result: list[Callback] = []
    if asked["save_best"]:
        monitor = checkpoint_monitor(config)
        result.append(ModelCheckpoint(filename="best", monitor=monitor, mode=monitor_mode(monitor), **common))
    if asked["save_last"]:
        result.append(ModelCheckpoint(filename="last", monitor=None, **common))
    return result
