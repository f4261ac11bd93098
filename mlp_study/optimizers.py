"""Optimizers by name, in plain PyTorch: torch's implementations behind one vocabulary of settings.

The numbers live in `conf/optim`: `adam.yaml` has the defaults of the Keras that the tutorials used (2.2 and 2.3),
`adam_keras3.yaml` those of today's Keras, `adam_torch.yaml` those of torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn
from torch.optim import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, Optimizer, RMSprop

Parameters = Iterable[nn.Parameter]


def _sgd(params: Parameters, lr: float) -> Optimizer:
    """w <- w - lr g."""
    return SGD(params, lr)


def _momentum(params: Parameters, lr: float, momentum: float) -> Optimizer:
    """v <- momentum v + g;  w <- w - lr v."""
    return SGD(params, lr, momentum)


def _nesterov(params: Parameters, lr: float, momentum: float) -> Optimizer:
    """v <- momentum v + g;  w <- w - lr (g + momentum v)."""
    return SGD(params, lr, momentum, nesterov=True)


def _adam(params: Parameters, lr: float, beta1: float, beta2: float, eps: float) -> Optimizer:
    """m, v: running means of g and g^2, corrected for their start at zero;  w <- w - lr m / (sqrt(v) + eps)."""
    # One fused kernel per step: bound by memory, Adam gains most from it.
    return Adam(params, lr, (beta1, beta2), eps, fused=True)


def _adamw(params: Parameters, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float) -> Optimizer:
    """Adam, after w <- w - lr weight_decay w (Loshchilov & Hutter, 2019)."""
    return AdamW(params, lr, (beta1, beta2), eps, weight_decay, fused=True)


def _adamax(params: Parameters, lr: float, beta1: float, beta2: float, eps: float) -> Optimizer:
    """u <- max(beta2 u, |g| + eps);  w <- w - lr m / ((1 - beta1^t) u)."""
    return Adamax(params, lr, (beta1, beta2), eps)


def _nadam(params: Parameters, lr: float, beta1: float, beta2: float, eps: float, momentum_decay: float) -> Optimizer:
    """Adam with Nesterov's look-ahead and a momentum beta1 (1 - .96^(t momentum_decay) / 2) (Dozat, 2016)."""
    return NAdam(params, lr, (beta1, beta2), eps, momentum_decay=momentum_decay)


def _rmsprop(params: Parameters, lr: float, rho: float, eps: float) -> Optimizer:
    """v <- rho v + (1 - rho) g^2;  w <- w - lr g / (sqrt(v) + eps)."""
    return RMSprop(params, lr, alpha=rho, eps=eps)


def _adagrad(params: Parameters, lr: float, initial_accumulator: float, eps: float) -> Optimizer:
    """a <- a + g^2, from initial_accumulator;  w <- w - lr g / (sqrt(a) + eps)."""
    return Adagrad(params, lr, initial_accumulator_value=initial_accumulator, eps=eps)


def _adadelta(params: Parameters, lr: float, rho: float, eps: float) -> Optimizer:
    """v <- rho v + (1 - rho) g^2;  d = g sqrt(u + eps) / sqrt(v + eps);  u <- rho u + (1 - rho) d^2;  w <- w - lr d."""
    return Adadelta(params, lr, rho, eps)


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "adam": _adam,
    "adamw": _adamw,
    "adamax": _adamax,
    "nadam": _nadam,
    "rmsprop": _rmsprop,
    "adagrad": _adagrad,
    "adadelta": _adadelta,
}


def optimizer(params: Parameters, name: str, **numbers: float) -> Optimizer:
    """The optimizer `name` over `params`; its numbers are those of its update rule, listed with each above."""
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer {name!r}: expected one of {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[name](params, **numbers)
