"""Weights out of a network and into it, as Keras's get_weights and set_weights.

Kernels have torch's orientation, (out, in); Keras's is (in, out). Batch normalization has Keras's four: gamma, beta,
moving mean and moving variance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# Keras's names for torch's, in Keras's order.
NAMES = {
    nn.Linear: {"kernel": "weight", "bias": "bias"},
    nn.BatchNorm1d: {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
}


def tensors(layer: nn.Module) -> dict[str, Tensor]:
    """The layer's own tensors by Keras's names: kernel and bias, or the four of a batch normalization; or none."""
    for kind, names in NAMES.items():
        if isinstance(layer, kind):
            found = {ours: getattr(layer, theirs) for ours, theirs in names.items()}
            return {name: tensor.detach() for name, tensor in found.items() if tensor is not None}
    return {}


def copies(named: Mapping[str, Tensor]) -> list[np.ndarray]:
    """The tensors as arrays of their own."""
    return [tensor.cpu().numpy().copy() for tensor in named.values()]


def assign(named: Mapping[str, Tensor], arrays: Sequence[Any]) -> None:
    """Copy one array into each tensor: all of them, or none.

    Raises:
        ValueError: there are too few or too many, or one is not numbers or has another shape.
    """
    if len(arrays) != len(named):
        raise ValueError(f"got {len(arrays)} arrays, expected {len(named)}: {', '.join(named) or 'none'}")
    checked = []
    for (name, tensor), array in zip(named.items(), arrays, strict=True):
        try:
            values = np.asarray(array, dtype=np.float64)
        except (ValueError, TypeError):  # ragged, or no numbers
            raise ValueError(f"{name}: got something that is no array of numbers") from None
        if values.shape != tuple(tensor.shape):
            raise ValueError(f"{name}: got shape {values.shape}, expected {tuple(tensor.shape)}")
        checked.append(torch.from_numpy(values.copy()))
    with torch.no_grad():
        for tensor, fresh in zip(named.values(), checked, strict=True):
            tensor.copy_(fresh)
