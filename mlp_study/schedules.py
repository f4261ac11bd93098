"""Learning-rate schedules: by what the optimizer's own rate is multiplied at each step.

Each is a function of `epoch`, the training time in epochs as a real number (steps done / steps per epoch), and of the
planned number of epochs. The plain path hands it to torch's LambdaLR, the stacked path calls it per member.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial


def constant(epoch: float, max_epochs: int) -> float:
    """The rate stays as it is."""
    return 1.0


def step(epoch: float, max_epochs: int, step_epochs: int, gamma: float) -> float:
    """Times `gamma` every `step_epochs` epochs (torch's StepLR)."""
    return gamma ** (int(epoch) // step_epochs)


def exponential(epoch: float, max_epochs: int, gamma: float) -> float:
    """Times `gamma` every epoch (torch's ExponentialLR)."""
    return gamma ** int(epoch)


def cosine(epoch: float, max_epochs: int, final_fraction: float) -> float:
    """Half a cosine from 1 to `final_fraction` over the whole training (Loshchilov & Hutter, 2017)."""
    return _half_cosine(1.0, final_fraction, epoch / max_epochs)


def one_cycle(
    epoch: float, max_epochs: int, start_fraction: float, rise_fraction: float, final_fraction: float
) -> float:
    """Half a cosine up from `start_fraction` to 1, during `rise_fraction` of the training, then one down.

    The optimizer's rate is the peak (Smith & Topin, 2018).
    """
    done = epoch / max_epochs
    if done < rise_fraction:
        return _half_cosine(start_fraction, 1.0, done / rise_fraction)
    return _half_cosine(1.0, final_fraction, (done - rise_fraction) / (1 - rise_fraction))


def warmup(epoch: float, max_epochs: int, warmup_epochs: float) -> float:
    """A line from a thousandth to 1 over the first `warmup_epochs`, then constant."""
    return min(1.0, 1e-3 + (1 - 1e-3) * epoch / warmup_epochs)


def _half_cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


SCHEDULES: dict[str, Callable[..., float]] = {
    "constant": constant,
    "step": step,
    "exponential": exponential,
    "cosine": cosine,
    "one_cycle": one_cycle,
    "warmup": warmup,
}


def schedule(name: str, max_epochs: int, steps_per_epoch: int, **numbers: float) -> Callable[[int], float]:
    """A function from the number of steps done to the factor on the learning rate of the next one."""
    if name not in SCHEDULES:
        raise ValueError(f"schedule {name!r}: expected one of {', '.join(SCHEDULES)}")
    factor = partial(SCHEDULES[name], max_epochs=max_epochs, **numbers)
    return lambda steps: factor(steps / steps_per_epoch)
