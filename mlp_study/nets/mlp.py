"""A multilayer perceptron in plain PyTorch, put together as Keras's Sequential would be.

    MLP(784, [512, 512], 10, activation="relu", dropout=0.2)

builds Dense(512) - Dropout - Dense(512) - Dropout - Dense(10). It knows nothing of Lightning or Hydra.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Generator, Tensor, nn

from mlp_study.choices.initializers import initializer
from mlp_study.nets import parameters
from mlp_study.nets.layers import Dense
from mlp_study.nets.specs import BatchNormSpec, Chain, DenseSpec, DropoutSpec, Spec, layer_names
from mlp_study.seeds import streams


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
        kernel_init, bias_init: {"name": ..., numbers}, see `mlp_study.choices.initializers`.
        seed: of the initial weights and of the dropout masks.

    `from_layers` and `from_function` build other networks, layer by layer.
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
        layers: list[Spec] = [DropoutSpec(input_dropout)] if input_dropout > 0 else []
        for i, units in enumerate(hidden):
            layers.append(DenseSpec(units, activations[i], bias, kernel_init, bias_init, dense_names[i]))
            layers += [BatchNormSpec(f"batch_norm_{i + 1}")] if batch_norm else []
            layers += [DropoutSpec(rates[i], f"dropout_{i + 1}")] if rates[i] > 0 else []
        layers.append(DenseSpec(out_size, "linear", bias, kernel_init, bias_init, dense_names[-1]))
        self._build(in_size, layers, seed)

    @classmethod
    def from_layers(cls, in_size: int, layers: Sequence[Spec], seed: int = 0) -> Self:
        """The network of `layers`, see `mlp_study.nets.specs`; the last, which is dense, may have an activation too.

        Raises:
            ValueError: there is no layer, something is no layer, the last is not dense, or two have one name.
        """
        mlp = cls.__new__(cls)
        nn.Module.__init__(mlp)
        mlp._build(in_size, layers, seed)
        return mlp

    @classmethod
    def from_function(cls, in_size: int, function: Callable[[Chain], Chain], seed: int = 0) -> Self:
        """The network of the layers that `function` calls, one on what the other returned.

        Raises:
            ValueError: the function does not return what a layer returned, or see `from_layers`.
        """
        chain = function(Chain())
        if not isinstance(chain, Chain):
            raise ValueError(f"the function returned {chain!r}; expected what its last layer returned")
        return cls.from_layers(in_size, chain.specs, seed)

    def _build(self, in_size: int, layers: Sequence[Spec], seed: int) -> None:
        self.names = layer_names(layers)
        self.specs, self.seed = tuple(layers), seed
        self.layers = nn.ModuleList()
        self._dropout_generators: dict[torch.device, Generator] = {}
        width = in_size
        for spec in layers:
            self.layers.append(spec.module(width, self.dropout_generator))
            width = getattr(spec, "units", width)
        self.in_size, self.out_size = in_size, width
        self.initialize(torch.Generator().manual_seed(streams(seed).init))

    def dropout_generator(self, device: torch.device) -> Generator:
        """Where this network's dropout masks on `device` come from."""
        if device not in self._dropout_generators:
            self._dropout_generators[device] = torch.Generator(device).manual_seed(streams(self.seed).dropout)
        return self._dropout_generators[device]

    def dropout_state(self) -> dict[str, Tensor]:
        """Where the masks have come to, by device."""
        return {str(device): generator.get_state() for device, generator in self._dropout_generators.items()}

    def set_dropout_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `dropout_state`."""
        for device, numbers in state.items():
            self.dropout_generator(torch.device(device)).set_state(numbers)

    @torch.no_grad()
    def initialize(self, generator: Generator) -> None:
        """Draw all kernels and biases anew, layer after layer, kernel before bias."""
        for layer in self.dense.values():
            for parameter, init in ((layer.weight, layer.kernel_init), (layer.bias, layer.bias_init)):
                if parameter is not None:
                    parameter.copy_(initializer(**init).fill(torch.empty(parameter.shape), generator))

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

    def truncated(self, name: str) -> Self:
        """A copy that ends at the dense layer `name` and hands on what that layer hands on.

        In evaluation mode, `truncated(name)(x)` is `activations(x)[name]`.

        Raises:
            ValueError: there is no such dense layer.
        """
        if name not in self.dense:
            raise ValueError(f"no dense layer {name!r}; expected one of {', '.join(self.dense)}")
        num_layers = self.names.index(name) + 1
        copy = self.from_layers(self.in_size, self.specs[:num_layers], self.seed).to(self.dense[name].weight)
        for ours, theirs in zip(copy.layers, self.layers, strict=False):
            ours.load_state_dict(theirs.state_dict())
        return copy.train(self.training)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, layer after layer: see `mlp_study.nets.parameters`."""
        return parameters.copies(self._weights())

    def set_weights(self, arrays: Sequence[Any]) -> None:
        """The inverse of `get_weights`.

        Raises:
            ValueError: there are too few or too many arrays, or one has another shape; nothing is changed then.
        """
        parameters.assign(self._weights(), arrays)

    def _weights(self) -> dict[str, Tensor]:
        return {
            f"{name} {what}": tensor
            for name, layer in zip(self.names, self.layers, strict=True)
            for what, tensor in parameters.tensors(layer).items()
        }
