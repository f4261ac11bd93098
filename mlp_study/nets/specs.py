"""What a network is made of, before there is one: a list of layers, or a function that chains them.

layers = [dense(100, "tanh"), dropout(0.2), dense(10)]
mlp = MLP.from_layers(784, layers)
mlp = MLP.from_function(784, lambda x: dense(10)(dropout(0.2)(dense(100, "tanh")(x))))   # the same network
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, nn

from mlp_study.nets.layers import ACTIVATIONS, Dense, Dropout


@dataclass(frozen=True)
class Chain:
    """The layers that an input has gone through. An empty one is the input itself."""

    specs: tuple[Spec, ...] = ()


class Spec:
    """One layer to be: call it on a chain to append it."""

    name: str | None

    def __call__(self, x: Chain) -> Chain:
        """`x` with this layer behind it; `x` itself stays what it is, so that chains can fork."""
        if not isinstance(x, Chain):
            raise TypeError(f"{self}: called on {x!r}; expected the input or what another layer returned")
        return Chain((*x.specs, self))

    def module(self, width: int, generator: Callable[[torch.device], Generator]) -> nn.Module:
        """The layer behind `width` units; `generator` gives dropout its masks. The weights are not yet initialized."""
        raise NotImplementedError


@dataclass(frozen=True)
class DenseSpec(Spec):
    """activation(x W^T + b) with `units` outputs.

    name: default dense_1, dense_2, ... kernel_init, bias_init: see `mlp_study.nets.layers.Dense`.
    """

    units: int
    activation: str = "linear"
    bias: bool = True
    kernel_init: dict[str, Any] | None = None
    bias_init: dict[str, Any] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.units < 1:
            raise ValueError(f"units {self.units!r}: expected at least 1")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation {self.activation!r}: expected one of {', '.join(ACTIVATIONS)}")

    def module(self, width: int, generator: Callable[[torch.device], Generator]) -> Dense:  # noqa: D102
        return Dense(width, self.units, self.activation, self.bias, self.kernel_init, self.bias_init)


@dataclass(frozen=True)
class DropoutSpec(Spec):
    """Dropout at `rate`. name: default dropout_i behind dense layer i, input_dropout before the first."""

    rate: float
    name: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"dropout rate {self.rate!r}: expected at least 0 and below 1")

    def module(self, width: int, generator: Callable[[torch.device], Generator]) -> Dropout:  # noqa: D102
        return Dropout(self.rate, generator)


@dataclass(frozen=True)
class BatchNormSpec(Spec):
    """BatchNormalization with Keras's momentum .99 and epsilon 1e-3.

    name: default batch_norm_i behind dense layer i.
    """

    name: str | None = None

    def module(self, width: int, generator: Callable[[torch.device], Generator]) -> nn.BatchNorm1d:  # noqa: D102
        return nn.BatchNorm1d(width, eps=1e-3, momentum=0.01)


dense, dropout, batch_norm = DenseSpec, DropoutSpec, BatchNormSpec


def layer_names(specs: Sequence[Spec]) -> list[str]:
    """A name for each layer: its own, or one by its kind and the number of the dense layer that it is or follows.

    Raises:
        ValueError: these layers make no network.
    """
    if not specs:
        raise ValueError("no layers; expected at least a dense one")
    for spec in specs:
        if not isinstance(spec, Spec):
            raise ValueError(f"{spec!r}: not a layer; expected dense(...), dropout(...) or batch_norm()")
    if not isinstance(specs[-1], DenseSpec):
        raise ValueError(f"the last layer is {specs[-1]}; expected a dense one")
    names, num_dense = [], 0
    for spec in specs:
        num_dense += isinstance(spec, DenseSpec)
        kind = {DenseSpec: "dense", DropoutSpec: "dropout", BatchNormSpec: "batch_norm"}[type(spec)]
        names.append(spec.name or (f"{kind}_{num_dense}" if num_dense else f"input_{kind}"))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two layers are called {twice!r}; expected distinct names (name=...)")
    return names
