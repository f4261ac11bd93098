"""M plain MLPs of one shape as one network: every layer has a leading member axis.

Shapes: M members, B samples, `units` of a layer. Activations are (M, units, B), units first: then every product is one
`bmm` over the members, each as fast as it can be, and layer one reads a batch that all members share without a copy.
A member's numbers depend neither on how many others there are nor on its place among them: one big product over all
members (torch's `linear`) would be as fast, and would sum in another order for another M.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mlp_study.engines.stack.activations import ACTIVATIONS
from mlp_study.engines.stack.aligned import stacked
from mlp_study.engines.stack.stacked_layers import Descent, StackedBatchNorm, StackedDense, StackedDropout
from mlp_study.nets.layers import Dropout
from mlp_study.nets.mlp import MLP


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

        def of_all(name: str) -> StackedDropout | None:
            found = [_layer(m, name) for m in self.members]
            layers = [layer if isinstance(layer, Dropout) else None for layer in found]
            return StackedDropout(layers, self.dense[0].weight) if any(layers) else None

        self.input_dropout = of_all("input_dropout")
        self.dropout = [of_all(f"dropout_{i + 1}") for i in range(len(self.dense) - 1)]

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

    def backward(self, grad: Tensor, descent: Descent | None = None) -> None:
        """Fill all gradients, but those that a `descent` needs no more, from that of the logits, (M, classes, B)."""
        for i in reversed(range(len(self.dense))):
            dense, x = self.dense[i], self._inputs[i]
            below = self._between_backward(i - 1, dense.backward_input(grad)) if i else grad
            if descent is not None and descent.layers[i]:
                dense.descend(grad, x, descent.steps)
            else:
                dense.backward_weight(grad, x)
            grad = below

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
        for parameter, (ours, _) in zip(plain.parameters(), self.member_parameters(m), strict=True):
            parameter.copy_(ours)
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
            dense.weight = stacked([dense.weight[m] for m in members])
            dense.bias = stacked([dense.bias[m] for m in members]) if dense.bias is not None else None
            dense.allocate_gradients()
        for norm in self.batch_norm:
            if norm is not None:
                norm.weight, norm.bias = (stacked([p[m] for m in members]) for p in (norm.weight, norm.bias))
                norm.mean, norm.var = norm.mean[index], norm.var[index]
                norm.allocate_gradients()
        self._find_dropout()


def _layer(mlp: MLP, name: str) -> nn.Module | None:
    return mlp.layers[mlp.names.index(name)] if name in mlp.names else None
