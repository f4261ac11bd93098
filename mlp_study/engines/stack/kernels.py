"""One member's step without torch's bookkeeping, which takes longer than a small network's update.

`Optimizer.step` looks at its settings, groups its tensors and calls its hooks at every step: a hundred microseconds for
twenty of arithmetic. Here the same arithmetic is done on the optimizer's own state, as far as possible by torch's fused
kernels, which pass once over the weights. Torch has them for SGD, Adagrad and Adam:

    m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2
    w <- w - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)

Three others are Adam in disguise. RMSprop is that with beta1 = 0, so that m is g, and with an endless t, for which the
corrections are gone. NAdam is two such steps: one with m, and one with g for m and a v that stays. The end of an
Adadelta step is one for g = m = its change and v = the mean of its changes' squares, with an eps and an lr so large
that the root is nothing beside them. Adamax, and the rest of Adadelta, are passes over the weights, one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim import SGD, Adadelta, Adagrad, Adam, Adamax, NAdam, Optimizer, RMSprop

Step = Callable[[], None]

ENDLESS = 1e30  # steps after which no beta < 1 needs a correction
STAYS = math.nextafter(1.0, 0.0)  # a beta that changes nothing, and is gone after so many steps
HUGE = 2.0**100  # beside it a root of squares is nothing; a power of two loses no digit


class Scratch:
    """Tensors that are needed within a step: all members use the same, so that they stay in the caches."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int, torch.Size], Tensor] = {}

    def like(self, parameters: Sequence[Tensor], number: int = 0) -> list[Tensor]:
        """One for each parameter, of its kind; others for another number."""
        return [self._kept.setdefault((number, i, p.shape), torch.empty_like(p)) for i, p in enumerate(parameters)]


class Kernel:
    """The step of one optimizer, all of whose parameters have gradients; to be made anew when these change.

    Args:
        optimizer: one parameter group, whose `lr` may change.
        scratch: of the stack.
    """

    def __init__(self, optimizer: Optimizer, scratch: Scratch) -> None:
        self._state = optimizer.state
        self.group = optimizer.param_groups[0]
        self.parameters = list(self.group["params"])
        self.gradients = [parameter.grad for parameter in self.parameters]
        self.scratch = scratch

    def states(self, name: str) -> list[Tensor]:
        """The optimizer's tensors of that name, zero where it has none yet."""
        return [self._state[p].setdefault(name, torch.zeros_like(p)) for p in self.parameters]

    def shared(self, name: str, start: float = 0.0, is_on_device: bool = False) -> Tensor:
        """A number that torch keeps for each parameter, and that is the same for all: one tensor."""
        first = self.parameters[0]
        kept = torch.tensor(start, device=first.device) if is_on_device else torch.tensor(start, dtype=first.dtype)
        number = self._state[first].setdefault(name, kept)
        for parameter in self.parameters:
            self._state[parameter][name] = number
        return number

    def endless(self) -> Tensor:
        """A count of steps for which nothing is corrected."""
        return torch.tensor(ENDLESS, device=self.parameters[0].device)

    def adam(
        self,
        gradients: list[Tensor],
        means: list[Tensor],
        squares: list[Tensor],
        count: Tensor,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float = 0.0,
        is_decoupled: bool = False,
    ) -> None:
        """The update above; `means` may be `gradients` where beta1 is 0."""
        kernel = torch._fused_adamw_ if is_decoupled else torch._fused_adam_
        kernel(
            self.parameters, gradients, means, squares, [], [count] * len(means), lr=lr, beta1=beta1, beta2=beta2,
            eps=eps, weight_decay=weight_decay, amsgrad=False, maximize=False,
        )  # fmt: skip


def _sgd(kernel: Kernel) -> Step:
    group = kernel.group
    # From zero, a momentum buffer is after its first step what torch makes it: the gradient.
    buffers = kernel.states("momentum_buffer") if group["momentum"] else []
    numbers = {key: group[key] for key in ("weight_decay", "momentum", "dampening", "nesterov", "maximize")}

    def step() -> None:
        torch._fused_sgd_(
            kernel.parameters, kernel.gradients, buffers, lr=group["lr"], is_first_step=False, **numbers
        )  # fmt: skip

    return step


def _adam(kernel: Kernel) -> Step:
    group = kernel.group
    means, squares = kernel.states("exp_avg"), kernel.states("exp_avg_sq")
    count = kernel.shared("step", is_on_device=True)
    (beta1, beta2), eps = group["betas"], group["eps"]
    decay, is_decoupled = group["weight_decay"], group["decoupled_weight_decay"]

    def step() -> None:
        count.add_(1)
        kernel.adam(kernel.gradients, means, squares, count, group["lr"], beta1, beta2, eps, decay, is_decoupled)

    return step


