"""What goes on inside the layers, once per epoch: weights, gradients, activations, in numbers and histograms.

Every function takes a leading member axis M, 1 for a run alone, so that a run and a stack of runs share this code.
Shapes: M members, B samples, units of a layer, n numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mlp_study.learning.in_order import deviations, in_order, sums

NUM_BINS = 30
# |tanh| or |softsign| above, or a sigmoid within this of 0 or 1: the slope there is under a fiftieth of its largest.
SATURATED = {"tanh": 0.99, "softsign": 0.99, "sigmoid": 0.995}


@dataclass(frozen=True)
class LayerState:
    """One dense layer after an epoch.

    weight: (M, out, in); grad: of the last batch's loss, the same; activations: (M, B, out), on the last batch.
    """

    name: str
    activation: str
    weight: Tensor
    grad: Tensor
    activations: Tensor


@torch.no_grad()
def layer_statistics(layers: list[LayerState]) -> dict[str, Tensor]:
    """Each statistic as "what/layer" -> (M,).

    grad_norm: Euclidean norm of the kernel's gradient. weight_mean, weight_std; act_mean, act_std; act_zero: the
    fraction of activations that are exactly 0; act_saturated: the fraction where a sigmoid, tanh or softsign is flat.
    """
    with in_order():
        return _statistics(layers)


def _statistics(layers: list[LayerState]) -> dict[str, Tensor]:
    result = {}
    for layer in layers:
        weight, activations = layer.weight.flatten(1), layer.activations.flatten(1)
        columns = {
            "grad_norm": layer.grad.flatten(1).norm(dim=1),
            "weight_mean": weight.mean(1),
            "weight_std": deviations(weight),
            "act_mean": activations.mean(1),
            "act_std": deviations(activations),
            "act_zero": (activations == 0).to(weight.dtype).mean(1),
        }
        if layer.activation in SATURATED:
            centred = 2 * activations - 1 if layer.activation == "sigmoid" else activations
            limit = 2 * SATURATED["sigmoid"] - 1 if layer.activation == "sigmoid" else SATURATED[layer.activation]
            columns["act_saturated"] = (centred.abs() > limit).to(weight.dtype).mean(1)
        result.update({f"{what}/{layer.name}": values for what, values in columns.items()})
    return result


@dataclass(frozen=True)
class Histogram:
    """Counts of `n` numbers in `NUM_BINS` equal bins from `low` to `high`."""

    low: float
    high: float
    num: int
    total: float
    total_squares: float
    counts: list[float]


@torch.no_grad()
def histograms(values: Tensor) -> list[Histogram | None]:
    """One histogram for each member of `values` (M, ...); None where a number is not finite."""
    flat = values.detach().cpu().flatten(1)  # on CUDA histc is not deterministic, and says so by an error
    low, high = flat.amin(1), flat.amax(1)
    numbers = torch.stack([low, high, sums(flat), sums(flat.square())], 1).double()
    found: list[Histogram | None] = []
    for member, (lo, hi, total, squares) in zip(flat, numbers.tolist(), strict=True):
        if not (math.isfinite(lo) and math.isfinite(hi)):
            found.append(None)
        else:  # histc widens an empty range by itself: then all are in one bin
            found.append(Histogram(lo, hi, len(member), total, squares, torch.histc(member, NUM_BINS, lo, hi).tolist()))
    return found


def layer_histograms(states: list[LayerState]) -> dict[str, list[Histogram | None]]:
    """Histograms of each layer's kernel and its gradient, one per member, by TensorBoard tag."""
    tags = {f"weights/{state.name}": histograms(state.weight) for state in states}
    return tags | {f"gradients/{state.name}": histograms(state.grad) for state in states}
