"""Train a stack: epochs over all members at once, and for each member the record that a run alone would leave."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import lightning
import torch
from torch import Tensor

from mlp_study.callbacks import checkpoint_monitor, early_stopping, epoch_line, layer_histograms, monitor_mode
from mlp_study.config import Config
from mlp_study.data.datamodule import Batches, ImageDataModule
from mlp_study.lit import LitMLP
from mlp_study.losses import losses_and_gradient, sample_losses
from mlp_study.progress import TrainingBar
from mlp_study.record import COMPLETED, DIVERGED, STOPPED
from mlp_study.seeds import streams
from mlp_study.stack.network import StackedMLP
from mlp_study.stack.plan import EVAL_ROWS
from mlp_study.stack.updates import Updates
from mlp_study.statistics import LayerState, layer_statistics
from mlp_study.writer import RunWriter, TestOutcome


class Member:
    """One run of a stack: its settings, its module, its writer and what Lightning's callbacks would remember."""

    def __init__(self, config: Config, module: LitMLP, writer: RunWriter, report: Callable[[str], Any]) -> None:
        self.config, self.module, self.writer, self.report = config, module, writer, report
        self.stopping = early_stopping(config)
        self.best: float | None = None
        self.ended = ""  # the status, once it has one
        self.reason = ""
        self.seconds = 0.0

    def improved(self, row: dict[str, float]) -> bool:
        """Whether this epoch is the best so far by the checkpoint's monitor."""
        asked = self.config.callbacks.get("checkpoint")
        if asked is None or not asked["save_best"]:
            return False
        value = row[checkpoint_monitor(self.config)]
        less = monitor_mode(checkpoint_monitor(self.config)) == "min"
        if self.best is not None and not (value < self.best if less else value > self.best):
            return False
        self.best = value
        return True


