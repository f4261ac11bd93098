"""The LightningModule: a configurable MLP, its loss, its optimizer, and one training step.

Optimization is manual so that one `training_step` can run several mini-batches (Keras's `steps_per_execution`): for
networks this small Lightning's bookkeeping around each step would cost as much as the step. Nothing in an epoch asks
the device for a number; losses and hits are summed there and read once, when the epoch ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, cast

import lightning as L
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from mlp_study.choices.optimizers import optimizer
from mlp_study.choices.schedules import Constant
from mlp_study.choices.schedules import schedule as chosen_schedule
from mlp_study.config import Config
from mlp_study.engines.part import Part
from mlp_study.learning.evaluation import Evaluation
from mlp_study.learning.layer_statistics import LayerState
from mlp_study.learning.losses import mean_loss, outputs
from mlp_study.nets.mlp import MLP

Batch = tuple[Tensor, Tensor]


class LitMLP(L.LightningModule):
    """A multilayer perceptron and how it is trained. All arguments are plain values, stored in every checkpoint.

    Args:
        mlp: arguments of `mlp_study.nets.mlp.MLP`.
        optim: {"name": ..., numbers}, see `mlp_study.choices.optimizers`.
        schedule: {"name": ..., numbers}, see `mlp_study.choices.schedules`.
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
        self.optim, self.schedule = optimizer(**optim), chosen_schedule(**(schedule or {"name": "constant"}))
        self.loss, self.output_activation, self.l2, self.batch_size = loss, output_activation, l2, batch_size
        self.clip_val, self.clip_algorithm = gradient_clip_val, gradient_clip_algorithm
        self.mlp = MLP(**mlp)
        self.evaluated: dict[str, Evaluation] = {}  # by part: "val", "test"
        self.lr_used = float("nan")
        self.first_loss: Tensor | None = None
        self.last_batch: Batch | None = None
        self.num_steps = 0  # all epochs together
        self.before_step: Callable[[], None] = lambda: None  # for whoever wants to come between two mini-batches
        self.part = Part((), torch.device("cpu"))  # of the epoch under way
        self._restored: dict[str, Any] | None = None

    @classmethod
    def of(cls, config: Config, in_size: int, out_size: int) -> Self:
        """The module of `config`, freshly initialized: the weights follow from the seed, not from any image."""
        model, trainer = config.model.as_dict(), config.trainer
        own = ("hidden", "activation", "dropout", "input_dropout", "batch_norm", "bias", "names")
        inits = {"kernel_init": config.init.as_dict(), "bias_init": config.bias_init.as_dict(), "seed": config.seed}
        return cls(
            mlp={"in_size": in_size, "out_size": out_size, **{key: model[key] for key in own}, **inits},
            optim=config.optim.as_dict(),
            schedule=config.schedule.as_dict(),
            loss=config.loss,
            output_activation=config.model.output_activation,
            l2=config.model.l2,
            batch_size=config.data.batch_size,
            gradient_clip_val=trainer.gradient_clip_val,
            gradient_clip_algorithm=trainer.gradient_clip_algorithm,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, pixels) -> predicted outputs (B, classes): probabilities for the cross-entropies."""
        return outputs(self.loss, self.mlp(x), self.output_activation)

    def configure_optimizers(self) -> Any:
        """The optimizer and, unless the rate is constant, its schedule, stepped with every mini-batch."""
        optimizer_ = self.optim.over(self.mlp.parameters())
        if isinstance(self.schedule, Constant):
            return optimizer_
        num_steps = self.trainer.datamodule.num_batches  # type: ignore[attr-defined]
        assert self.trainer.max_epochs is not None
        factor = self.schedule.per_step(self.trainer.max_epochs, num_steps)
        return [optimizer_], [{"scheduler": LambdaLR(optimizer_, factor), "interval": "step"}]

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's sums, or after a snapshot from inside an epoch, go on with its own."""
        restored, self._restored = self._restored, None
        self.part = Part((), self.device) if restored is None else Part.restored([restored], (), self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train on each of the mini-batches in `batch`, images (K * batch_size, pixels) and labels."""
        if not len(batch[1]):  # a snapshot was taken after it
            return
        # The optimizer itself: Lightning's wrapper would add a fifth to the time of a step.
        optimizer_ = cast(torch.optim.Optimizer, self.optimizers(use_pl_optimizer=False))
        scheduler = cast(LambdaLR | None, self.lr_schedulers())
        size = self.batch_size
        for x, labels in zip(batch[0].split(size), batch[1].split(size), strict=True):
            self.before_step()
            logits = self.mlp(x)  # (B, classes)
            loss = self.with_penalty(mean_loss(self.loss, logits, labels, self.output_activation))
            optimizer_.zero_grad()
            loss.backward()
            self.clip()
            self.lr_used = optimizer_.param_groups[0]["lr"]
            optimizer_.step()
            if scheduler is not None:
                scheduler.step()
            self.num_steps += 1
            if self.first_loss is None:
                self.first_loss = loss.detach()
            self.part.add(loss.detach(), logits.detach(), labels)
        self.part.end_block(size)
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

    def on_train_epoch_end(self) -> None:
        """Make the epoch's running means, as Keras reports an epoch, known to Lightning's callbacks."""
        part = self.part
        self.log_dict({"train_loss": part.losses / part.num, "train_acc": part.hits.double() / part.num})

    def on_validation_model_zero_grad(self) -> None:
        """Keep the last mini-batch's gradients for the statistics of the epoch; every step clears them anyway."""

    def judged(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """For images (B, pixels) and labels (B,): the sum of the losses, penalty included, and the classes (B,)."""
        logits = self.mlp(x)
        mean = self.with_penalty(mean_loss(self.loss, logits, labels, self.output_activation))
        return mean * len(labels), logits.argmax(-1)

    def on_validation_epoch_start(self) -> None:
        """Forget the last evaluation."""
        self._evaluation = Evaluation()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss and accuracy on a slice of the images."""
        self._evaluation.add(*self.judged(*batch), batch[1])

    def on_validation_epoch_end(self) -> None:
        """Make the results known to Lightning's callbacks, and keep them for the record."""
        self._evaluated("val")

    on_test_epoch_start, test_step = on_validation_epoch_start, validation_step

    def on_test_epoch_end(self) -> None:
        """The same for the test images."""
        self._evaluated("test")

    def _evaluated(self, part: str) -> None:
        self.evaluated[part] = self._evaluation
        self.log_dict({f"{part}_loss": self._evaluation.loss, f"{part}_acc": self._evaluation.acc})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the weights do not say: how far training has come, and where the dropout masks come from next."""
        first_loss = None if self.first_loss is None else float(self.first_loss)
        state = {"num_steps": self.num_steps, "first_loss": first_loss, "dropout": self.mlp.dropout_state()}
        checkpoint["LitMLP"] = state

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there."""
        state = checkpoint.get("LitMLP", {})
        self.num_steps = state.get("num_steps", 0)
        if state.get("first_loss") is not None:
            self.first_loss = torch.tensor(state["first_loss"], dtype=torch.float64)
        self.mlp.set_dropout_state(state.get("dropout", {}))
        self._restored = checkpoint.get("part")

    @torch.no_grad()
    def layer_states(self) -> list[LayerState]:
        """Each dense layer with a member axis of one, after the last mini-batch."""
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
