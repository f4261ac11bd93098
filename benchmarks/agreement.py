"""Train the twelve-cell grid in float32 on all of MNIST, stacked and serially, and compare the results run by run.

    python -m benchmarks.agreement [FOLDER [OVERRIDE ...]]     (four minutes on two cores; default outputs/agreement)

Float32 sums differ in their last bits between the two, and training amplifies them: what the serial runs of other seeds
differ by says how much that means. The tests compare in float64, where nothing is amplified within two epochs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

import mlp_study as ms

GRID = ["optim=sgd,adam,nesterov", "init=glorot,small,large,zeros", "logger=none"]


def main(argv: Sequence[str] | None = None) -> None:
    words = list(sys.argv[1:] if argv is None else argv) or ["outputs/agreement"]
    folder, overrides = Path(words[0]), words[1:]
    for name, engine, extra in (
        ("stacked", "stack", []),
        ("basic", "lightning", []),
        ("seeds", "stack", ["seed=0,1,2,3,4"]),
    ):
        ms.sweep(*GRID, *overrides, *extra, folder=folder / name, engine=engine, progress=False)
    keys = ["optim", "init"]
    stacked, basic, seeds = (pd.read_csv(folder / name / "study.csv") for name in ("stacked", "basic", "seeds"))
    both = stacked.merge(basic, on=keys, suffixes=("_stacked", "_serial"))
    table = both[keys].copy()
    table["val_acc serial"] = both["val_acc_serial"]
    table["stacked - serial, points"] = 100 * (both["val_acc_stacked"] - both["val_acc_serial"])
    table["train_loss, difference"] = both["train_loss_stacked"] - both["train_loss_serial"]
    spread = seeds.groupby(keys)["val_acc"].std().mul(100).rename("std over 5 seeds, points").reset_index()
    print(table.merge(spread, on=keys).to_string(index=False, float_format=lambda value: f"{value:.3g}"))


if __name__ == "__main__":
    main()
