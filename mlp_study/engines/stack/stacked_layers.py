"""The layers of M networks of one shape: a leading member axis, and gradients that stay.

Shapes: M members, B samples. The products and their gradients are written out, into tensors that stay: a fresh gradient
each step would cost as much memory traffic as the product.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlp_study.engines import products
from mlp_study.engines.stack.aligned import aligned_zeros, is_aligned, stacked
from mlp_study.nets.layers import LOWEST, Dense, Dropout, draw, numbers, room


class Descent(NamedTuple):
    """Steps of plain SGD that a backward pass takes at once, instead of writing down the gradients for them.

    Attributes:
        steps: of the first K members, (K, 1, 1): minus the learning rate.
        layers: whether it is done, for the kernel of each dense layer.
    """

    steps: Tensor
    layers: list[bool]


class StackedDense:
    """The dense layers of all members: W (M, out, in), b (M, out, 1) or None, and their gradients."""

    def __init__(self, layers: Sequence[Dense]) -> None:
        self.activation = layers[0].activation
        self.weight = stacked([layer.weight.detach() for layer in layers])
        self.bias = stacked([layer.bias.detach()[:, None] for layer in layers]) if layers[0].bias is not None else None
        self.allocate_gradients()

    def allocate_gradients(self) -> None:
        """Gradients of the shape of the parameters; every backward pass overwrites them."""
        num = len(self.weight)
        self.weight_grad = self.weight.new_zeros(self.weight.shape)  # a product writes faster without room in between
        self.bias_grad = aligned_zeros(num, self.bias.shape[1:], self.bias) if self.bias is not None else None

    def forward(self, x: Tensor) -> Tensor:
        """W x + b: (M, in, B), or (1, in, B) for all members -> (M, out, B)."""
        return products.forward(self.weight, x, self.bias)

    def backward_weight(self, grad: Tensor, x: Tensor) -> None:
        """Gradients from those of the output, (M, out, B), and the input, (M or 1, in, B)."""
        products.backward_weight(grad, x, self.weight_grad)
        self._backward_bias(grad)

    def _backward_bias(self, grad: Tensor) -> None:
        if self.bias_grad is not None:
            torch.sum(grad, 2, keepdim=True, out=self.bias_grad)

    def is_worth_descending(self, batch_size: int) -> bool:
        """Whether moving the weights at once is faster than writing down where to."""
        return is_aligned(self.weight_grad) and products.is_large(self.weight, batch_size)

    def descend(self, grad: Tensor, x: Tensor, steps: Tensor) -> None:
        """Move the kernels of the first members by their `steps` (K, 1, 1) times the gradient, and do as ever else."""
        num, own = len(steps), len(x) > 1
        products.descend(grad[:num] * steps, x[:num] if own else x, self.weight[:num])
        if num < len(grad):
            products.backward_weight(grad[num:], x[num:] if own else x, self.weight_grad[num:])
        self._backward_bias(grad)

    def backward_input(self, grad: Tensor) -> Tensor:
        """Gradient of the input, (M, in, B)."""
        return products.backward_input(self.weight, grad)


class StackedBatchNorm:
    """The batch normalizations of all members behind one layer: (M, units) parameters and running statistics."""

    def __init__(self, layers: Sequence[nn.BatchNorm1d]) -> None:
        self.eps, self.momentum = layers[0].eps, layers[0].momentum
        self.weight = stacked([layer.weight.detach() for layer in layers])
        self.bias = stacked([layer.bias.detach() for layer in layers])
        self.mean = torch.stack([layer.running_mean for layer in layers])  # type: ignore[misc]
        self.var = torch.stack([layer.running_var for layer in layers])  # type: ignore[misc]
        self.num_batches = int(layers[0].num_batches_tracked)  # type: ignore[arg-type]
        self.allocate_gradients()

    def allocate_gradients(self) -> None:
        """Gradients of the shape of the parameters."""
        self.weight_grad, self.bias_grad = (aligned_zeros(len(p), p.shape[1:], p) for p in (self.weight, self.bias))

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor, training: bool) -> Tensor:
        """Normalize (M, units, B) over B: members and units are but channels to torch."""
        if training:
            self.num_batches += 1
        channels = x.reshape(1, -1, x.shape[-1])
        mean, var = self.mean.view(-1), self.var.view(-1)
        normalized = F.batch_norm(
            channels, mean, var, weight.flatten(), bias.flatten(), training, self.momentum or 0.0, self.eps
        )
        return normalized.view(x.shape)


class StackedDropout:
    """Dropout with each member's own rate and its own masks: those it would draw alone, in the same order."""

    def __init__(self, layers: Sequence[Dropout | None], like: Tensor) -> None:
        self.layers = list(layers)
        thresholds = [layer.threshold if layer else LOWEST for layer in layers]
        scales = [layer.scale if layer else 1.0 for layer in layers]
        self._threshold = torch.tensor(thresholds, dtype=torch.int16, device=like.device)[:, None, None]
        self._scale = torch.tensor(scales, dtype=like.dtype, device=like.device)[:, None, None]

    def masks(self, x: Tensor) -> Tensor:
        """What to multiply x with, (M, units, B): 0 or 1 / (1 - rate)."""
        bits = room(x[0].shape, x.device, len(x))
        for drawn, layer in zip(bits, self.layers, strict=True):
            if layer is not None:
                draw(drawn, layer.generator(x.device))
        return numbers(bits, x[0].shape).ge(self._threshold) * self._scale
