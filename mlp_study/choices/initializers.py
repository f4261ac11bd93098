"""Initial kernels and biases with Keras's mathematics.

Glorot, He and LeCun are names over one variance scaling:

    glorot: scale 1, fan_avg      he: scale 2, fan_in      lecun: scale 1, fan_in

Every number is drawn from the generator that is handed in, on the CPU, in float32, and then copied: a run starts from
the same weights on every device and in every precision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mlp_study.choices.choice import Choice, by_name, named, setting
from mlp_study.choices.rules import number, one_of

if TYPE_CHECKING:
    from torch import Generator, Tensor

# Standard deviation of a unit normal cut off at two sigma: Keras divides by it, so that the realised one is exact.
TRUNCATED_STD = 0.87962566103423978


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """(fan_in, fan_out) of an (out, in) weight; for a vector both are its length, as in Keras."""
    if len(shape) == 1:
        return shape[0], shape[0]
    fan_out, fan_in = shape
    return fan_in, fan_out


@dataclass(frozen=True)
class Initializer(Choice):
    """Fills a weight."""

    NEEDS_MATRIX: ClassVar[bool] = False  # whether it cannot fill a bias

    def fill(self, tensor: Tensor, generator: Generator) -> Tensor:
        """Overwrite `tensor`, (out, in) or (out,), with numbers drawn from `generator`; returns it."""
        raise NotImplementedError

    def numbers(self) -> dict[str, Any]:
        """All its numbers, those that its name fixes too."""
        return super().as_dict()


@dataclass(frozen=True)
class Constant(Initializer):
    """Every entry is `value`."""

    name = "constant"
    value: float = setting(number())

    def fill(self, tensor: Tensor, generator: Generator) -> Tensor:  # noqa: D102
        return tensor.fill_(self.value)


@dataclass(frozen=True)
class _Fixed(Initializer):
    value: ClassVar[float]

    def fill(self, tensor: Tensor, generator: Generator) -> Tensor:
        return tensor.fill_(self.value)

    def numbers(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value}


class Zeros(_Fixed):
    """Every entry is 0."""

    name, value = "zeros", 0.0


class Ones(_Fixed):
    """Every entry is 1."""

    name, value = "ones", 1.0


@dataclass(frozen=True)
class Uniform(Initializer):
    """Uniform in [low, high); Keras's RandomUniform."""

    name = "uniform"
    low: float = setting(number(), -0.05)
    high: float = setting(number(), 0.05)

    def fill(self, tensor: Tensor, generator: Generator) -> Tensor:  # noqa: D102
        return tensor.uniform_(self.low, self.high, generator=generator)


@dataclass(frozen=True)
class Normal(Initializer):
    """Normal with standard deviation `std`; Keras's RandomNormal."""

    name = "normal"
    mean: float = setting(number(), 0.0)
    std: float = setting(number(least=0), 0.05)

    def fill(self, tensor: Tensor, generator: Generator) -> Tensor:  # noqa: D102
        return tensor.normal_(self.mean, self.std, generator=generator)


@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """Normal, redrawn beyond two `std` (of the normal before the cut) from the mean; Keras's TruncatedNormal."""

    name = "truncated_normal"
    mean: float = setting(number(), 0.0)
    std: float = setting(number(least=0), 0.05)

    def fill(self, tensor: Tensor, generator: Generator) -> Tensor:  # noqa: D102
        from torch.nn.init import trunc_normal_

        mean, std = self.mean, self.std
        if std == 0:
            return tensor.fill_(mean)
        # torch's a and b are absolute bounds, not sigmas.
        return trunc_normal_(tensor, mean, std, mean - 2 * std, mean + 2 * std, generator=generator)


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """A random matrix with orthonormal rows or columns (Saxe et al., 2013), times `gain`."""

    name = "orthogonal"
    NEEDS_MATRIX = True
    gain: float = setting(number(), 1.0)

    def fill(self, tensor: Tensor, generator: Generator) -> Tensor:  # noqa: D102
        from torch.nn.init import orthogonal_

        if tensor.ndim != 2:
            raise ValueError(f"orthogonal needs a matrix, got shape {tuple(tensor.shape)}")
        return orthogonal_(tensor, self.gain, generator=generator)


@dataclass(frozen=True)
class VarianceScaling(Initializer):
    """Zero mean and variance scale / n, where n is fan_in, fan_out or their average (`mode`).

    distribution: "uniform" in +-sqrt(3 * variance), "normal", or "truncated_normal" whose realised standard
    deviation, after the cut at two sigma, is exact. (Glorot & Bengio 2010; He et al. 2015; Keras's VarianceScaling.)
    """

    name = "variance_scaling"
    scale: float = setting(number(above=0), 1.0)
    mode: str = setting(one_of("fan_in", "fan_out", "fan_avg"), "fan_in")
    distribution: str = setting(one_of("uniform", "normal", "truncated_normal"), "truncated_normal")

    def fill(self, tensor: Tensor, generator: Generator) -> Tensor:  # noqa: D102
        fan_in, fan_out = fans(tensor.shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        std = math.sqrt(self.scale / max(1.0, n))
        if self.distribution == "uniform":
            return Uniform(-math.sqrt(3) * std, math.sqrt(3) * std).fill(tensor, generator)
        if self.distribution == "normal":
            return Normal(0.0, std).fill(tensor, generator)
        if self.distribution == "truncated_normal":
            return TruncatedNormal(0.0, std / TRUNCATED_STD).fill(tensor, generator)
        raise ValueError(f"distribution {self.distribution!r}: expected uniform, normal or truncated_normal")


@dataclass(frozen=True)
class _Scaled(Initializer):
    """Variance scaling with numbers that go with the name."""

    numbers_: ClassVar[tuple[float, str, str]]

    def fill(self, tensor: Tensor, generator: Generator) -> Tensor:
        return VarianceScaling(*self.numbers_).fill(tensor, generator)

    def numbers(self) -> dict[str, Any]:
        return {**VarianceScaling(*self.numbers_).as_dict(), "name": self.name}


class GlorotUniform(_Scaled):
    """Variance 1 / average of the fans (Glorot & Bengio, 2010)."""

    name, numbers_ = "glorot_uniform", (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """The same, truncated normal."""

    name, numbers_ = "glorot_normal", (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Variance 2 / fan_in (He et al., 2015)."""

    name, numbers_ = "he_uniform", (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """The same, truncated normal."""

    name, numbers_ = "he_normal", (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Variance 1 / fan_in (LeCun et al., 1998)."""

    name, numbers_ = "lecun_uniform", (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """The same, truncated normal."""

    name, numbers_ = "lecun_normal", (1.0, "fan_in", "truncated_normal")


INITIALIZERS: dict[str, type[Initializer]] = by_name(
    Zeros, Ones, Constant, Uniform, Normal, TruncatedNormal,
    GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal, VarianceScaling,
)  # fmt: skip


def initializer(name: str, **numbers: Any) -> Initializer:
    """The initializer `name` with its numbers; `fill` draws with it."""
    return named("initializer", INITIALIZERS, name, numbers)
