"""The layers of a multilayer perceptron as torch modules: Dense and Dropout; the third kind is torch's BatchNorm1d."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from mlp_study.nets import parameters

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softplus": F.softplus,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "leaky_relu": F.leaky_relu,
    "softsign": F.softsign,
    "linear": lambda x: x,
}


class Dense(nn.Linear):
    """activation(x W^T + b): (B, in_features) -> (B, out_features).

    kernel_init, bias_init: {"name": ..., numbers}, see `mlp_study.choices.initializers`; None is Keras's own choice,
    glorot_uniform and zeros.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        activation: str = "linear",
        bias: bool = True,
        kernel_init: dict[str, Any] | None = None,
        bias_init: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self.activation = activation
        self.kernel_init = kernel_init or {"name": "glorot_uniform"}
        self.bias_init = bias_init or {"name": "zeros"}

    def reset_parameters(self) -> None:
        """Left to `MLP.initialize`; torch's own would draw from global random state."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return ACTIVATIONS[self.activation](super().forward(x))

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the kernel (out, in) and, where there is one, of the bias (out,)."""
        return parameters.copies(parameters.tensors(self))

    def set_weights(self, arrays: Sequence[Any]) -> None:
        """The inverse of `get_weights`; arrays that do not fit are a ValueError and change nothing."""
        parameters.assign(parameters.tensors(self), arrays)


# What becomes of a unit is decided by a number of 16 bits: four of them come out of a generator at once.
LOWEST, LEVELS = -(2**15), 2**16


def room(shape: Sequence[int], device: torch.device, *leading: int) -> Tensor:
    """Where `draw` puts the bits for numbers of `shape`; (leading, words) for several of them."""
    return torch.empty(*leading, -(-math.prod(shape) // 4), dtype=torch.int64, device=device)


def draw(bits: Tensor, generator: Generator) -> None:
    """Fill one row of `room`."""
    bits.random_(-(2**63), None, generator=generator)


def numbers(bits: Tensor, shape: Sequence[int]) -> Tensor:
    """(..., words) -> (..., shape), int16, each of its 65,536 values as likely as any other."""
    return bits.view(torch.int16)[..., : math.prod(shape)].unflatten(-1, tuple(shape))


class Dropout(nn.Module):
    """Sets a fraction `rate` of the entries to zero while training and divides the others by 1 - rate.

    The masks come from a generator of the layer's own network, so they neither depend on nor disturb anything else.
    They are drawn unit after unit, the images of a batch one after the other, as a stack has them. The rate is rounded
    to 1 / 65,536, and what is left is divided by what is left then.

    Attributes:
        threshold: a number below it sets its entry to zero.
        scale: of the others.
    """

    def __init__(self, rate: float, generator: Callable[[torch.device], Generator]) -> None:
        super().__init__()
        self.rate, self.generator = rate, generator
        dropped = min(round(rate * LEVELS), LEVELS - 1)
        self.threshold, self.scale = LOWEST + dropped, LEVELS / (LEVELS - dropped)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if not self.training:
            return x
        bits = room(x.shape, x.device)
        draw(bits, self.generator(x.device))
        kept = numbers(bits, x.mT.shape).mT.ge(self.threshold)
        return x * kept.to(x.dtype).mul_(self.scale)
