"""The layers of a multilayer perceptron as torch modules: Dense and Dropout; the third kind is torch's BatchNorm1d."""

from __future__ import annotations

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


class Dropout(nn.Module):
    """Sets a fraction `rate` of the entries to zero while training and divides the others by 1 - rate.

    The masks come from a generator of the layer's own network, so they neither depend on nor disturb anything else.
    """

    def __init__(self, rate: float, generator: Callable[[torch.device], Generator]) -> None:
        super().__init__()
        self.rate, self.generator = rate, generator

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if not self.training:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.rate, generator=self.generator(x.device))
        return x * keep / (1 - self.rate)
