"""Looks at networks: before training and after every epoch, the same way whoever trains them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mlp_study.config import Config
from mlp_study.engines.image_data import ImageData
from mlp_study.engines.stack.network import StackedMLP
from mlp_study.learning.in_order import in_order, total
from mlp_study.learning.losses import losses_and_gradient
from mlp_study.learning.vital_signs import SeenLayer, evidence, kernels
from mlp_study.nets.mlp import MLP

DIGITS = 6  # that count of a number: more are noise, and depend on who else trains


class Look:
    """At the network of one run.

    Args:
        config: of the run.
        fresh: its network, before training.
        data: its images, set up.
    """

    def __init__(self, config: Config, fresh: MLP, data: ImageData) -> None:
        self.initial = kernels(fresh)
        self.images, self.labels = data.looked_at
        self.of_images = data.of_images
        self.loss, self.output_activation, self.l2 = config.loss, config.model.output_activation, config.model.l2

    def at(self, mlp: MLP) -> dict[str, float]:
        """What there is to see of it now; see `mlp_study.learning.vital_signs`."""
        return seen(StackedMLP([mlp]), [self])[0]


@torch.no_grad()
def seen(network: StackedMLP, looks: Sequence[Look]) -> list[dict[str, float]]:
    """What there is to see of the members of a stack, whose gradients are lost; in the order of their `looks`."""
    with in_order():
        found = _evidence(network, looks)
    columns = {name: values.tolist() for name, values in found.items()}
    rows = [looks[m].of_images | {name: values[m] for name, values in columns.items()} for m in range(len(looks))]
    return [{name: float(f"{value:.{DIGITS}g}") for name, value in row.items()} for row in rows]


def _evidence(network: StackedMLP, looks: Sequence[Look]) -> dict[str, torch.Tensor]:
    how, like = looks[0], network.dense[0].weight
    labels = how.labels.to(like.device)
    logits = network.forward(how.images.to(like)[None], training=False, is_kept=True)
    losses, gradient = losses_and_gradient(how.loss, logits, labels.expand(len(looks), -1), how.output_activation)
    network.backward(gradient)
    l2 = like.new_tensor([look.l2 for look in looks])
    squares = [dense.weight.square().flatten(1).sum(1) for dense in network.dense]
    layers = [
        SeenLayer(
            name,
            dense.weight,
            dense.weight_grad + 2 * l2[:, None, None] * dense.weight if l2.any() else dense.weight_grad,
            torch.stack([look.initial[name] for look in looks]).to(like),
            *between,
        )
        for name, dense, between in zip(network.dense_names, network.dense, network.between(logits), strict=True)
    ]
    return evidence(layers, losses, l2 * total(squares), labels)
