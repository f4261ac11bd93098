"""The optimizers of a stack: each member has its own, with its own numbers, over views of the stacked weights.

They are the very optimizers of a run alone; `mlp_study.engines.stack.kernels` does what their `step` does, for
neighbours of equal settings at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from mlp_study.choices.optimizers import SGD as PlainSGD
from mlp_study.choices.schedules import Constant
from mlp_study.config import Config
from mlp_study.engines.stack.kernels import Scratch, Step, step_of
from mlp_study.engines.stack.network import StackedMLP
from mlp_study.engines.stack.stacked_layers import Descent
from mlp_study.learning.in_order import sums, total


class Updates:
    """Steps all members of a stack.

    Args:
        network: the stack.
        configs: the members' settings, in its order, which is that of `neighbours`.
        steps_per_epoch: for the schedules.
    """

    def __init__(self, network: StackedMLP, configs: Sequence[Config], steps_per_epoch: int) -> None:
        self.batch_size = configs[0].data.batch_size
        self.optimizers: list[Optimizer] = []
        self.factors: list[Callable[[int], float] | None] = []
        self.kinds = [_kind(config) for config in configs]
        self.base_rates = [config.optim.lr for config in configs]
        for m, config in enumerate(configs):
            views = [parameter for parameter, _ in network.member_parameters(m)]
            self.optimizers.append(config.optim.over(views))  # type: ignore[arg-type]
            is_constant = isinstance(config.schedule, Constant)
            factor = config.schedule.per_step(config.trainer.max_epochs, steps_per_epoch)
            self.factors.append(None if is_constant else factor)
        self.clip_norm, self.clip_value = (
            [_bound(config, algorithm) for config in configs] for algorithm in ("norm", "value")
        )
        self.l2 = [config.model.l2 for config in configs]
        self.num_steps = 0
        self._bind(network)

    def _bind(self, network: StackedMLP) -> None:
        """Point the optimizers at the network's tensors, keeping their state."""
        weight = network.dense[0].weight
        self._l2, self._clip_norm, self._clip_value = (
            torch.tensor(values, dtype=weight.dtype, device=weight.device)
            for values in (self.l2, self.clip_norm, self.clip_value)
        )
        self._scheduled = [(m, factor) for m, factor in enumerate(self.factors) if factor is not None]
        for m, optimizer_ in enumerate(self.optimizers):
            pairs = network.member_parameters(m)
            group = optimizer_.param_groups[0]
            states = [optimizer_.state.pop(old, None) for old in group["params"]]
            group["params"] = [parameter for parameter, _ in pairs]
            for (parameter, gradient), state in zip(pairs, states, strict=True):
                parameter.grad = gradient
                if state is not None:
                    optimizer_.state[parameter] = state
        self._find_steps(network)

    def _find_steps(self, network: StackedMLP) -> None:
        """What steps each group of neighbours of equal settings."""
        # Plain SGD can be a product that is added to the weights. Those that do it stand at the beginning.
        num = sum(descends for descends, *_ in self.kinds)
        layers = [num > 0 and dense.is_worth_descending(self.batch_size) for dense in network.dense]
        self._descent = None
        if any(layers):
            self._descent = Descent(network.dense[0].weight.new_zeros(num, 1, 1), layers)
            for m in range(num):
                self._descent.steps[m].fill_(-self.base_rates[m])
        pairs, scratch = network.parameters(), Scratch()
        moved = [dense.weight for dense, is_moved in zip(network.dense, layers, strict=True) if is_moved]
        others = [pair for pair in pairs if not any(pair[0] is weight for weight in moved)]
        self._all_steps: list[Step] = []
        self._other_steps: list[Step] = []  # than those of the descent
        for (descends, *_), alike in groupby(range(len(self.optimizers)), key=self.kinds.__getitem__):
            members = list(alike)
            of = slice(members[0], members[-1] + 1)
            step = step_of(self.optimizers[of], [(p[of], g[of]) for p, g in pairs], scratch)
            self._all_steps.append(step)
            if descends and others:
                step = step_of(self.optimizers[of], [(p[of], g[of]) for p, g in others], scratch)
            if others or not descends:
                self._other_steps.append(step)
        self._now = self._all_steps

    def restore(self, network: StackedMLP, contents: Sequence[dict[str, Any]]) -> None:
        """Go on from the optimizers of checkpoints, one for each member."""
        self.num_steps = contents[0]["global_step"]
        for optimizer_, content in zip(self.optimizers, contents, strict=True):
            optimizer_.load_state_dict(content["optimizer_states"][0])
        self._bind(network)

    def keep(self, network: StackedMLP, members: Sequence[int]) -> None:
        """Follow `network`, which has let all but `members` go."""
        for name in ("optimizers", "kinds", "factors", "base_rates", "clip_norm", "clip_value", "l2"):
            values = getattr(self, name)
            setattr(self, name, [values[m] for m in members])
        self._bind(network)

    @property
    def rates(self) -> list[float]:
        """Each member's learning rate in the last step."""
        return [float(o.param_groups[0]["lr"]) for o in self.optimizers]

    def state(self, m: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The `state_dict` of member m's optimizer and of its schedule, as a run alone would have them now."""
        state, factor = self.optimizers[m].state_dict(), self.factors[m]
        if factor is None:
            return state, None
        base, lr = self.base_rates[m], self.base_rates[m] * factor(self.num_steps)
        state["param_groups"] = [{**group, "lr": lr, "initial_lr": base} for group in state["param_groups"]]
        scheduler = LambdaLR(SGD([torch.zeros(1)], lr=base), factor).state_dict()
        return state, {**scheduler, "last_epoch": self.num_steps, "_step_count": self.num_steps + 1, "_last_lr": [lr]}

    def penalties(self, network: StackedMLP) -> Tensor | None:
        """l2 * sum(w^2) of each member, (M,); None where no member has any."""
        if not any(self.l2):
            return None
        return self._l2 * total([sums(dense.weight.square()) for dense in network.dense])

    def begin_step(self, keeps_gradients: bool) -> Descent | None:
        """Set the rates of a step.

        Returns what the backward pass has to do of it, if that need not keep all gradients.
        """
        for m, factor in self._scheduled:
            lr = self.base_rates[m] * factor(self.num_steps)
            self.optimizers[m].param_groups[0]["lr"] = lr
            if self._descent is not None and m < len(self._descent.steps):
                self._descent.steps[m].fill_(-lr)
        descent = None if keeps_gradients else self._descent
        self._now = self._all_steps if descent is None else self._other_steps
        return descent

    def step(self, network: StackedMLP) -> None:
        """Add the penalties' gradients, clip, and update all weights; under `torch.no_grad()`."""
        if any(self.l2):
            for dense in network.dense:
                dense.weight_grad.addcmul_(dense.weight, 2 * self._l2[:, None, None])
        self._clip(network)
        for step in self._now:
            step()
        self.num_steps += 1

    def _clip(self, network: StackedMLP) -> None:
        if min(self.clip_norm + self.clip_value) == float("inf"):
            return
        gradients = [gradient.view(len(network), -1) for _, gradient in network.parameters()]
        if min(self.clip_norm) < float("inf"):
            norm = total([g.norm(dim=1).square_() for g in gradients]).sqrt_()
            factor = (self._clip_norm / (norm + 1e-6)).clamp(max=1.0)  # as torch.nn.utils.clip_grad_norm_
            for g in gradients:
                g.mul_(factor[:, None])
        if min(self.clip_value) < float("inf"):
            for g in gradients:
                torch.clamp(g, -self._clip_value[:, None], self._clip_value[:, None], out=g)


def neighbours(configs: Sequence[Config]) -> list[int]:
    """An order in which those that are updated alike stand together, as `Updates` expects it, plain SGD first."""
    kinds = [_kind(config) for config in configs]
    return sorted(range(len(kinds)), key=lambda m: (not kinds[m][0], kinds.index(kinds[m])))


def _kind(config: Config) -> tuple[bool, Any, Any]:
    """Whether an update is plain SGD of the loss's own gradient, and what else it depends on, besides that."""
    is_plain = config.model.l2 == 0 and config.trainer.gradient_clip_val is None
    return is_plain and isinstance(config.optim, PlainSGD), config.optim, config.schedule


def _bound(config: Config, algorithm: str) -> float:
    trainer = config.trainer
    if trainer.gradient_clip_val is None or trainer.gradient_clip_algorithm != algorithm:
        return float("inf")
    return trainer.gradient_clip_val
