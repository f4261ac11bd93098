"""Matrix products by the library that is faster at them on this processor.

Torch's own products in float32 are MKL's, which uses half of the width of a processor that is not Intel's: 100 GFLOP/s
on a core where oneDNN, which torch has as well, reaches 230. Torch's only way there is to allow it less precision; on a
processor that has no unit for that, oneDNN has nothing to gain from it and multiplies in float32 all the same. Whether
this is such a processor is not guessed: a product is compared with one in float64.

oneDNN needs some 15 us for a call. The choice is made by the size of one member's product, never by how many members
there are or how busy the machine is: so a run's numbers depend on the machine, as ever, and on nothing else. That is
also why MKL is asked for products that do not depend on the number of threads (see `mlp_study.__init__`), and why what
either of them would sum in another order for a member alone is done in another way here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

LARGE = 1e6  # operations of one member's product from which on a call is worth its price
LARGE_ON_AVERAGE = 4e6  # where all products of a network are to go one way
PER_THREAD = 4e6  # operations of a product that MKL's threads are to share, at least
LONG = 4096  # columns; of more, oneDNN lets its threads sum parts
EXACT = 1e-5  # of the largest entry; with 8 bits the error is 1e-3


def forward(weight: Tensor, x: Tensor, bias: Tensor | None) -> Tensor:
    """W x + b.

    Args:
        weight: (M, out, in).
        x: (M, in, B), or (1, in, B) where all M share it.
        bias: (M, out, 1).
    """
    num, columns = len(weight), x.shape[2]
    if not _is_for_onednn(weight, columns):
        return _small(weight, x.expand(num, -1, -1), bias)
    with _OneDNN():
        if len(x) == num:
            return torch.bmm(weight, x) if bias is None else torch.baddbmm(bias, weight, x)
        # One product, whose numbers are the same; MKL's would depend on M.
        rows = weight.flatten(0, 1)
        z = torch.mm(rows, x[0]) if bias is None else torch.addmm(bias.flatten(0, 1), rows, x[0])
        return z.view(num, -1, columns)


def backward_weight(grad: Tensor, x: Tensor, out: Tensor) -> None:
    """g x^T: (M, out, B) and (M or 1, in, B) -> `out` (M, out, in)."""
    num, columns = len(grad), x.shape[2]
    if columns > LONG:
        descend(grad, x, out.zero_())
    elif not _is_for_onednn(out, columns):
        _small(grad, x.mT.expand(num, -1, -1), out=out)
    else:
        with _OneDNN():
            if len(x) == num:
                torch.bmm(grad, x.mT, out=out)
            else:
                torch.mm(grad.reshape(-1, columns), x[0].T, out=out.flatten(0, 1))


def descend(grad: Tensor, x: Tensor, weight: Tensor) -> None:
    """`weight` (M, out, in) + g x^T, in place: the gradient itself, as large as the weights, is never written.

    Args:
        grad: (M, out, B), times minus the learning rate.
        x: (M or 1, in, B).
        weight: contiguous.
    """
    num, columns = len(grad), x.shape[2]
    if columns > LONG:
        for some, of_x in zip(grad.split(LONG, 2), x.split(LONG, 2), strict=True):
            descend(some, of_x, weight)
    elif not _is_for_onednn(weight, columns):
        _small(grad, x.mT.expand(num, -1, -1), bias=weight, out=weight)
    else:
        with _OneDNN():
            if len(x) == num:
                weight.baddbmm_(grad, x.mT)
            else:
                weight.flatten(0, 1).addmm_(grad.reshape(-1, columns), x[0].T)


def backward_input(weight: Tensor, grad: Tensor) -> Tensor:
    """W^T g: (M, out, in) and (M, out, B) -> (M, in, B)."""
    if not _is_for_onednn(weight, grad.shape[2]):
        return _small(weight.mT, grad)
    with _OneDNN():
        return torch.bmm(weight.mT, grad)


def _small(a: Tensor, b: Tensor, bias: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """a b, and bias."""
    num = len(a)
    if num == 1 and 1 in (a.shape[1], b.shape[2]):  # MKL has a routine for a vector, but none for several
        found = _small(a.expand(2, -1, -1), b.expand(2, -1, -1), bias)[:1]
        return found if out is None else out.copy_(found)
    threads = torch.get_num_threads()
    if threads <= num or a.device.type != "cpu":
        return torch.bmm(a, b, out=out) if bias is None else torch.baddbmm(bias, a, b, out=out)
    # With threads to spare, MKL divides a product; in double precision, or too thin, it then sums in another order.
    is_single = a.dtype == torch.float32
    of_each = max(1, int(_flops(a, b.shape[2]) / PER_THREAD)) if is_single else 1
    torch.set_num_threads(min(threads, num * of_each))
    try:
        return torch.bmm(a, b, out=out) if bias is None else torch.baddbmm(bias, a, b, out=out)
    finally:
        torch.set_num_threads(threads)


@contextmanager
def products_of(flops: float, device: torch.device) -> Iterator[None]:
    """For everything inside: the faster library for products of so many operations on average."""
    if flops < LARGE_ON_AVERAGE or device.type != "cpu" or not is_onednn_better():
        yield
        return
    with _OneDNN():
        yield


def is_large(weight: Tensor, columns: int) -> bool:
    """Whether a member's product of its weight (M, out, in) and so many columns is more than the call of it."""
    return _flops(weight, columns) >= LARGE


def _is_for_onednn(weight: Tensor, columns: int) -> bool:
    if not is_large(weight, columns) or weight.dtype != torch.float32 or weight.device.type != "cpu":
        return False
    return weight.shape[1] > 1 and is_onednn_better()


def _flops(weight: Tensor, columns: int) -> float:
    """Of one member's product of its weight (M, out, in) and so many columns."""
    _, rows, inner = weight.shape
    return 2.0 * rows * inner * columns


@cache
def is_onednn_better() -> bool:
    """Whether torch's oneDNN has the wider instructions, and multiplies exactly when asked in this way."""
    if (
        torch.backends.cpu.get_cpu_capability() != "AVX512"
        or _is_intel()
        or not hasattr(torch.backends.mkldnn, "matmul")
    ):
        return False
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(2, 96, 96, dtype=torch.float64, generator=generator) for _ in range(2))
    with _OneDNN():
        found = torch.bmm(a.float(), b.float())
    expected = torch.bmm(a, b)
    return float((found - expected).abs().max() / expected.abs().max()) < EXACT


def _is_intel() -> bool:
    """Whether the processor is one for which MKL does its best; also where that cannot be known."""
    try:
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return True


class _OneDNN:
    """Products inside go there. (contextlib's managers cost as much as a small product.)"""

    def __enter__(self) -> None:
        torch.backends.mkldnn.matmul.fp32_precision = "bf16"  # type: ignore[attr-defined]

    def __exit__(self, *raised: object) -> None:
        torch.backends.mkldnn.matmul.fp32_precision = "none"  # type: ignore[attr-defined]
