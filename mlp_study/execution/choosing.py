"""How many worker processes a sweep deserves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlp_study.execution.cost import seconds
from mlp_study.execution.local_workers import LocalWorkers
from mlp_study.machine import device_names, num_cores
from mlp_study.runs.run import Run

# A worker costs this many seconds of processor time before it trains; for less than that it is not worth it.
START = 4.0


def local(asked: int | str) -> Callable[[Sequence[Run]], LocalWorkers | None]:
    """What gives the workers of this machine for some runs; None where this process is to train them itself.

    Args:
        asked: how many, or "auto": one for each CUDA device, or where there is none for each core of the processor, as
            far as there is enough to do for it.
    """

    def hire(runs: Sequence[Run]) -> LocalWorkers | None:
        accelerator = runs[0].config.trainer.accelerator
        if asked == "auto":
            num = min(len(device_names(accelerator)) or num_cores(), int(sum(map(seconds, runs)) / (2 * START)))
        else:
            num = int(asked)
        num = min(num, len(runs))
        return LocalWorkers(num, accelerator) if num > 1 else None

    return hire
