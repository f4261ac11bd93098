"""A multilayer perceptron in plain PyTorch, put together as Keras's Sequential would be.

    MLP(784, [512, 512], 10, activation="relu", dropout=0.2)

builds Dense(512) - Dropout - Dense(512) - Dropout - Dense(10). It knows nothing of Lightning or Hydra.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from mlp_study.initializers import initializer
from mlp_study.seeds import streams

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
    """activation(x W^T + b): (B, in_features) -> (B, out_features)."""

    def __init__(self, in_features: int, out_features: int, activation: str = "linear", bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self.activation = activation

    def reset_parameters(self) -> None:
        """Left to `MLP.initialize`; torch's own would draw from global random state."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return ACTIVATIONS[self.activation](super().forward(x))


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


class MLP(nn.Module):
    """(B, in_size) -> logits (B, out_size).

    Args:
        in_size: number of inputs.
        hidden: widths of the hidden layers; [] gives softmax regression.
        out_size: number of outputs.
        activation: of the hidden layers, one name for all or one per layer. The last layer is linear: losses work
            on logits.
        dropout: rate after each hidden layer, one for all or one per layer; 0 adds no layer.
        input_dropout: rate before the first layer.
        batch_norm: a BatchNormalization after each hidden layer's activation; Keras's momentum .99 and epsilon 1e-3.
        bias: whether the layers have biases.
        names: of the dense layers, output included; default dense_1, dense_2, ...
        kernel_init, bias_init: {"name": ..., numbers}, see `mlp_study.initializers`.
        seed: of the initial weights and of the dropout masks.
    """

    def __init__(
        self,
        in_size: int,
        hidden: Sequence[int],
        out_size: int,
        activation: str | Sequence[str] = "tanh",
        dropout: float | Sequence[float] = 0.0,
        input_dropout: float = 0.0,
        batch_norm: bool = False,
        bias: bool = True,
        names: Sequence[str] | None = None,
        kernel_init: dict[str, Any] | None = None,
        bias_init: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        num_hidden = len(hidden)
        activations = [activation] * num_hidden if isinstance(activation, str) else list(activation)
        rates = [float(dropout)] * num_hidden if isinstance(dropout, (int, float)) else list(dropout)
        dense_names = list(names) if names is not None else [f"dense_{i + 1}" for i in range(num_hidden + 1)]
        if not len(activations) == len(rates) == len(dense_names) - 1 == num_hidden:
            raise ValueError(
                f"{num_hidden} hidden layers need as many activations and dropout rates and {num_hidden + 1} names; "
                f"got {len(activations)}, {len(rates)} and {len(dense_names)}"
            )
        self.in_size, self.out_size = in_size, out_size
        self.names: list[str] = []
        self.layers = nn.ModuleList()
        self._dropout_seed = streams(seed).dropout
        self._dropout_generators: dict[torch.device, Generator] = {}

        if input_dropout > 0:
            self._add("input_dropout", Dropout(input_dropout, self.dropout_generator))
        width = in_size
        for i, units in enumerate(hidden):
            self._add(dense_names[i], Dense(width, units, activations[i], bias))
            if batch_norm:
                self._add(f"batch_norm_{i + 1}", nn.BatchNorm1d(units, eps=1e-3, momentum=0.01))
            if rates[i] > 0:
                self._add(f"dropout_{i + 1}", Dropout(rates[i], self.dropout_generator))
            width = units
        self._add(dense_names[-1], Dense(width, out_size, "linear", bias))
        self.initialize(
            kernel_init or {"name": "glorot_uniform"},
            bias_init or {"name": "zeros"},
            torch.Generator().manual_seed(streams(seed).init),
        )

    def _add(self, name: str, layer: nn.Module) -> None:
        self.names.append(name)
        self.layers.append(layer)

    def dropout_generator(self, device: torch.device) -> Generator:
        """Where this network's dropout masks on `device` come from."""
        if device not in self._dropout_generators:
            self._dropout_generators[device] = torch.Generator(device).manual_seed(self._dropout_seed)
        return self._dropout_generators[device]

    @torch.no_grad()
    def initialize(self, kernel_init: dict[str, Any], bias_init: dict[str, Any], generator: Generator) -> None:
        """Draw all kernels and biases anew, layer after layer, kernel before bias."""
        kernel, bias = initializer(**kernel_init), initializer(**bias_init)
        for layer in self.dense.values():
            for parameter, fill in ((layer.weight, kernel), (layer.bias, bias)):
                if parameter is not None:
                    parameter.copy_(fill(torch.empty(parameter.shape), generator))

    @property
    def dense(self) -> dict[str, Dense]:
        """The dense layers by name, output last."""
        return {name: layer for name, layer in zip(self.names, self.layers, strict=True) if isinstance(layer, Dense)}

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        for layer in self.layers:
            x = layer(x)
        return x

    def activations(self, x: Tensor) -> dict[str, Tensor]:
        """What each dense layer hands on for `x` (B, in_size), by name; the last are the logits."""
        outputs = {}
        for name, layer in zip(self.names, self.layers, strict=True):
            x = layer(x)
            if isinstance(layer, Dense):
                outputs[name] = x
        return outputs
