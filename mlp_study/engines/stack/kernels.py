"""The steps of members of equal settings without torch's bookkeeping, which takes longer than a small network's update.

`Optimizer.step` looks at its settings, groups its tensors and calls its hooks at every step: a hundred microseconds for
twenty of arithmetic. Here the same arithmetic is done on the optimizers' own state, for all the members at once, as far
as possible by torch's fused kernels, which pass once over the weights. Torch has them for SGD, Adagrad and Adam:

    m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2
    w <- w - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)

Two others are Adam in disguise. RMSprop is that with beta1 = 0, so that m is g, and with an endless t, for which the
corrections are gone. NAdam is two such steps: one with m, and one with g for m and a v that stays. Adamax and Adadelta
are passes over the weights, one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.optim import SGD, Adadelta, Adagrad, Adam, Adamax, NAdam, Optimizer, RMSprop

from mlp_study.engines.stack.aligned import aligned_zeros, is_aligned, stacked, whole

Step = Callable[[], None]

ENDLESS = 1e30  # steps after which no beta < 1 needs a correction
STAYS = math.nextafter(1.0, 0.0)  # a beta that changes nothing, and is gone after so many steps


class Scratch:
    """Tensors that are needed within a step: all steps of a stack use the same, so that they stay in the caches."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int, torch.Size], Tensor] = {}

    def like(self, parameters: Sequence[Tensor], number: int = 0) -> list[Tensor]:
        """One for each parameter, of its kind; others for another number."""
        return [self._kept.setdefault((number, i, p.shape), torch.empty_like(p)) for i, p in enumerate(parameters)]


class Kernel:
    """The step of optimizers of one kind whose settings are equal, rates included, as long as they are.

    Args:
        optimizers: of K members; one parameter group each, all of whose parameters have gradients.
        pairs: their parameters and gradients, (K, ...) each, the parameters as `aligned.aligned_zeros` makes them.
        scratch: of the stack.

    Attributes:
        group: the settings of all.
        parameters, gradients: (K, numbers) each.
    """

    def __init__(
        self, optimizers: Sequence[Optimizer], pairs: Sequence[tuple[Tensor, Tensor]], scratch: Scratch
    ) -> None:
        self._optimizers = optimizers
        self.group = optimizers[0].param_groups[0]
        self.scratch = scratch
        self.parameters = [whole(parameter) for parameter, _ in pairs]
        self.gradients: list[Tensor] = []
        self._copies: list[tuple[Tensor, Tensor]] = []  # a product can write only where there is no room in between
        for _, gradient in pairs:
            there = gradient
            if not is_aligned(gradient):
                there = aligned_zeros(len(gradient), gradient.shape[1:], gradient)
                self._copies.append((there, gradient))
            self.gradients.append(whole(there))

    def take_gradients(self) -> None:
        """Bring those to `gradients` that are elsewhere."""
        for there, gradient in self._copies:
            there.copy_(gradient)

    def states(self, name: str) -> list[Tensor]:
        """The optimizers' tensors of that name, zero where they have none yet: (K, numbers) for each parameter."""
        found = []
        for i in range(len(self.parameters)):
            own = [optimizer.param_groups[0]["params"][i] for optimizer in self._optimizers]
            kept = [o.state[p].get(name, torch.zeros_like(p)) for o, p in zip(self._optimizers, own, strict=True)]
            rows = stacked(kept)
            for optimizer, parameter, row in zip(self._optimizers, own, rows, strict=True):
                optimizer.state[parameter][name] = row
            found.append(whole(rows))
        return found

    def shared(self, name: str, start: float = 0.0, is_on_device: bool = False) -> Tensor:
        """A number that torch keeps for each parameter, and that is the same for all: one tensor."""
        first = self.group["params"][0]
        kept = torch.tensor(start, device=first.device) if is_on_device else torch.tensor(start, dtype=first.dtype)
        number = self._optimizers[0].state[first].get(name, kept)
        for optimizer in self._optimizers:
            for parameter in optimizer.param_groups[0]["params"]:
                optimizer.state[parameter][name] = number
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
    rho, eps = group["rho"], group["eps"]

    def step() -> None:
        count.add_(1)
        tensors = (kernel.parameters, kernel.gradients, squares, means, changes, divisors)
        for w, g, v, u, d, divisor in zip(*tensors, strict=True):
            v.mul_(rho).addcmul_(g, g, value=1 - rho)
            torch.add(v, eps, out=divisor)
            torch.add(u, eps, out=d).div_(divisor).sqrt_().mul_(g)
            u.mul_(rho).addcmul_(d, d, value=1 - rho)
            w.add_(d, alpha=-group["lr"])

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


def step_of(optimizers: Sequence[Optimizer], pairs: Sequence[tuple[Tensor, Tensor]], scratch: Scratch) -> Step:
    """What steps the optimizers of members of equal settings; see `Kernel`. To be made anew for other tensors."""
    is_on_cpu = pairs[0][0].device.type == "cpu"
    for kind, make in STEPS.items():
        if isinstance(optimizers[0], kind) and (is_on_cpu or kind not in ON_CPU_ONLY):
            kernel = Kernel(optimizers, pairs, scratch)
            return partial(_step, kernel, make(kernel))
    return partial(_torchs_own, optimizers)


def _step(kernel: Kernel, step: Step) -> None:
    kernel.take_gradients()
    step()


def _torchs_own(optimizers: Sequence[Optimizer]) -> None:
    for optimizer in optimizers:
        optimizer.step()
