"""Optimizers by name: torch's implementations behind one vocabulary of settings. Each class states its update rule.

The numbers live in `conf/optim`: `adam.yaml` has the defaults of the Keras that the tutorials used (2.2 and 2.3),
`adam_keras3.yaml` those of today's Keras, `adam_torch.yaml` those of torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mlp_study.choices.choice import Choice, by_name, named, setting
from mlp_study.choices.rules import number

if TYPE_CHECKING:
    from torch import nn, optim

    Parameters = Iterable[nn.Parameter]

_positive, _not_negative, _below_one = number(above=0), number(least=0), number(least=0, below=1)


@dataclass(frozen=True)
class Optimizer(Choice):
    """How gradients become steps. lr: the learning rate."""

    STATES: ClassVar[int] = 0  # numbers that it keeps for each weight
    lr: float = setting(_positive)

    def over(self, params: Parameters) -> optim.Optimizer:
        """Torch's optimizer with these numbers over `params`."""
        raise NotImplementedError


@dataclass(frozen=True)
class SGD(Optimizer):
    """w <- w - lr g."""

    name = "sgd"

    def over(self, params: Parameters) -> optim.Optimizer:  # noqa: D102
        from torch import optim

        return optim.SGD(params, self.lr)


@dataclass(frozen=True)
class Momentum(Optimizer):
    """v <- momentum v + g;  w <- w - lr v."""

    name = "momentum"
    STATES = 1
    momentum: float = setting(_below_one)

    def over(self, params: Parameters) -> optim.Optimizer:  # noqa: D102
        from torch import optim

        return optim.SGD(params, self.lr, self.momentum)


@dataclass(frozen=True)
class Nesterov(Optimizer):
    """v <- momentum v + g;  w <- w - lr (g + momentum v)."""

    name = "nesterov"
    STATES = 1
    momentum: float = setting(number(above=0, below=1))

    def over(self, params: Parameters) -> optim.Optimizer:  # noqa: D102
        from torch import optim

        return optim.SGD(params, self.lr, self.momentum, nesterov=True)


@dataclass(frozen=True)
class _Moments(Optimizer):
    """Those that keep running means of the gradient and of its size."""

    STATES = 2
    beta1: float = setting(_below_one)
    beta2: float = setting(_below_one)
    eps: float = setting(_not_negative)

    @property
    def _shared(self) -> dict[str, Any]:
        return {"lr": self.lr, "betas": (self.beta1, self.beta2), "eps": self.eps}


@dataclass(frozen=True)
class Adam(_Moments):
    """m, v: running means of g and g^2, corrected for their start at zero;  w <- w - lr m / (sqrt(v) + eps)."""

    name = "adam"

    def over(self, params: Parameters) -> optim.Optimizer:  # noqa: D102
        from torch import optim

        # One fused kernel per step: bound by memory, Adam gains most from it.
        return optim.Adam(params, **self._shared, fused=True)


@dataclass(frozen=True)
class AdamW(_Moments):
    """Adam, after w <- w - lr weight_decay w (Loshchilov & Hutter, 2019)."""

    name = "adamw"
    weight_decay: float = setting(_not_negative)

    def over(self, params: Parameters) -> optim.Optimizer:  # noqa: D102
        from torch import optim

        return optim.AdamW(params, **self._shared, weight_decay=self.weight_decay, fused=True)


@dataclass(frozen=True)
class Adamax(_Moments):
    """u <- max(beta2 u, |g| + eps);  w <- w - lr m / ((1 - beta1^t) u)."""

    name = "adamax"

    def over(self, params: Parameters) -> optim.Optimizer:  # noqa: D102
        from torch import optim

        return optim.Adamax(params, **self._shared)


@dataclass(frozen=True)
class NAdam(_Moments):
    """Adam with Nesterov's look-ahead and a momentum beta1 (1 - .96^(t momentum_decay) / 2) (Dozat, 2016)."""

    name = "nadam"
    momentum_decay: float = setting(_not_negative)

    def over(self, params: Parameters) -> optim.Optimizer:  # noqa: D102
        from torch import optim

        return optim.NAdam(params, **self._shared, momentum_decay=self.momentum_decay)


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """v <- rho v + (1 - rho) g^2;  w <- w - lr g / (sqrt(v) + eps)."""

    name = "rmsprop"
    STATES = 1
    rho: float = setting(_below_one)
    eps: float = setting(_not_negative)

    def over(self, params: Parameters) -> optim.Optimizer:  # noqa: D102
        from torch import optim

        return optim.RMSprop(params, self.lr, alpha=self.rho, eps=self.eps)


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """a <- a + g^2, from initial_accumulator;  w <- w - lr g / (sqrt(a) + eps)."""

    name = "adagrad"
    STATES = 1
    initial_accumulator: float = setting(_not_negative)
    eps: float = setting(_not_negative)

    def over(self, params: Parameters) -> optim.Optimizer:  # noqa: D102
        from torch import optim

        return optim.Adagrad(params, self.lr, initial_accumulator_value=self.initial_accumulator, eps=self.eps)


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """v <- rho v + (1 - rho) g^2;  d = g sqrt(u + eps) / sqrt(v + eps);  u <- rho u + (1 - rho) d^2;  w <- w - lr d."""

    name = "adadelta"
    STATES = 2
    rho: float = setting(_below_one)
    eps: float = setting(_not_negative)

    def over(self, params: Parameters) -> optim.Optimizer:  # noqa: D102
        from torch import optim

        return optim.Adadelta(params, self.lr, self.rho, self.eps)


OPTIMIZERS: dict[str, type[Optimizer]] = by_name(
    SGD, Momentum, Nesterov, Adam, AdamW, Adamax, NAdam, RMSprop, Adagrad, Adadelta
)


def optimizer(name: str, **numbers: float) -> Optimizer:
    """The optimizer `name` with its numbers, those of its update rule; `over` takes the parameters."""
    return named("optimizer", OPTIMIZERS, name, numbers)
