"""Activations of a stack and their gradients, written out so that an entry has the same bits wherever it stands.

Torch's vectorized sigmoid, softplus, ELU, SELU, GELU and SiLU compute what is left at the end of a thread's share with
another exponential: an entry's last bit then says how many threads there are, and how many members. Its exp, expm1, erf
and log1p do not, and neither does arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946  # Klambauer et al., 2017
STEEP = 20.0  # from here on torch's softplus is the identity
LEAK = 0.01  # of torch's leaky ReLU


class Activation(NamedTuple):
    """value: of the input z. slope: the gradient of z from that of the value, g, from z and from the value a."""

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor, Tensor, Tensor], Tensor]


def _sigmoid(z: Tensor) -> Tensor:
    return torch.neg(z).exp_().add_(1).reciprocal_()


def _softplus(z: Tensor) -> Tensor:
    return torch.where(z > STEEP, z, torch.exp(z).log1p_())


def _elu(z: Tensor) -> Tensor:
    return torch.where(z > 0, z, torch.expm1(z))


def _selu(z: Tensor) -> Tensor:
    return torch.where(z > 0, z, torch.expm1(z).mul_(SELU_ALPHA)).mul_(SELU_SCALE)


def _normal_cdf(z: Tensor) -> Tensor:
    return torch.mul(z, math.sqrt(0.5)).erf_().add_(1).mul_(0.5)


def _gelu_slope(g: Tensor, z: Tensor, a: Tensor) -> Tensor:
    density = torch.square(z).mul_(-0.5).exp_().mul_(1 / math.sqrt(2 * math.pi))
    return density.mul_(z).add_(_normal_cdf(z)).mul_(g)


def _silu_slope(g: Tensor, z: Tensor, a: Tensor) -> Tensor:
    share = _sigmoid(z)
    return torch.sub(z, a).add_(1).mul_(share).mul_(g)  # s + z s (1 - s) = s (1 + z - z s)


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(_sigmoid, lambda g, z, a: torch.ops.aten.sigmoid_backward(g, a)),
    "tanh": Activation(torch.tanh, lambda g, z, a: torch.ops.aten.tanh_backward(g, a)),
    "relu": Activation(torch.relu, lambda g, z, a: torch.ops.aten.threshold_backward(g, a, 0)),
    "softplus": Activation(_softplus, lambda g, z, a: torch.where(z > STEEP, g, _sigmoid(z).mul_(g))),
    "elu": Activation(_elu, lambda g, z, a: torch.where(z > 0, g, torch.add(a, 1).mul_(g))),
    "selu": Activation(
        _selu, lambda g, z, a: torch.where(z > 0, g * SELU_SCALE, torch.add(a, SELU_ALPHA * SELU_SCALE).mul_(g))
    ),
    "gelu": Activation(lambda z: _normal_cdf(z).mul_(z), _gelu_slope),
    "silu": Activation(lambda z: _sigmoid(z).mul_(z), _silu_slope),
    "leaky_relu": Activation(F.leaky_relu, lambda g, z, a: torch.where(z > 0, g, g * LEAK)),
    "softsign": Activation(F.softsign, lambda g, z, a: torch.abs(z).add_(1).square_().reciprocal_().mul_(g)),
    "linear": Activation(lambda z: z, lambda g, z, a: g),
}
