"""Train a stack: epochs over all members at once, and for each member the record that a run alone would leave."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mlp_study.engines import checkpoint
from mlp_study.engines.attempt import Attempt
from mlp_study.engines.cohort import Cohort
from mlp_study.engines.device import be_deterministic, flops_per_step, num_threads
from mlp_study.engines.image_data import ImageData, to_device
from mlp_study.engines.look import seen
from mlp_study.engines.part import Part
from mlp_study.engines.snapshot import Saver
from mlp_study.engines.stack.grouping import EVAL_ROWS
from mlp_study.engines.stack.network import StackedMLP
from mlp_study.engines.stack.updates import Updates, neighbours
from mlp_study.engines.threads import Threads
from mlp_study.engines.writer import TestOutcome
from mlp_study.learning.evaluation import Evaluation, evaluate
from mlp_study.learning.layer_statistics import LayerState, layer_histograms, layer_statistics
from mlp_study.learning.losses import losses_and_gradient, sample_losses
from mlp_study.runs.listener import Listener
from mlp_study.runs.result import DIVERGED, FAILED
from mlp_study.seeds import streams


def train(
    attempts: Sequence[Attempt], data: ImageData, listener: Listener, saver: Saver, cohort: Cohort | None = None
) -> None:
    """Train the attempts together until each has ended, and finish it.

    Args:
        attempts: begun, or resumed.
        data: their images, set up, on the device that trains.
        listener: told of every block of mini-batches.
        saver: of snapshots.
        cohort: judges them, in a search.
    """
    be_deterministic(attempts[0].run.config.trainer.deterministic)
    trainer = StackTrainer(attempts, data, listener, saver, cohort)
    with saver.interruptible(listener):
        trainer.fit()


class StackTrainer:
    """Trains attempts that share all settings which `mlp_study.engines.stack.grouping` does not leave to each.

    Args:
        members: begun attempts.
        data: the images, set up.
        listener: told of the images that every member has seen.
        saver: of snapshots; has what is common to members that were resumed.
        cohort: judges them after each epoch; default nobody does.
    """

    def __init__(
        self,
        members: Sequence[Attempt],
        data: ImageData,
        listener: Listener,
        saver: Saver,
        cohort: Cohort | None = None,
    ) -> None:
        self.cohort = cohort or Cohort()
        # An order that changes nobody's numbers.
        self.members = members = [members[m] for m in neighbours([member.run.config for member in members])]
        self.data, self.listener, self.saver = data, listener, saver
        configs = [member.run.config for member in members]
        self.loss, self.output_activation = configs[0].loss, configs[0].model.output_activation
        self.max_epochs, self.batch_size = configs[0].trainer.max_epochs, configs[0].data.batch_size
        restored = [member.restored for member in members if member.restored is not None]
        for member in members:
            if member.restored is not None:
                member.module.load_state_dict(member.restored["state_dict"])
                member.module.on_load_checkpoint(member.restored)
        plain = [member.module.mlp.to(data.device, data.dtype) for member in members]
        self.network = StackedMLP(plain)
        self.updates = Updates(self.network, configs, data.num_batches)
        # What it began with decides how many threads there are, also for those that go on without some.
        common = saver.restored.common if restored and saver.restored is not None else {}
        self.num_at_start = common.get("num_members", len(members))
        self.batches = {
            config.seed: data.train_batches(streams(config.seed).order) for config in configs
        }  # those of a seed see the same ones
        self.first_losses: Tensor | None = None
        self.num_images = data.train_batches(0).num_images  # in an epoch
        self.num_epochs = 0  # that are over
        most = num_threads(self.num_at_start * flops_per_step(members[0].module.mlp, self.batch_size))
        self.threads = Threads(most, changes=data.device.type == "cpu")
        self.part: Part | None = None  # of the epoch under way
        self._started = 0.0
        if restored:
            self._restore(restored)

    def _restore(self, restored: Sequence[dict[str, Any]]) -> None:
        """Go on from checkpoints, one for each member; the weights are in place."""
        self.num_epochs = restored[0]["epoch"] + 1
        self.updates.restore(self.network, restored)
        for member, content in zip(self.members, restored, strict=True):
            self.batches[member.run.config.seed].set_state(content["ImageDataModule"])
        losses = [content["LitMLP"]["first_loss"] for content in restored]
        self.first_losses = torch.tensor(losses, dtype=torch.float64, device=self.data.device)
        if "part" in restored[0]:
            parts = [content["part"] for content in restored]
            self.part = Part.restored(parts, (len(parts),), self.data.device)

    def fit(self) -> None:
        """Train until every member has ended; each is recorded at its own epoch and leaves the computation."""
        while self.num_epochs < self.max_epochs:
            self._started = time.perf_counter()
            losses, hits, last = self.train_epoch()
            rows = self._rows(losses, hits)
            self._add_seconds()
            for member in self.members:
                member.num_images += self.num_images
            self._record(rows, last)
            self._let_go()
            if not self.members:
                return
            if self.saver.is_due():
                self._save()

    def _add_seconds(self) -> None:
        """Give each member its share of the time since this was asked for last."""
        now = time.perf_counter()
        for member in self.members:
            member.train_seconds += (now - self._started) / len(self.members)
        self._started = now

    def _save(self) -> None:
        """Save a snapshot, between epochs or between two steps of one."""
        common = {"num_members": self.num_at_start, **self.cohort.state()}
        self.saver.save([member.run for member in self.members], self._states, common)

    @torch.no_grad()
    def train_epoch(self) -> tuple[Tensor, Tensor, Tensor]:
        """One pass over the images: sums of losses and of hits, (M,), and the last batch (M or 1, B, pixels)."""
        self.part = part = self.part or Part((len(self.members),), self.data.device)
        num_shown = sum(member.is_shown for member in self.members)
        images, labels = self.data.train
        num_orders = 1 if len(self.batches) == 1 else len(self.members)
        room = images.new_empty(num_orders * self.batch_size, images.shape[1])  # a step's images
        self.threads.pause()
        # Nothing in this loop asks the device for a number, as long as no snapshot is due.
        for rows in self._blocks():
            if not (num_images := rows.shape[1]):  # a snapshot was taken after it
                continue
            of_step = labels[rows].split(self.batch_size, 1)
            for row, y in zip(rows.split(self.batch_size, 1), of_step, strict=True):
                # At the very beginning of an epoch, the end of the last one was the time.
                if self.saver.is_due(is_inside=True) and part.num:
                    self._add_seconds()
                    self._save()
                    self.threads.pause()
                    self._started = time.perf_counter()
                x = room[: row.numel()]
                torch.index_select(images, 0, row.flatten(), out=x)
                x = x.view(*row.shape, -1)
                y = y.expand(len(self.members), -1)  # (M, B)
                logits = self.network.forward(x, training=True)  # (M, classes, B)
                mean, gradient = losses_and_gradient(self.loss, logits, y, self.output_activation)  # (M,)
                # The last step's gradients are recorded.
                is_last = part.num + y.shape[1] == self.num_images
                self.network.backward(gradient, self.updates.begin_step(keeps_gradients=is_last))
                penalties = self.updates.penalties(self.network)
                self.updates.step(self.network)
                self.threads.stepped()
                losses = mean if penalties is None else mean + penalties
                if self.first_losses is None:
                    self.first_losses = losses
                part.add(losses, logits.mT, y)
            part.end_block(self.batch_size)
            self.listener.advanced(num_shown * num_images / self.num_images, num_shown * num_images)
        self.part = None
        self.num_epochs += 1
        return part.losses, part.hits, x

    def _blocks(self) -> Iterator[Tensor]:
        """Which images each member sees, (M, rows), several batches at a time; (1, rows) where all see the same.

        They are gathered just before a step needs them: so they are still in the caches when it does.
        """
        number = {seed: i for i, seed in enumerate(self.batches)}
        orders = torch.tensor([number[member.run.config.seed] for member in self.members])
        of_member = to_device(orders, self.data.device)
        for blocks in zip(*(batches.blocks() for batches in self.batches.values()), strict=True):
            yield blocks[0][None] if len(blocks) == 1 else torch.stack(blocks)[of_member]

    def _rows(self, losses: Tensor, hits: Tensor) -> list[dict[str, float]]:
        """The epoch's numbers of each member, validation included."""
        count = self.num_images
        columns = {
            "lr": self.updates.rates,
            "train_loss": (losses / count).tolist(),
            "train_acc": [h / count for h in hits.tolist()],
        }
        if self.data.val is not None:
            found = self._evaluate("val")
            columns |= {"val_loss": self._with_penalty(found.loss), "val_acc": found.acc.tolist()}
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def _evaluate(self, part: str) -> Evaluation:
        """All members on the "val" or "test" images; losses are without their penalties."""
        slices = self.data.slices(part)
        assert slices is not None

        def judged(x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            self.saver.answer()
            logits = self.network.forward(x[None], training=False)  # (M, classes, B)
            labels = labels.expand(len(logits), -1)
            losses = sample_losses(self.loss, logits.mT, labels, self.output_activation)
            return losses.sum(1, dtype=torch.float64), logits.argmax(1)

        return evaluate(judged, slices.images, slices.labels, EVAL_ROWS)

    @torch.no_grad()
    def _with_penalty(self, losses: Tensor) -> list[float]:
        """The members' losses (M,) with their penalties."""
        penalties = self.updates.penalties(self.network)
        return (losses if penalties is None else losses + penalties).tolist()

    @torch.no_grad()
    def _record(self, rows: list[dict[str, float]], last: Tensor) -> None:
        """Add the layers' statistics to the rows and hand them to the members."""
        activations = self.network.activations(last)
        states = [
            LayerState(name, dense.activation, dense.weight, dense.weight_grad, a)
            for name, dense, a in zip(self.network.dense_names, self.network.dense, activations, strict=True)
        ]
        numbers = {key: values.tolist() for key, values in layer_statistics(states).items()}
        wanted = any(member.writer.wants_histograms for member in self.members)
        tags = layer_histograms(states) if wanted else {}
        assert self.first_losses is not None
        looks = seen(self.network, [member.doctor for member in self.members])  # whose gradients are lost
        networks = [partial(self._network, m, loss) for m, loss in enumerate(self.first_losses.tolist())]
        for m, (member, first_loss) in enumerate(zip(self.members, self.first_losses.tolist(), strict=True)):
            rows[m].update({key: values[m] for key, values in numbers.items()})
            own = {tag: values[m] for tag, values in tags.items()} if member.writer.wants_histograms else {}
            member.epoch(rows[m], own, first_loss, networks[m], looks[m])
        self.cohort.judge(self.members, networks)

    def _network(self, m: int, first_loss: float, part: dict[str, Any] | None = None) -> dict[str, Any]:
        """The content of member m's checkpoint: what it would be for a run alone; `part` is its part of an epoch."""
        member = self.members[m]
        self.network.member(m)
        member.module.num_steps = self.updates.num_steps
        member.module.first_loss = torch.tensor(first_loss)
        num_blocks = -(-self.data.num_batches // member.run.config.trainer.steps_per_execution)
        order = self.batches[member.run.config.seed].state(0 if part is None else part["num"])
        return checkpoint.content(member.module, *self.updates.state(m), self.num_epochs, num_blocks, order, part)

    @torch.no_grad()
    def _states(self) -> list[dict[str, Any]]:
        """What each member has come to, for a snapshot."""
        assert self.first_losses is not None
        losses = self.first_losses.tolist()
        parts = [None] * len(losses) if self.part is None else self.part.states()
        return [member.state(self._network(m, losses[m], parts[m])) for m, member in enumerate(self.members)]

    def _let_go(self) -> None:
        """Finish the members that have ended, and go on with the others."""
        ended = [m for m, member in enumerate(self.members) if member.status]
        if not ended:
            return
        outcomes: dict[int, TestOutcome] = {}
        if self.data.test is not None and any(self.members[m].status not in (DIVERGED, FAILED) for m in ended):
            found = self._evaluate("test")
            losses, accs = self._with_penalty(found.loss), found.acc.tolist()
            outcomes = {m: TestOutcome(losses[m], accs[m], found.predicted[m].cpu().numpy()) for m in ended}
        for m in ended:
            member = self.members[m]
            if member.status != FAILED:  # that is recorded already
                self.network.member(m)
                test = None if member.status == DIVERGED else outcomes.get(m)
                member.finish(test, self.data, member.train_seconds)
        kept = [m for m in range(len(self.members)) if m not in ended]
        self.members = [self.members[m] for m in kept]
        if not kept:
            return
        assert self.first_losses is not None
        self.first_losses = self.first_losses[torch.tensor(kept, device=self.first_losses.device)]
        self.network.keep(kept)
        self.updates.keep(self.network, kept)
        seeds = {member.run.config.seed for member in self.members}
        self.batches = {seed: batches for seed, batches in self.batches.items() if seed in seeds}