def _rmsprop(kernel: Kernel) -> Step:
    group, gradients = kernel.group, kernel.gradients
    squares, count, endless = kernel.states("square_avg"), kernel.shared("step"), kernel.endless()

    def step() -> None:
        count.add_(1)
        kernel.adam(gradients, gradients, squares, endless, group["lr"], 0.0, group["alpha"], group["eps"])

    return step


def _nadam(kernel: Kernel) -> Step:
    group, gradients = kernel.group, kernel.gradients
    means, squares = kernel.states("exp_avg"), kernel.states("exp_avg_sq")
    count, product = kernel.shared("step"), kernel.shared("mu_product", start=1.0)
    endless = kernel.endless()
    count_there = torch.zeros_like(endless)
    (beta1, beta2), eps = group["betas"], group["eps"]

    def step() -> None:
        count.add_(1)
        t = float(count)
        now, then = (beta1 * (1 - 0.5 * 0.96 ** (i * group["momentum_decay"])) for i in (t, t + 1))
        so_far = float(product.mul_(now))
        of_mean = group["lr"] * then / (1 - so_far * then) * (1 - beta1**t)
        kernel.adam(gradients, means, squares, count_there.fill_(t), of_mean, beta1, beta2, eps)
        root = math.sqrt(1 - beta2**t)
        of_gradient = group["lr"] * (1 - now) / (1 - so_far) * root
        kernel.adam(gradients, gradients, squares, endless, of_gradient, 0.0, STAYS, eps * root)

    return step


def _adagrad(kernel: Kernel) -> Step:
    group = kernel.group
    sums, count = kernel.states("sum"), kernel.shared("step")
    counts = [count] * len(sums)
    numbers = {key: group[key] for key in ("lr_decay", "weight_decay", "eps", "maximize")}

    def step() -> None:
        count.add_(1)
        torch._fused_adagrad_(kernel.parameters, kernel.gradients, sums, counts, lr=group["lr"], **numbers)

    return step


def _adamax(kernel: Kernel) -> Step:
    group = kernel.group
    means, bounds, count = kernel.states("exp_avg"), kernel.states("exp_inf"), kernel.shared("step")
    sizes = kernel.scratch.like(kernel.parameters)
    (beta1, beta2), eps = group["betas"], group["eps"]

    def step() -> None:
        count.add_(1)
        rate = group["lr"] / (1 - beta1 ** float(count))
        for w, g, m, u, size in zip(kernel.parameters, kernel.gradients, means, bounds, sizes, strict=True):
            m.lerp_(g, 1 - beta1)
            torch.abs(g, out=size).add_(eps)
            torch.maximum(u.mul_(beta2), size, out=u)
            w.addcdiv_(m, u, value=-rate)

    return step


def _adadelta(kernel: Kernel) -> Step:
    group = kernel.group
    squares, means, count = kernel.states("square_avg"), kernel.states("acc_delta"), kernel.shared("step")
    changes, divisors = kernel.scratch.like(kernel.parameters), kernel.scratch.like(kernel.parameters, 1)
    endless, rho, eps = kernel.endless(), group["rho"], group["eps"]

    def step() -> None:
        count.add_(1)
        for g, v, u, d, divisor in zip(kernel.gradients, squares, means, changes, divisors, strict=True):
            v.mul_(rho).addcmul_(g, g, value=1 - rho)
            torch.add(v, eps, out=divisor)
            torch.add(u, eps, out=d).div_(divisor).sqrt_().mul_(g)
        kernel.adam(changes, changes, means, endless, group["lr"] * HUGE, 0.0, rho, HUGE)

    return step


STEPS: dict[type[Optimizer], Callable[[Kernel], Step]] = {
    SGD: _sgd,
    Adam: _adam,
    RMSprop: _rmsprop,
    NAdam: _nadam,
    Adagrad: _adagrad,
    Adamax: _adamax,
    Adadelta: _adadelta,
}


# Not every torch has Adagrad's kernel for CUDA, and in float32 Adam's rounds a beta that stays to 1, and divides by 0.
ON_CPU_ONLY = (Adagrad, NAdam)


def step_of(optimizer: Optimizer, scratch: Scratch) -> Step:
    """What steps an optimizer; see `Kernel`."""
    kernel = Kernel(optimizer, scratch)
    is_on_cpu = kernel.parameters[0].device.type == "cpu"
    for kind, make in STEPS.items():
        if isinstance(optimizer, kind) and (is_on_cpu or kind not in ON_CPU_ONLY):
            return make(kernel)
    return optimizer.step
