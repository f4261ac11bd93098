"""Whether a network fits into this machine's memory: asked before one of its weights is drawn."""

from __future__ import annotations

from itertools import pairwise

from mlp_study.config.configuration import Config
from mlp_study.errors import UserError
from mlp_study.reading import GIB, physical_memory


def num_weights(hidden: tuple[int, ...], in_size: int, out_size: int) -> int:
    """Kernels and biases of the dense layers together."""
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise((in_size, *hidden, out_size)))


def check_fits(config: Config, in_size: int, out_size: int, is_trained: bool = True) -> None:
    """See that the weights fit, and if the network `is_trained`, their gradients and the optimizer's state beside them.

    Raises:
        UserError: they need more than this machine has, all programs together.
    """
    copies = 2 + config.optim.STATES if is_trained else 1
    total = num_weights(config.model.hidden, in_size, out_size)
    needed = total * copies * (8 if config.trainer.precision == "64-true" else 4)
    memory = physical_memory()
    if needed > memory:
        beside = ", which with gradients and the optimizer's state take" if is_trained else " take"
        raise UserError(
            f"model.hidden={list(config.model.hidden)}: {_count(total)} weights{beside} {_count(needed // GIB)} GiB; "
            f"this machine has {memory / GIB:.0f} GiB"
        )


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**15 else f"10^{len(str(number)) - 1}"
