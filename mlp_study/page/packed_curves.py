"""The curves of all runs, as the page carries them: float32, within a budget, and a word on what is left out."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlp_study.page.reading_runs import ReadRun

FIRST = ("train_loss", "train_acc", "val_loss", "val_acc", "lr")
BUDGET = 8 * 2**20  # characters of base64


def curves(ranked: Sequence[tuple[int, ReadRun]], budget: int = BUDGET) -> dict[str, Any]:
    """Curves of runs, by their numbers; the best first, which are the last to lose something.

    Losses and accuracies of all runs come first, thinned evenly to so many epochs as there is room for; then, run after
    run, the statistics of layers.

    Returns:
        `columns`, names; `runs`: by number `epochs`, the epochs kept, `columns`, numbers of its columns, and `values`,
        base64 of little-endian float32, a column after the other; `left_out`, a sentence or nothing.
    """
    columns = [*FIRST, *sorted({c for _, run in ranked for c in run.columns} - {*FIRST})]
    places = {name: i for i, name in enumerate(columns)}
    num_first = sum(len([c for c in run.columns if c in FIRST]) * len(run.curves) for _, run in ranked)
    step = max(1, -(-num_first * 16 // 3 // budget))
    found, left, num_short = {}, budget, 0
    sizes = [_size(sum(c in FIRST for c in run.columns), len(run.curves), step) for _, run in ranked]
    left -= sum(sizes)
    for (number, run), size in zip(ranked, sizes, strict=True):
        if not len(run.curves):
            continue
        kept = [i for i, name in enumerate(run.columns) if name in FIRST]
        more = _size(len(run.columns), len(run.curves), step) - size
        if more <= left:
            left -= more
            kept = list(range(len(run.columns)))
        else:
            num_short += 1
        epochs = _epochs(len(run.curves), step)
        values = np.ascontiguousarray(run.curves[epochs - 1][:, kept].T, "<f4")
        found[str(number)] = {
            "epochs": len(run.curves),
            "columns": [places[run.columns[i]] for i in kept],
            "values": base64.b64encode(values.tobytes()).decode(),
        }
    said = [f"of each curve one epoch in {step} is drawn"] if step > 1 else []
    said += [f"statistics of layers are left out for the {num_short} runs that rank last"] if num_short else []
    return {"columns": columns, "step": step, "runs": found, "left_out": "; ".join(said)}


def _epochs(num: int, step: int) -> np.ndarray:
    """Those that are kept, from 1; the last one always is."""
    return np.unique([*range(1, num + 1, step), num]) if num else np.empty(0, int)


def _size(num_columns: int, num_epochs: int, step: int) -> int:
    return -(-num_columns * len(_epochs(num_epochs, step)) * 4 // 3) * 4
