"""Initial kernels and biases with Keras's mathematics, in plain PyTorch.

Glorot, He and LeCun are names over one `variance_scaling(scale, mode, distribution)`:

    glorot: scale 1, fan_avg      he: scale 2, fan_in      lecun: scale 1, fan_in

Every number is drawn from the generator that is handed in, on the CPU, in float32, and then copied: a run starts from
the same weights on every device and in every precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

Initializer = Callable[[Tensor, Generator], Tensor]

# Standard deviation of a unit normal cut off at two sigma: Keras divides by it, so that the realised one is exact.
TRUNCATED_STD = 0.87962566103423978


def fans(shape: torch.Size) -> tuple[int, int]:
    """(fan_in, fan_out) of an (out, in) weight; for a vector both are its length, as in Keras."""
    if len(shape) == 1:
        return shape[0], shape[0]
    fan_out, fan_in = shape
    return fan_in, fan_out


def constant(tensor: Tensor, generator: Generator, value: float) -> Tensor:
    """Every entry is `value`."""
    return tensor.fill_(value)


def uniform(tensor: Tensor, generator: Generator, low: float = -0.05, high: float = 0.05) -> Tensor:
    """Uniform in [low, high); Keras's RandomUniform."""
    return tensor.uniform_(low, high, generator=generator)


def normal(tensor: Tensor, generator: Generator, mean: float = 0.0, std: float = 0.05) -> Tensor:
    """Normal with standard deviation `std`; Keras's RandomNormal."""
    return tensor.normal_(mean, std, generator=generator)


def truncated_normal(tensor: Tensor, generator: Generator, mean: float = 0.0, std: float = 0.05) -> Tensor:
    """Normal, redrawn beyond two `std` (of the normal before the cut) from the mean; Keras's TruncatedNormal."""
    if std == 0:
        return tensor.fill_(mean)
    # torch's a and b are absolute bounds, not sigmas.
    return torch.nn.init.trunc_normal_(tensor, mean, std, mean - 2 * std, mean + 2 * std, generator=generator)


def orthogonal(tensor: Tensor, generator: Generator, gain: float = 1.0) -> Tensor:
    """A random matrix with orthonormal rows or columns (Saxe et al., 2013), times `gain`."""
    if tensor.ndim != 2:
        raise ValueError(f"orthogonal needs a matrix, got shape {tuple(tensor.shape)}")
    return torch.nn.init.orthogonal_(tensor, gain, generator=generator)


def variance_scaling(
    tensor: Tensor,
    generator: Generator,
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
) -> Tensor:
    """Zero mean and variance scale / n, where n is fan_in, fan_out or their average (`mode`).

    distribution: "uniform" in +-sqrt(3 * variance), "normal", or "truncated_normal" whose realised standard
    deviation, after the cut at two sigma, is exact. (Glorot & Bengio 2010; He et al. 2015; Keras's VarianceScaling.)
    """
    fan_in, fan_out = fans(tensor.shape)
    n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    std = math.sqrt(scale / max(1.0, n))
    if distribution == "uniform":
        return uniform(tensor, generator, -math.sqrt(3) * std, math.sqrt(3) * std)
    if distribution == "normal":
        return normal(tensor, generator, 0.0, std)
    if distribution == "truncated_normal":
        return truncated_normal(tensor, generator, 0.0, std / TRUNCATED_STD)
    raise ValueError(f"distribution {distribution!r}: expected uniform, normal or truncated_normal")


INITIALIZERS: dict[str, Callable[..., Tensor]] = {
    "zeros": partial(constant, value=0.0),
    "ones": partial(constant, value=1.0),
    "constant": constant,
    "uniform": uniform,
    "normal": normal,
    "truncated_normal": truncated_normal,
    "glorot_uniform": partial(variance_scaling, scale=1.0, mode="fan_avg", distribution="uniform"),
    "glorot_normal": partial(variance_scaling, scale=1.0, mode="fan_avg", distribution="truncated_normal"),
    "he_uniform": partial(variance_scaling, scale=2.0, mode="fan_in", distribution="uniform"),
    "he_normal": partial(variance_scaling, scale=2.0, mode="fan_in", distribution="truncated_normal"),
    "lecun_uniform": partial(variance_scaling, scale=1.0, mode="fan_in", distribution="uniform"),
    "lecun_normal": partial(variance_scaling, scale=1.0, mode="fan_in", distribution="truncated_normal"),
    "orthogonal": orthogonal,
    "variance_scaling": variance_scaling,
}


def initializer(name: str, **numbers: Any) -> Initializer:
    """The initializer `name` with its numbers; call it with a tensor to fill and a generator to draw from."""
    if name not in INITIALIZERS:
        raise ValueError(f"initializer {name!r}: expected one of {', '.join(INITIALIZERS)}")
    return partial(INITIALIZERS[name], **numbers)
