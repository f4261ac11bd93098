"""Learning-rate schedules: by what the optimizer's own rate is multiplied at each step.

Each gives a factor for `epoch`, the training time in epochs as a real number (steps done / steps per epoch), and the
planned number of epochs. The plain path hands it to torch's LambdaLR, the stacked path asks it for each member.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from mlp_study.choices.choice import Choice, by_name, named, setting
from mlp_study.choices.rules import integer, number


@dataclass(frozen=True)
class Schedule(Choice):
    """What becomes of the learning rate as training goes on."""

    SPANS_TRAINING: ClassVar[bool] = False  # whether the factor depends on max_epochs: then no run goes on for more

    def factor(self, epoch: float, max_epochs: int) -> float:
        """By what the rate is multiplied at `epoch`."""
        raise NotImplementedError

    def per_step(self, max_epochs: int, steps_per_epoch: int) -> Callable[[int], float]:
        """A function from the number of steps done to the factor on the learning rate of the next one."""
        return lambda steps: self.factor(steps / steps_per_epoch, max_epochs)


@dataclass(frozen=True)
class Constant(Schedule):
    """The rate stays as it is."""

    name = "constant"

    def factor(self, epoch: float, max_epochs: int) -> float:  # noqa: D102
        return 1.0


@dataclass(frozen=True)
class Step(Schedule):
    """Times `gamma` every `step_epochs` epochs (torch's StepLR)."""

    name = "step"
    step_epochs: int = setting(integer(least=1))
    gamma: float = setting(number(above=0))

    def factor(self, epoch: float, max_epochs: int) -> float:  # noqa: D102
        return self.gamma ** (int(epoch) // self.step_epochs)


@dataclass(frozen=True)
class Exponential(Schedule):
    """Times `gamma` every epoch (torch's ExponentialLR)."""

    name = "exponential"
    gamma: float = setting(number(above=0))

    def factor(self, epoch: float, max_epochs: int) -> float:  # noqa: D102
        return self.gamma ** int(epoch)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from 1 to `final_fraction` over the whole training (Loshchilov & Hutter, 2017)."""

    name = "cosine"
    SPANS_TRAINING = True
    final_fraction: float = setting(number(least=0, most=1))

    def factor(self, epoch: float, max_epochs: int) -> float:  # noqa: D102
        return _half_cosine(1.0, self.final_fraction, epoch / max_epochs)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Half a cosine up from `start_fraction` to 1, during `rise_fraction` of the training, then one down.

    The optimizer's rate is the peak (Smith & Topin, 2018).
    """

    name = "one_cycle"
    SPANS_TRAINING = True
    start_fraction: float = setting(number(above=0, most=1))
    rise_fraction: float = setting(number(above=0, below=1))
    final_fraction: float = setting(number(least=0, most=1))

    def factor(self, epoch: float, max_epochs: int) -> float:  # noqa: D102
        done = epoch / max_epochs
        if done < self.rise_fraction:
            return _half_cosine(self.start_fraction, 1.0, done / self.rise_fraction)
        return _half_cosine(1.0, self.final_fraction, (done - self.rise_fraction) / (1 - self.rise_fraction))


@dataclass(frozen=True)
class Warmup(Schedule):
    """A line from a thousandth to 1 over the first `warmup_epochs`, then constant."""

    name = "warmup"
    warmup_epochs: float = setting(number(above=0))

    def factor(self, epoch: float, max_epochs: int) -> float:  # noqa: D102
        return min(1.0, 1e-3 + (1 - 1e-3) * epoch / self.warmup_epochs)


def _half_cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


SCHEDULES: dict[str, type[Schedule]] = by_name(Constant, Step, Exponential, Cosine, OneCycle, Warmup)


def schedule(name: str, **numbers: float) -> Schedule:
    """The schedule `name` with its numbers."""
    return named("schedule", SCHEDULES, name, numbers)
