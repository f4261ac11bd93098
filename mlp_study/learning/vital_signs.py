"""What a network shows a doctor: its state on a few training images, before training and after each epoch.

The images are the first ones of the training part, the same at each look, and the network is looked at as it is used:
without dropout, with the running means of batch normalization. The weights stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mlp_study.learning.losses import mean_loss
from mlp_study.nets.layers import ACTIVATIONS, Dense
from mlp_study.nets.mlp import MLP

MOST, SHARE = 256, 20  # images that are looked at: so many, or this part of a small training set
DEAD = 1e-6  # a unit whose activation varies by less over the images says nothing of them


def num_images(num_training: int) -> int:
    """How many training images are looked at."""
    return min(num_training, MOST, max(32, num_training // SHARE))


def kernels(mlp: MLP) -> dict[str, Tensor]:
    """Copies of the kernels, by layer: of a fresh network, what later ones are compared with."""
    return {name: layer.weight.detach().clone() for name, layer in mlp.dense.items()}


def evidence(
    mlp: MLP,
    initial: Mapping[str, Tensor],
    images: Tensor,
    labels: Tensor,
    loss: str,
    output_activation: str,
    l2: float,
) -> dict[str, float]:
    """Numbers of the whole network, and of each dense layer as "what/layer".

    loss: without its penalty; acc; penalty: the penalty's share of both together; predicted: the share of images that
    are given to the commonest class; num_predicted: classes that some image is given to, of num_classes.

    gradient: Euclidean norm of the kernel's gradient, penalty included; step: that norm over the kernel's own; moved:
    how far the kernel has come from `initial`, over the norm of `initial`; alike: how little the units of a layer
    differ in their kernels, 1 for not at all; pre_mean, pre_std: of what goes into the activation; dead: the share of
    units whose activation is the same for all images.

    Args:
        mlp: the network.
        initial: its kernels before training, see `kernels`.
        images, labels: (N, in_size), (N,).
        loss, output_activation, l2: as it is trained with.
    """
    was_training = mlp.training
    mlp.eval()
    found: dict[str, float] = {}
    by_layer: dict[str, dict[str, Tensor]] = {}
    with torch.enable_grad():
        x = images.to(next(mlp.parameters()))
        labels = labels.to(x.device)
        for name, layer in zip(mlp.names, mlp.layers, strict=True):
            if not isinstance(layer, Dense):
                x = layer(x)
                continue
            before = torch.nn.functional.linear(x, layer.weight, layer.bias)
            x = ACTIVATIONS[layer.activation](before)
            by_layer[name] = {"pre": before.detach(), "out": x.detach()}
        mean = mean_loss(loss, x, labels, output_activation)
        weights = {name: layer.weight for name, layer in mlp.dense.items()}
        penalty = l2 * torch.stack([weight.square().sum() for weight in weights.values()]).sum()
        gradients = torch.autograd.grad(mean + penalty, list(weights.values()))
    mlp.train(was_training)
    x, mean, penalty = x.detach(), mean.detach(), penalty.detach()
    predicted = x.argmax(1)
    counts = torch.bincount(predicted, minlength=x.shape[1])
    total = float(mean + penalty)
    found["loss"], found["acc"] = float(mean), float((predicted == labels).double().mean())
    found["penalty"] = float(penalty) / total if total else 0.0
    found["predicted"], found["num_predicted"] = float(counts.max()) / len(labels), float((counts > 0).sum())
    found["num_classes"] = float(x.shape[1])
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
        found |= {
            f"{what}/{name}": value for what, value in _of_layer(weight.detach(), gradient, initial[name]).items()
        }
        before, out = by_layer[name]["pre"], by_layer[name]["out"]
        found[f"pre_mean/{name}"] = float(before.mean())
        found[f"pre_std/{name}"] = float(before.std(correction=0))
        found[f"dead/{name}"] = float(((out.amax(0) - out.amin(0)) < DEAD).double().mean())
    return found


def _of_layer(weight: Tensor, gradient: Tensor, initial: Tensor) -> dict[str, float]:
    norm, first = float(weight.norm()), float(initial.norm())
    differ = float((weight - weight.mean(0)).norm())
    return {
        "gradient": float(gradient.norm()),
        "step": float(gradient.norm()) / norm if norm else 0.0,
        "moved": float((weight - initial.to(weight)).norm()) / (first or 1.0),
        "alike": 1.0 - differ / norm if norm else 1.0,
    }


def of_images(images: Tensor, train: tuple[Tensor, Tensor], judged: tuple[Tensor, Tensor] | None) -> dict[str, float]:
    """Of the data alone: mean, deviation, least and largest of the inputs, and how far the nearest class mean gets.

    centroid_acc: the share of validation images (without any, training images) whose class has the nearest mean. It
    says what these data allow at least, without training anything. num_judged: how many images that was asked of.

    Args:
        images: (N, in_size), those looked at.
        train: images and labels of the training part.
        judged: of the validation part.
    """
    x, labels = train
    num = int(labels.max()) + 1
    sums = torch.zeros(num, x.shape[1], dtype=x.dtype, device=x.device).index_add_(0, labels, x)
    centroids = sums / torch.bincount(labels, minlength=num).clamp(min=1)[:, None]
    shown, truth = judged if judged is not None else train
    there = torch.bincount(labels, minlength=num) > 0
    scores = shown @ centroids.T - 0.5 * centroids.square().sum(1)
    nearest = scores.masked_fill(~there, -torch.inf).argmax(1)
    return {
        "input_mean": float(images.mean()),
        "input_std": float(images.std(correction=0)),
        "input_min": float(images.min()),
        "input_max": float(images.max()),
        "centroid_acc": float((nearest == truth).double().mean()),
        "num_judged": float(len(truth)),
    }
