"""M plain MLPs of one shape as one network: every layer has a leading member axis.

Shapes: M members, B samples, `units` of a layer. Activations are (M, units, B), units first: then every product is one
`bmm` over the members, each as fast as it can be, and layer one reads a batch that all members share without a copy.
A member's numbers depend neither on how many others there are nor on its place among them: one big product over all
members (torch's `linear`) would be as fast, and would sum in another order for another M.

The products and their gradients are written out, into tensors that stay (a fresh gradient each step would cost as much
memory traffic as the product).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlp_study.engines import products
from mlp_study.engines.stack.activations import ACTIVATIONS
from mlp_study.nets.layers import LOWEST, Dense, Dropout, draw, numbers, room
from mlp_study.nets.mlp import MLP


class StackedDense:
    """The dense layers of all members: W (M, out, in), b (M, out, 1) or None, and their gradients."""

    def __init__(self, layers: Sequence[Dense]) -> None:
        self.activation = layers[0].activation
        self.weight = torch.stack([layer.weight.detach() for layer in layers])
        self.bias = (
            torch.stack([layer.bias.detach()[:, None] for layer in layers]) if layers[0].bias is not None else None
        )
        self.allocate_gradients()

    def allocate_gradients(self) -> None:
        """Gradients of the shape of the parameters; every backward pass overwrites them."""
        self.weight_grad = torch.zeros_like(self.weight)
        self.bias_grad = torch.zeros_like(self.bias) if self.bias is not None else None

    def forward(self, x: Tensor) -> Tensor:
        """W x + b: (M, in, B), or (1, in, B) for all members -> (M, out, B)."""
        return products.forward(self.weight, x, self.bias)

    def backward_weight(self, grad: Tensor, x: Tensor) -> None:
        """Gradients from those of the output, (M, out, B), and the input, (M or 1, in, B)."""
        products.backward_weight(grad, x, self.weight_grad)
        if self.bias_grad is not None:
            torch.sum(grad, 2, keepdim=True, out=self.bias_grad)

    def backward_input(self, grad: Tensor) -> Tensor:
        """Gradient of the input, (M, in, B)."""
        return products.backward_input(self.weight, grad)


class StackedBatchNorm:
    """The batch normalizations of all members behind one layer: (M, units) parameters and running statistics."""

    def __init__(self, layers: Sequence[nn.BatchNorm1d]) -> None:
        self.eps, self.momentum = layers[0].eps, layers[0].momentum
        self.weight = torch.stack([layer.weight.detach() for layer in layers])
        self.bias = torch.stack([layer.bias.detach() for layer in layers])
        self.mean = torch.stack([layer.running_mean for layer in layers])  # type: ignore[misc]
        self.var = torch.stack([layer.running_var for layer in layers])  # type: ignore[misc]
        self.num_batches = int(layers[0].num_batches_tracked)  # type: ignore[arg-type]
        self.allocate_gradients()

    def allocate_gradients(self) -> None:
        """Gradients of the shape of the parameters."""
        self.weight_grad, self.bias_grad = torch.zeros_like(self.weight), torch.zeros_like(self.bias)

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


class Block(NamedTuple):
    """What the way back between two products needs: (M, units, B) each.

    Attributes:
        z, activated: in front of the activation and behind it.
        normalized: with batch normalization its output and what it was made of, for autograd.
        keep: what dropout multiplied with.
    """

    z: Tensor
    activated: Tensor
    normalized: tuple[Tensor, ...]
    keep: Tensor | None


class StackedMLP:
    """M plain MLPs of one shape, trained as one.

    Args:
        members: the plain networks, on one device; their weights are copied, and `member` copies them back.
    """

    def __init__(self, members: Sequence[MLP]) -> None:
        self.members = list(members)
        first = members[0]
        self.dense_names = list(first.dense)
        self.dense = [StackedDense([m.dense[name] for m in members]) for name in self.dense_names]
        self.batch_norm: list[StackedBatchNorm | None] = []
        for i in range(len(self.dense) - 1):
            found = [_layer(m, f"batch_norm_{i + 1}") for m in members]
            self.batch_norm.append(StackedBatchNorm(found) if found[0] is not None else None)  # type: ignore[arg-type]
        self._find_dropout()

    def _find_dropout(self) -> None:
        """Dropout layers, wherever any member has one."""

        def stacked(name: str) -> StackedDropout | None:
            found = [_layer(m, name) for m in self.members]
            layers = [layer if isinstance(layer, Dropout) else None for layer in found]
            return StackedDropout(layers, self.dense[0].weight) if any(layers) else None

        self.input_dropout = stacked("input_dropout")
        self.dropout = [stacked(f"dropout_{i + 1}") for i in range(len(self.dense) - 1)]

    def __len__(self) -> int:
        return len(self.members)

    def forward(self, batch: Tensor, training: bool, is_kept: bool = False) -> Tensor:
        """Logits (M, classes, B).

        The gradients are ours: call this, like `backward`, under `torch.no_grad()`.

        Args:
            batch: (M, B, pixels), one for each member, or (1, B, pixels), which all of them share.
            training: with dropout, and with the batch's own statistics in batch normalization.
            is_kept: whether what `backward` needs is kept; while training it always is.
        """
        x = batch.mT
        if self.input_dropout is not None and training:
            x = x.expand(len(self), -1, -1)
            x = x * self.input_dropout.masks(x)
        self._inputs = [x]
        self._blocks: list[Block] = []
        z = self.dense[0].forward(x)
        for i, dense in enumerate(self.dense[1:]):
            a = self._between(i, z, training, is_kept or training)
            self._inputs.append(a)
            z = dense.forward(a)
        return z

    def _between(self, i: int, z: Tensor, training: bool, is_kept: bool) -> Tensor:
        """What stands between products i and i + 1: activation, batch normalization, dropout."""
        norm, dropout = self.batch_norm[i], self.dropout[i]
        a = activated = ACTIVATIONS[self.dense[i].activation].value(z)
        normalized: tuple[Tensor, ...] = ()
        if norm is not None:
            with torch.set_grad_enabled(is_kept):
                x, weight, bias = (leaf.detach().requires_grad_(is_kept) for leaf in (a, norm.weight, norm.bias))
                a = norm(x, weight, bias, training)
            normalized = (a, x, weight, bias)
            a = a.detach()
        keep = None
        if dropout is not None and training:
            keep = dropout.masks(a)
            a = a * keep
        if is_kept:
            self._blocks.append(Block(z, activated, normalized, keep))
        return a

    def _between_backward(self, i: int, grad: Tensor) -> Tensor:
        """The gradient of z from that of the output of `_between`."""
        norm, block = self.batch_norm[i], self._blocks[i]
        if block.keep is not None:
            grad = grad * block.keep
        if norm is not None:
            grads = torch.autograd.grad(block.normalized[0], block.normalized[1:], grad)
            grad = grads[0]
            norm.weight_grad.copy_(grads[1])
            norm.bias_grad.copy_(grads[2])
        return ACTIVATIONS[self.dense[i].activation].slope(grad, block.z, block.activated)

    def backward(self, grad: Tensor) -> None:
        """Fill all gradients from that of the logits, (M, classes, B)."""
        for i in reversed(range(1, len(self.dense))):
            self.dense[i].backward_weight(grad, self._inputs[i])
            grad = self._between_backward(i - 1, self.dense[i].backward_input(grad))
        self.dense[0].backward_weight(grad, self._inputs[0])

    def between(self, logits: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What stands in front of each dense layer's activation and behind it, (M, units, B), of the last `forward`."""
        return [*((block.z, block.activated) for block in self._blocks), (logits, logits)]

    @torch.no_grad()
    def activations(self, batch: Tensor) -> list[Tensor]:
        """What each dense layer hands on, (M, units, B) each, in evaluation mode; the last are the logits."""
        z = self.dense[0].forward(batch.mT)
        outputs = []
        for i, dense in enumerate(self.dense[1:]):
            outputs.append(ACTIVATIONS[self.dense[i].activation].value(z))
            z = dense.forward(self._between(i, z, training=False, is_kept=False))
        return [*outputs, z]

    def parameters(self) -> list[tuple[Tensor, Tensor]]:
        """Every stacked parameter with its gradient, in the order of a plain MLP's parameters."""
        pairs = []
        for i, dense in enumerate(self.dense):
            pairs.append((dense.weight, dense.weight_grad))
            if dense.bias is not None and dense.bias_grad is not None:
                pairs.append((dense.bias, dense.bias_grad))
            norm = self.batch_norm[i] if i < len(self.batch_norm) else None
            if norm is not None:
                pairs += [(norm.weight, norm.weight_grad), (norm.bias, norm.bias_grad)]
        return pairs

    def member_parameters(self, m: int) -> list[tuple[Tensor, Tensor]]:
        """Views of one member's parameters and gradients, shaped as in the plain MLP."""
        shapes = [parameter.shape for parameter in self.members[m].parameters()]
        return [(p[m].view(s), g[m].view(s)) for (p, g), s in zip(self.parameters(), shapes, strict=True)]

    @torch.no_grad()
    def member(self, m: int) -> MLP:
        """Member `m` as the plain MLP it came from, with its present weights and running statistics."""
        plain = self.members[m]
        for ours, (stacked, _) in zip(plain.parameters(), self.member_parameters(m), strict=True):
            ours.copy_(stacked)
        for i, norm in enumerate(self.batch_norm):
            if norm is not None:
                layer = _layer(plain, f"batch_norm_{i + 1}")
                assert isinstance(layer, nn.BatchNorm1d)
                layer.load_state_dict(
                    {
                        "weight": norm.weight[m],
                        "bias": norm.bias[m],
                        "running_mean": norm.mean[m],
                        "running_var": norm.var[m],
                        "num_batches_tracked": torch.tensor(norm.num_batches),
                    }
                )
        return plain

    def keep(self, members: Sequence[int]) -> None:
        """Let all other members go; those kept stay in their order, and their numbers stay what they are."""
        self.members = [self.members[m] for m in members]
        index = torch.tensor(list(members), device=self.dense[0].weight.device)
        for dense in self.dense:
            dense.weight = dense.weight[index]
            dense.bias = dense.bias[index] if dense.bias is not None else None
            dense.allocate_gradients()
        for norm in self.batch_norm:
            if norm is not None:
                norm.weight, norm.bias, norm.mean, norm.var = (
                    tensor[index] for tensor in (norm.weight, norm.bias, norm.mean, norm.var)
                )
                norm.allocate_gradients()
        self._find_dropout()


def _layer(mlp: MLP, name: str) -> nn.Module | None:
    return mlp.layers[mlp.names.index(name)] if name in mlp.names else None
