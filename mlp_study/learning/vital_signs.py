"""What networks show a doctor: their state on a few training images, before training and after each epoch.

The images are the first ones of the training part, the same at each look, and networks are looked at as they are used:
without dropout, with the running means of batch normalization. The weights stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mlp_study.learning.in_order import deviations
from mlp_study.nets.mlp import MLP

MOST, SHARE = 256, 20  # images that are looked at: so many, or this part of a small training set
DEAD = 1e-6  # a unit whose activation varies by less over the images says nothing of them


def num_images(num_training: int) -> int:
    """How many training images are looked at."""
    return min(num_training, MOST, max(32, num_training // SHARE))


def kernels(mlp: MLP) -> dict[str, Tensor]:
    """Copies of the kernels, by layer: of a fresh network, what later ones are compared with."""
    return {name: layer.weight.detach().clone() for name, layer in mlp.dense.items()}


@dataclass(frozen=True)
class SeenLayer:
    """A dense layer of M networks, with N images in it.

    weight, gradient with the penalty's, initial: (M, out, in); before, after: its activation, (M, out, N).
    """

    name: str
    weight: Tensor
    gradient: Tensor
    initial: Tensor
    before: Tensor
    after: Tensor


def evidence(layers: Sequence[SeenLayer], losses: Tensor, penalties: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Numbers of whole networks, and of each dense layer as "what/layer", (M,) each.

    loss: without its penalty; acc; penalty: the penalty's share of both together; predicted: the share of images that
    are given to the commonest class; num_predicted: classes that some image is given to, of num_classes.

    gradient: Euclidean norm of the kernel's gradient, penalty included; step: that norm over the kernel's own; moved:
    how far the kernel has come from `initial`, over the norm of `initial`; alike: how little the units of a layer
    differ in their kernels, 1 for not at all; pre_mean, pre_std: of what goes into the activation; dead: the share of
    units whose activation is the same for all images.

    Args:
        layers: output last.
        losses: (M,), without penalties.
        penalties: (M,).
        labels: (N,).
    """
    logits = layers[-1].before
    predicted = logits.argmax(1)  # (M, N)
    num_classes = logits.shape[1]
    counts = torch.nn.functional.one_hot(predicted, num_classes).sum(1)
    total = losses + penalties
    found = {
        "loss": losses,
        "acc": (predicted == labels).double().mean(1),
        "penalty": _over(penalties, total),
        "predicted": counts.amax(1).double() / len(labels),
        "num_predicted": (counts > 0).sum(1).double(),
        "num_classes": torch.full_like(losses, num_classes),
    }
    for layer in layers:
        gradient, norm, first, moved, differ = (
            part.flatten(1).norm(dim=1)
            for part in (
                layer.gradient,
                layer.weight,
                layer.initial,
                layer.weight - layer.initial,
                layer.weight - layer.weight.mean(1, keepdim=True),
            )
        )
        columns = {
            "gradient": gradient,
            "step": _over(gradient, norm),
            "moved": torch.where(first == 0, moved, moved / first),
            "alike": 1.0 - _over(differ, norm),
            "pre_mean": layer.before.flatten(1).mean(1),
            "pre_std": deviations(layer.before),
            "dead": (layer.after.amax(2) - layer.after.amin(2) < DEAD).double().mean(1),
        }
        found |= {f"{what}/{layer.name}": values for what, values in columns.items()}
    return found


def _over(a: Tensor, b: Tensor) -> Tensor:
    """Their quotient; 0 where b is."""
    return torch.where(b == 0, 0.0, a / b)


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
