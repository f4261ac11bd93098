"""What is trained: a configurable MLP, its loss and its optimizer, whichever engine trains it."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

from mlp_study.choices.optimizers import optimizer
from mlp_study.choices.schedules import schedule as chosen_schedule
from mlp_study.config import Config
from mlp_study.learning.layer_statistics import LayerState
from mlp_study.learning.losses import mean_loss, outputs
from mlp_study.nets.mlp import MLP

Batch = tuple[Tensor, Tensor]


class Learner(nn.Module):
    """A multilayer perceptron and how it is trained. Needs no Lightning.

    All arguments are plain values, stored in every checkpoint.

    Args:
        mlp: arguments of `mlp_study.nets.mlp.MLP`.
        optim: {"name": ..., numbers}, see `mlp_study.choices.optimizers`.
        schedule: {"name": ..., numbers}, see `mlp_study.choices.schedules`.
        loss: cross_entropy, binary_cross_entropy or mse.
        output_activation: what mse compares with the targets; "auto" is the loss's own.
        l2: every kernel w adds l2 * sum(w^2) to the loss, as Keras means it; biases add nothing.
        batch_size: rows in a mini-batch.
        gradient_clip_val, gradient_clip_algorithm: bound on the gradient's "norm" (over all parameters) or "value".

    Attributes:
        arguments: these, by their names.
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
        self.arguments = {
            "mlp": mlp,
            "optim": optim,
            "schedule": schedule,
            "loss": loss,
            "output_activation": output_activation,
            "l2": l2,
            "batch_size": batch_size,
            "gradient_clip_val": gradient_clip_val,
            "gradient_clip_algorithm": gradient_clip_algorithm,
        }
        self.optim, self.schedule = optimizer(**optim), chosen_schedule(**(schedule or {"name": "constant"}))
        self.loss, self.output_activation, self.l2, self.batch_size = loss, output_activation, l2, batch_size
        self.clip_val, self.clip_algorithm = gradient_clip_val, gradient_clip_algorithm
        self.mlp = MLP(**mlp)
        self.first_loss: Tensor | None = None
        self.last_batch: Batch | None = None
        self.num_steps = 0  # all epochs together
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

    def judged(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """For images (B, pixels) and labels (B,): the sum of the losses, penalty included, and the classes (B,)."""
        logits = self.mlp(x)
        mean = self.with_penalty(mean_loss(self.loss, logits, labels, self.output_activation))
        return mean * len(labels), logits.argmax(-1)

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
