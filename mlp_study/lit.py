"""The LightningModule: a configurable MLP, its loss, its optimizer, and one training step.

Optimization is manual so that one `training_step` can run several mini-batches (Keras's `steps_per_execution`): for
networks this small Lightning's bookkeeping around each step would cost as much as the step. Nothing in an epoch asks
the device for a number; losses and hits are summed there and read once, when the epoch ends.
"""

from __future__ import annotations

from typing import Any, cast

import lightning as L
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from mlp_study.losses import mean_loss, outputs
from mlp_study.mlp import MLP
from mlp_study.optimizers import optimizer
from mlp_study.schedules import schedule
from mlp_study.statistics import LayerState

Batch = tuple[Tensor, Tensor]


class LitMLP(L.LightningModule):
    """A multilayer perceptron and how it is trained. All arguments are plain values, stored in every checkpoint.

    Args:
        mlp: arguments of `mlp_study.mlp.MLP`.
        optim: {"name": ..., numbers}, see `mlp_study.optimizers`.
        schedule: {"name": ..., numbers}, see `mlp_study.schedules`.
        loss: cross_entropy, binary_cross_entropy or mse.
        output_activation: what mse compares with the targets; "auto" is the loss's own.
        l2: every kernel w adds l2 * sum(w^2) to the loss, as Keras means it; biases add nothing.
        batch_size: rows in a mini-batch.
        gradient_clip_val, gradient_clip_algorithm: bound on the gradient's "norm" (over all parameters) or "value".
    """

    def __init__(
        self,
        mlp: dict[str, Any],
        optim: dict[str, Any],
        schedule: dict[str, Any] | None = None,
        loss: str = "cross_entropy",
        output_activation: str = "auto",
        l2: float = 0.0,
        batch_size: int = 32,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str = "norm",
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.optim, self.schedule = optim, schedule or {"name": "constant"}
        self.loss, self.output_activation, self.l2, self.batch_size = loss, output_activation, l2, batch_size
        self.clip_val, self.clip_algorithm = gradient_clip_val, gradient_clip_algorithm
        self.mlp = MLP(**mlp)
        self.train_loss, self.train_acc = EpochMean(), EpochMean()
        self.evaluated: dict[str, tuple[float, float]] = {}  # part -> loss, accuracy
        self.lr_used = float("nan")
        self.first_loss: Tensor | None = None
        self.last_batch: Batch | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, pixels) -> predicted outputs (B, classes): probabilities for the cross-entropies."""
        return outputs(self.loss, self.mlp(x), self.output_activation)

    def configure_optimizers(self) -> Any:
        """The optimizer and, unless the rate is constant, its schedule, stepped with every mini-batch."""
        optimizer_ = optimizer(self.mlp.parameters(), **self.optim)
        if self.schedule["name"] == "constant":
            return optimizer_
        num_steps = self.trainer.datamodule.num_batches  # type: ignore[attr-defined]
        assert self.trainer.max_epochs is not None
        factor = schedule(max_epochs=self.trainer.max_epochs, steps_per_epoch=num_steps, **self.schedule)
        return [optimizer_], [{"scheduler": LambdaLR(optimizer_, factor), "interval": "step"}]

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's running means."""
        self.train_loss.reset()
        self.train_acc.reset()

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train on each of the mini-batches in `batch`, images (K * batch_size, pixels) and labels."""
        # The optimizer itself: Lightning's wrapper would add a fifth to the time of a step.
        optimizer_ = cast(torch.optim.Optimizer, self.optimizers(use_pl_optimizer=False))
        scheduler = cast(LambdaLR | None, self.lr_schedulers())
        size = self.batch_size
        all_losses, all_logits = [], []
        for x, labels in zip(batch[0].split(size), batch[1].split(size), strict=True):
            logits = self.mlp(x)  # (B, classes)
            loss = self.with_penalty(mean_loss(self.loss, logits, labels, self.output_activation))
            optimizer_.zero_grad()
            loss.backward()
            self.clip()
            self.lr_used = optimizer_.param_groups[0]["lr"]
            optimizer_.step()
            if scheduler is not None:
                scheduler.step()
            all_losses.append(loss.detach())
            all_logits.append(logits.detach())
        self._count_steps(len(all_losses))
        # The running means, once for all mini-batches: a step's own few small sums would take a tenth of its time.
        sizes = torch.tensor([len(logits) for logits in all_logits], device=labels.device)
        self.train_loss.add(torch.stack(all_losses).double() @ sizes.double(), len(batch[1]))
        self.train_acc.add((torch.cat(all_logits).argmax(-1) == batch[1]).sum(), len(batch[1]))
        if self.first_loss is None:
            self.first_loss = all_losses[0]
        self.last_batch = (x, labels)

    def with_penalty(self, loss: Tensor) -> Tensor:
        """Add l2 * sum(w^2) over the kernels."""
        if self.l2 == 0:
            return loss
        return loss + self.l2 * sum(layer.weight.square().sum() for layer in self.mlp.dense.values())

    def clip(self) -> None:
        """Bound the gradients, if asked to."""
        bound = self.clip_val
        if bound is None:
            return
        if self.clip_algorithm == "norm":
            torch.nn.utils.clip_grad_norm_(self.mlp.parameters(), bound)
        else:
            torch.nn.utils.clip_grad_value_(self.mlp.parameters(), bound)

    def _count_steps(self, num: int) -> None:
        """Tell Lightning of steps that its own wrapper did not see: checkpoints carry `global_step`."""
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        for _ in range(num):
            progress.increment_ready()
            progress.increment_completed()

    def on_train_epoch_end(self) -> None:
        """Make the epoch's running means known to Lightning's callbacks."""
        self.log_dict({"train_loss": self.train_loss.compute(), "train_acc": self.train_acc.compute()})

    def on_validation_model_zero_grad(self) -> None:
        """Keep the last mini-batch's gradients for the statistics of the epoch; every step clears them anyway."""

    def on_validation_epoch_start(self) -> None:
        """Forget the last evaluation."""
        self._sums = EpochMean(), EpochMean()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss and accuracy on a slice of the images."""
        x, labels = batch
        logits = self.mlp(x)
        mean = self.with_penalty(mean_loss(self.loss, logits, labels, self.output_activation))
        self._sums[0].add(mean * len(labels), len(labels))
        self._sums[1].add((logits.argmax(-1) == labels).sum(), len(labels))

    def on_validation_epoch_end(self) -> None:
        """Make the results known to Lightning's callbacks, and keep them for the record."""
        self._evaluated("val")

    on_test_epoch_start, test_step = on_validation_epoch_start, validation_step

    def on_test_epoch_end(self) -> None:
        """The same for the test images."""
        self._evaluated("test")

    def _evaluated(self, part: str) -> None:
        loss, acc = (total.compute() for total in self._sums)
        self.log_dict({f"{part}_loss": loss, f"{part}_acc": acc})
        self.evaluated[part] = float(loss), float(acc)

    @torch.no_grad()
    def layer_states(self) -> list[LayerState]:
        """Each dense layer with a member axis of one, after the last mini-batch: see `mlp_study.statistics`."""
        assert self.last_batch is not None
        was_training = self.mlp.training
        self.mlp.eval()
        activations = self.mlp.activations(self.last_batch[0])
        self.mlp.train(was_training)
        return [
            LayerState(name, layer.activation, layer.weight[None], layer.weight.grad[None], activations[name][None])
            for name, layer in self.mlp.dense.items()
            if layer.weight.grad is not None
        ]


class EpochMean:
    """The mean since the last reset, over samples, as Keras reports an epoch; summed in float64 on the device."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self.total: Tensor | float = 0.0
        self.num = 0

    def add(self, total: Tensor, num: int) -> None:
        """Add a batch of `num` samples whose values sum to `total`."""
        self.total = self.total + total.double()
        self.num += num

    def compute(self) -> Tensor:
        """The mean; NaN before anything was added."""
        return torch.as_tensor(self.total, dtype=torch.float64) / self.num if self.num else torch.tensor(float("nan"))
