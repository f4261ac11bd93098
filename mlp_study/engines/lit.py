"""The LightningModule: a learner, and one training step.

Optimization is manual so that one `training_step` can run several mini-batches (Keras's `steps_per_execution`): for
networks this small Lightning's bookkeeping around each step would cost as much as the step. Nothing in an epoch asks
the device for a number; losses and hits are summed there and read once, when the epoch ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import lightning as L
import torch
from torch.optim.lr_scheduler import LambdaLR

from mlp_study.choices.schedules import Constant
from mlp_study.engines.learner import Batch, Learner
from mlp_study.engines.part import Part
from mlp_study.learning.evaluation import Evaluation
from mlp_study.learning.losses import mean_loss


class LitMLP(Learner, L.LightningModule):
    """A learner for Lightning's Trainer. The arguments are those of `mlp_study.engines.learner.Learner`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.save_hyperparameters(self.arguments)
        self.automatic_optimization = False
        self.lr_used = float("nan")
        self.before_step: Callable[[], None] = lambda: None  # for whoever wants to come between two mini-batches
        self.evaluated: dict[str, Evaluation] = {}  # by part: "val", "test"
        self.part = Part((), torch.device("cpu"))  # of the epoch under way

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

    def on_train_epoch_end(self) -> None:
        """Make the epoch's running means, as Keras reports an epoch, known to Lightning's callbacks."""
        part = self.part
        self.log_dict({"train_loss": part.losses / part.num, "train_acc": part.hits.double() / part.num})

    def on_validation_model_zero_grad(self) -> None:
        """Keep the last mini-batch's gradients for the statistics of the epoch; every step clears them anyway."""

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
