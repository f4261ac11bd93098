"""Losses from logits, one number per sample, with any leading axes: (..., C) and labels (...) give (...).

Binary cross-entropy and squared error compare with one-hot targets and average over the classes, as Keras does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from mlp_study.learning.in_order import sums


def sigmoid(z: Tensor) -> Tensor:
    """1 / (1 + e^-z). Torch's own has other last bits for what is left behind whole vectors of a processor."""
    return torch.reciprocal(torch.exp(-z) + 1)


OUTPUT_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda logits: torch.softmax(logits, -1),
    "sigmoid": sigmoid,
    "linear": lambda logits: logits,
}
# What "auto" means.
OWN_OUTPUT = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "mse": "softmax"}


def one_hot(labels: Tensor, like: Tensor) -> Tensor:
    """Labels (...) as one-hot vectors (..., C), C and the dtype taken from `like` (..., C)."""
    return F.one_hot(labels, like.shape[-1]).to(like.dtype)


def _cross_entropy(logits: Tensor, labels: Tensor, output_activation: str, reduction: str) -> Tensor:
    if reduction == "mean":
        return F.cross_entropy(logits.flatten(0, -2), labels.flatten())
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction="none").view(labels.shape)


def _binary_cross_entropy(logits: Tensor, labels: Tensor, output_activation: str, reduction: str) -> Tensor:
    losses = F.binary_cross_entropy_with_logits(logits, one_hot(labels, logits), reduction="none")
    return losses.mean() if reduction == "mean" else losses.mean(-1)


def _mse(logits: Tensor, labels: Tensor, output_activation: str, reduction: str) -> Tensor:
    outputs = OUTPUT_ACTIVATIONS[output_activation](logits)
    losses = (outputs - one_hot(labels, outputs)).square()
    return losses.mean() if reduction == "mean" else losses.mean(-1)


LOSSES: dict[str, Callable[[Tensor, Tensor, str, str], Tensor]] = {
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy": _binary_cross_entropy,
    "mse": _mse,
}


def sample_losses(loss: str, logits: Tensor, labels: Tensor, output_activation: str = "auto") -> Tensor:
    """The loss of each sample: logits (..., C), labels (...) int64 -> (...)."""
    return LOSSES[loss](logits, labels, OWN_OUTPUT[loss] if output_activation == "auto" else output_activation, "none")


def mean_loss(loss: str, logits: Tensor, labels: Tensor, output_activation: str = "auto") -> Tensor:
    """The mean of `sample_losses` over all samples, a scalar; in fewer steps."""
    return LOSSES[loss](logits, labels, OWN_OUTPUT[loss] if output_activation == "auto" else output_activation, "mean")


def losses_and_gradient(
    loss: str, logits: Tensor, labels: Tensor, output_activation: str = "auto"
) -> tuple[Tensor, Tensor]:
    """Mean losses of several networks and their gradient, classes second.

    logits: (M, C, B); labels: (M, B). Returns the mean losses (M,) and the gradient of their sum, (M, C, B). The
    cross-entropies' are written out, (softmax or sigmoid - one-hot) / B: autograd takes longer than the arithmetic.
    """
    if loss == "cross_entropy":
        log_p = torch.log_softmax(logits, 1)
        index = labels.unsqueeze(1)
        losses = sums(log_p.gather(1, index)).div_(-labels.shape[1])
        gradient = log_p.exp_()
        gradient.scatter_add_(1, index, _minus_one(logits.dtype, logits.device).expand(index.shape))
        return losses, gradient.div_(labels.shape[1])
    if loss == "binary_cross_entropy":
        targets = one_hot(labels, logits.mT).mT
        losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)
        gradient = sigmoid(logits).sub_(targets)
        return sums(losses).div_(labels.shape[1]), gradient.div_(logits.shape[1] * labels.shape[1])
    with torch.enable_grad():
        leaf = logits.detach().requires_grad_()
        losses = sample_losses(loss, leaf.mT, labels, output_activation)
        (gradient,) = torch.autograd.grad(losses.sum() / labels.shape[1], leaf)
    return sums(losses.detach()) / labels.shape[1], gradient


@lru_cache
def _minus_one(dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(-1.0, dtype=dtype, device=device)


def outputs(loss: str, logits: Tensor, output_activation: str = "auto") -> Tensor:
    """What the network predicts: the logits after the output activation."""
    return OUTPUT_ACTIVATIONS[OWN_OUTPUT[loss] if output_activation == "auto" else output_activation](logits)
