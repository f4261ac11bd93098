"""What trains: the device, how many threads of the processor."""

from __future__ import annotations

import os
from functools import cache

import torch

from mlp_study.config.sections import Trainer
from mlp_study.errors import UserError
from mlp_study.nets.mlp import MLP

# Arithmetic that keeps a thread busy for about a millisecond: below it, a second thread gains a fifth on an idle
# machine and loses a factor of ten and more on a busy one, where the threads of each step wait for one another.
FLOPS_PER_THREAD = 50e6


def pick_device(trainer: Trainer, number: int = 0) -> torch.device:
    """The device that task `number` trains on: CUDA devices in turn where there are any, else the CPU.

    Raises:
        UserError: CUDA was asked for and there is none.
    """
    num_cuda = torch.cuda.device_count()
    if trainer.accelerator == "cuda" and num_cuda == 0:
        raise UserError("trainer.accelerator='cuda': no CUDA device was found; expected auto or cpu")
    return torch.device("cuda", number % num_cuda) if num_cuda and trainer.accelerator != "cpu" else torch.device("cpu")


def be_deterministic(is_asked: bool) -> None:
    """Let torch refuse what has no deterministic way; as Lightning's Trainer(deterministic=True) does.

    That, and torch's own `use_deterministic_algorithms`, tell torch's compiler so, too, for whose import they need a
    second.
    """
    if is_asked:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # which cuBLAS asks for
    torch.set_deterministic_debug_mode("error" if is_asked else "default")


def prepare_processor() -> None:
    """Let numbers below the smallest normal one (1e-38 in float32) be zero; threads started later inherit it.

    Where gradients vanish, Adam's moments decay into that range and, rounded up there, never leave it; a processor
    then takes ten times as long for a step (measured: 440 us instead of 60 for 78,400 weights).
    """
    torch.set_flush_denormal(True)
    _all_threads()


@cache
def _all_threads() -> int:
    """As many as torch had when it was first asked, before anybody changed it."""
    return torch.get_num_threads()


def num_threads(flops: float) -> int:
    """As many threads as a step of so many operations deserves; never more than torch had at the start."""
    return max(1, min(_all_threads(), int(flops / FLOPS_PER_THREAD)))


def flops_per_step(mlp: MLP, batch_size: int) -> float:
    """Floating-point operations of one training step: a product forward and two backward for every kernel."""
    return 6.0 * batch_size * sum(layer.weight.numel() for layer in mlp.dense.values())