class StackTrainer:
    """Trains members that share all settings which `mlp_study.stack.plan` does not leave to each.

    Args:
        members: those of one seed side by side.
        data: the images, set up.
        bar: advanced by the images that every member has seen.
        finished: called with a member when it has ended and is recorded.
    """

    def __init__(
        self,
        members: Sequence[Member],
        data: ImageDataModule,
        bar: TrainingBar,
        finished: Callable[[Member, dict[str, Any]], Any],
    ) -> None:
        self.members, self.data, self.bar, self.finished = list(members), data, bar, finished
        first = members[0].config
        self.loss, self.output_activation = first.loss, first.model["output_activation"]
        self.max_epochs, self.batch_size = first.trainer["max_epochs"], first.data["batch_size"]
        plain = [member.module.mlp.to(data.device, data.dtype) for member in members]
        self.network = StackedMLP(plain, _runs_of_equal([m.config.seed for m in members]))
        self.updates = Updates(self.network, [m.config for m in members], data.num_batches)
        seeds = dict.fromkeys(m.config.seed for m in members)
        steps = max(1, data.steps_per_execution // len(seeds))  # several orders of batches fill the memory of one
        self.batches = {seed: self._batches(seed, steps) for seed in seeds}
        self.first_losses: Tensor | None = None
        self.num_images = 0
        self.seconds = 0.0

    def _batches(self, seed: int, steps_per_execution: int) -> Batches:
        batches = self.data.train_batches(streams(seed).order)
        batches.rows = self.batch_size * steps_per_execution
        return batches

    def fit(self) -> None:
        """Train until every member has ended; each is recorded at its own epoch and leaves the computation."""
        for epoch in range(self.max_epochs):
            started = time.perf_counter()
            losses, hits, last = self._train_epoch()
            rows = self._rows(losses, hits)
            seconds = time.perf_counter() - started
            self.seconds += seconds
            share = seconds / len(self.members)
            for member in self.members:
                member.seconds += share
            self._record(rows, last, epoch)
            for m, member in enumerate(self.members):
                self._judge(member, m, rows[m], epoch)
            self._let_go()
            if not self.members:
                return

    @torch.no_grad()
    def _train_epoch(self) -> tuple[Tensor, Tensor, list[Tensor]]:
        """One pass over the images: sums of losses and of hits, (M,), and the last batch of each group."""
        device, num = self.data.device, len(self.members)
        losses = torch.zeros(num, dtype=torch.float64, device=device)
        hits = torch.zeros(num, dtype=torch.int64, device=device)
        sizes = [g.stop - g.start for g in self.network.groups]
        self.num_images_epoch = 0
        xs: list[Tensor] = []
        # Nothing in this loop asks the device for a number.
        for blocks in zip(*self.batches.values(), strict=True):
            images = [block[0].split(self.batch_size) for block in blocks]
            labels = [block[1].split(self.batch_size) for block in blocks]
            all_losses, all_logits, all_labels = [], [], []
            for step in range(len(images[0])):
                xs = [image[step] for image in images]
                ys = [group[step].expand(n, -1) for group, n in zip(labels, sizes, strict=True)]
                y = ys[0] if len(ys) == 1 else torch.cat(ys)  # (M, B)
                logits = self.network.forward(xs, training=True)  # (M, classes, B)
                mean, gradient = losses_and_gradient(self.loss, logits, y, self.output_activation)  # (M,)
                self.network.backward(gradient)
                penalties = self.updates.penalties(self.network)
                self.updates.step(self.network)
                all_losses.append(mean if penalties is None else mean + penalties)
                all_logits.append(logits)
                all_labels.append(y)
            if self.first_losses is None:
                self.first_losses = all_losses[0]
            # The running means, once for all mini-batches: a tenth of the time of a step otherwise.
            counts = torch.tensor([y.shape[1] for y in all_labels], dtype=torch.float64, device=device)
            losses += counts @ torch.stack(all_losses).double()
            hits += (torch.cat(all_logits, 2).mT.contiguous().argmax(2) == torch.cat(all_labels, 1)).sum(1)
            num_images = len(blocks[0][0])
            self.num_images_epoch += num_images
            self.bar.advance(num * num_images / len(self.data.train[0]), num * num_images)
        self.num_images += self.num_images_epoch
        return losses, hits, xs

    def _rows(self, losses: Tensor, hits: Tensor) -> list[dict[str, float]]:
        """The epoch's numbers of each member, validation included."""
        count = self.num_images_epoch
        columns = {
            "lr": self.updates.rates,
            "train_loss": (losses / count).tolist(),
            "train_acc": [h / count for h in hits.tolist()],
        }
        if self.data.val is not None:
            loss, acc, _ = self._evaluate(*self._slices("val"))
            columns |= {"val_loss": loss, "val_acc": acc}
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def _slices(self, part: str) -> tuple[Tensor, Tensor]:
        slices = self.data.val_dataloader() if part == "val" else self.data.test_dataloader()
        return slices.images, slices.labels  # type: ignore[union-attr]

    @torch.no_grad()
    def _evaluate(self, images: Tensor, labels: Tensor) -> tuple[list[float], list[float], Tensor]:
        """Loss with its penalty and accuracy of each member, and its predictions (M, N)."""
        losses = torch.zeros(len(self.members), dtype=torch.float64, device=images.device)
        predicted = []
        for x, y in zip(images.split(EVAL_ROWS), labels.split(EVAL_ROWS), strict=True):
            logits = self.network.forward([x] * len(self.network.groups), training=False)
            y = y.expand(len(logits), -1)
            losses += sample_losses(self.loss, logits.mT, y, self.output_activation).sum(1, dtype=torch.float64)
            predicted.append(logits.argmax(1))
        all_predicted = torch.cat(predicted, 1)
        mean = losses / len(images)
        penalties = self.updates.penalties(self.network)
        if penalties is not None:
            mean = mean + penalties
        hits = (all_predicted == labels).sum(1)
        return mean.tolist(), [h / len(images) for h in hits.tolist()], all_predicted

    @torch.no_grad()
    def _record(self, rows: list[dict[str, float]], last: list[Tensor], epoch: int) -> None:
        """Add the layers' statistics to the rows and write them."""
        activations = self.network.activations(last)
        states = [
            LayerState(name, dense.activation, dense.weight, dense.weight_grad, a)
            for name, dense, a in zip(self.network.dense_names, self.network.dense, activations, strict=True)
        ]
        numbers = {key: values.tolist() for key, values in layer_statistics(states).items()}
        wanted = any(member.writer.wants_histograms for member in self.members)
        tags = layer_histograms(states) if wanted else {}
        assert self.first_losses is not None
        for m, (member, first_loss) in enumerate(zip(self.members, self.first_losses.tolist(), strict=True)):
            rows[m].update({key: values[m] for key, values in numbers.items()})
            own = {tag: values[m] for tag, values in tags.items()} if member.writer.wants_histograms else {}
            reason = member.writer.epoch(rows[m], own, first_loss)
            member.report(epoch_line(rows[m], epoch + 1, self.max_epochs))
            if reason:
                member.ended, member.reason = DIVERGED, reason

    def _judge(self, member: Member, m: int, row: dict[str, float], epoch: int) -> None:
        """What Lightning's callbacks would do at the end of this epoch."""
        stopping = member.stopping
        if stopping is not None and not member.ended:
            should_stop, _ = stopping._evaluate_stopping_criteria(
                torch.tensor(row[stopping.monitor], dtype=torch.float64)
            )
            if should_stop:
                member.ended = STOPPED
                member.reason = f"early stopping: {stopping.monitor} did not improve in {stopping.patience} epochs"
        if member.improved(row):
            self._save(member, m, "best", epoch)
        if epoch + 1 == self.max_epochs and not member.ended:
            member.ended = COMPLETED
        asked = member.config.callbacks.get("checkpoint")
        if member.ended and asked is not None and asked["save_last"]:
            self._save(member, m, "last", epoch)

    def _save(self, member: Member, m: int, name: str, epoch: int) -> None:
        """A checkpoint that loads like Lightning's own."""
        self.network.member(m)
        folder = member.writer.folder / "checkpoints"
        folder.mkdir(exist_ok=True)
        content = {
            "epoch": epoch,
            "global_step": self.updates.num_steps,
            "pytorch-lightning_version": lightning.__version__,
            "state_dict": member.module.state_dict(),
            "optimizer_states": [self.updates.optimizers[m].state_dict()],
            "hparams_name": "kwargs",
            "hyper_parameters": dict(member.module.hparams),
        }
        torch.save(content, folder / f"{name}.ckpt")

    def _let_go(self) -> None:
        """Record the members that have ended, and go on with the others."""
        ended = [m for m, member in enumerate(self.members) if member.ended]
        if not ended:
            return
        outcomes: dict[int, TestOutcome] = {}
        if self.data.test is not None and any(self.members[m].ended != DIVERGED for m in ended):
            started = time.perf_counter()
            losses, accs, predicted = self._evaluate(*self._slices("test"))
            self.seconds += time.perf_counter() - started
            outcomes = {m: TestOutcome(losses[m], accs[m], predicted[m].cpu().numpy()) for m in ended}
        for m in ended:
            member = self.members[m]
            self.network.member(m)
            test = None if member.ended == DIVERGED else outcomes.get(m)
            result = member.writer.finish(
                member.ended, member.reason, test, self.data, member.seconds, self.num_images, member.seconds
            )
            # What it will not train on any more counts as done.
            self.bar.advance(self.max_epochs - len(member.writer.record.history), 0)
            self.finished(member, result)
        kept = [m for m in range(len(self.members)) if m not in ended]
        self.members = [self.members[m] for m in kept]
        if not kept:
            return
        assert self.first_losses is not None
        self.first_losses = self.first_losses[torch.tensor(kept, device=self.first_losses.device)]
        self.network.keep(kept)
        self.updates.keep(self.network, kept)
        seeds = {member.config.seed for member in self.members}
        self.batches = {seed: batches for seed, batches in self.batches.items() if seed in seeds}


def _runs_of_equal(values: Sequence[Any]) -> list[slice]:
    """Consecutive equal values as slices."""
    starts = [i for i in range(len(values)) if i == 0 or values[i] != values[i - 1]]
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], len(values)], strict=True)]
