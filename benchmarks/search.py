"""A search against a grid of the same space: what each finds, and what it costs.

    python -m benchmarks.search [--data mnist] [--epochs 12] [--repeats 5] [--folder outputs/benchmark-search]

The grid: 4 optimizers x 4 initializations x 3 learning rates, 5 seeds each. The search: 96 trials of one seed over the
same choices, with rates in between, halving on the way. What a search has found is trained with the 5 seeds of the grid
and compared with the grid's best setting, by the rule of the tables. A cost is counted in epochs,
which a busy machine does not change; training the finding with 5 seeds comes on top of it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mlp_study.runs.cells import Cell, best_first, read_cells
from mlp_study.runs.spread import Spread, clearly_below

OPTIMIZERS, INITIALIZATIONS = "sgd,momentum,adam,rmsprop", "glorot,he_normal,small,large"
GRID = [f"optim={OPTIMIZERS}", f"init={INITIALIZATIONS}", "optim.lr=0.001,0.01,0.1"]
SPACE = [f"optim=choice({OPTIMIZERS})", f"init=choice({INITIALIZATIONS})", "optim.lr=tag(log, interval(1e-4, 1))"]
METRIC = "best_val_acc"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A search against a grid of the same space.")
    parser.add_argument("--data", default="mnist", help="as in data=...; default %(default)s")
    parser.add_argument("--epochs", type=int, default=9, help="of a whole run; default %(default)s")
    parser.add_argument("--trials", type=int, default=96, help="of each search; default %(default)s")
    parser.add_argument("--first", type=int, help="epochs before a trial is first judged; default the sweeper's own")
    parser.add_argument("--seeds", type=int, default=5, help="of each setting of the grid; default %(default)s")
    parser.add_argument("--repeats", type=int, default=5, help="searches; default %(default)s")
    parser.add_argument("--folder", type=Path, default=Path("outputs/benchmark-search"), help="default %(default)s")
    arguments = parser.parse_args(argv)
    fixed = [f"data={arguments.data}", f"trainer.max_epochs={arguments.epochs}", "logger=none"]
    name = f"{arguments.data}-{arguments.epochs}"
    searched = name if arguments.first is None else f"{name}-first{arguments.first}"
    seeds = "seed=" + ",".join(map(str, range(arguments.seeds)))

    cells, seconds = trained([*GRID, seeds, *fixed], arguments.folder / f"{name}-grid")
    grid, cost = Spread(cells[0].accuracies), epochs(cells)
    num = sum(len(cell.results) for cell in cells)
    best = f"best {' '.join(words(cells[0]))}: {METRIC} {grid.text()}"
    print(f"grid: {num} runs, {cost} epochs, {seconds:.0f} s; {best}")
    rows = []
    for repeat in range(arguments.repeats):
        search = ["hydra/sweeper=search", f"hydra.sweeper.n_trials={arguments.trials}", f"hydra.sweeper.seed={repeat}"]
        if arguments.first is not None:
            search.append(f"hydra.sweeper.min_resource={arguments.first}")
        trials, seconds = trained([*SPACE, *fixed, *search], arguments.folder / f"{searched}-search-{repeat}")
        found = words(trials[0])
        (again,), _ = trained([*found, seeds, *fixed], arguments.folder / f"{searched}-found-{repeat}")
        spread = Spread(again.accuracies)
        rows.append({
            "search": repeat, "epochs": epochs(trials), "of the grid's": f"{100 * epochs(trials) / cost:.0f} %",
            "seconds": round(seconds), "found": " ".join(found), f"{METRIC}, {arguments.seeds} seeds": spread.text(),
            "clearly worse": clearly_below(spread, grid), "clearly better": clearly_below(grid, spread),
        })  # fmt: skip
    print(pd.DataFrame(rows).to_string(index=False))


def trained(command: Sequence[str], folder: Path) -> tuple[list[Cell], float]:
    """Run a sweep, or what is left of it; returns its settings, best first, and the seconds that it took."""
    begin = time.perf_counter()
    line = [sys.executable, "-m", "mlp_study.train", "-m", *command, f"hydra.sweep.dir={folder}"]
    ended = subprocess.run(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if ended.returncode:
        raise SystemExit(f"error: {' '.join(line)}: ended with {ended.returncode}")
    return best_first(read_cells(folder)), time.perf_counter() - begin


def epochs(cells: Sequence[Cell]) -> int:
    """That were trained for them all."""
    return sum(result.epochs for cell in cells for result in cell.results)


def words(cell: Cell) -> list[str]:
    """Its settings, as they are typed."""
    return [f"{key}={value}" for key, value in cell.settings.items()]


if __name__ == "__main__":
    main()
