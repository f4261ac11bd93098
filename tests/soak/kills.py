"""Kill a sweep of 24 runs with SIGKILL again and again, at random moments, each time started by the same words.

    make soak-kills ARGS="--kills 50 --seed 0"

What it leaves is compared, byte for byte, with what a sweep leaves that nobody disturbed: every history.csv, every
checkpoint, the table without its times; and nothing else may be left: no lock, no snapshot, no unfinished file.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from mlp_study.engines.snapshot import SNAPSHOT
from mlp_study.execution.carry_out import ENGINES, carry_out
from mlp_study.runs.table import table
from mlp_study.sweeps.words import study_runs

WORDS = [
    "data=digits", "model.hidden=[12]", "model.activation=sigmoid,tanh", "model.dropout=0.3", "schedule=cosine",
    "optim=sgd,adam,rmsprop", "optim.lr=0.01,0.3", "seed=0,1", "callbacks=[checkpoint,early_stopping]",
    "callbacks.early_stopping.min_delta=0.01", "logger.images=0", "logger.histograms=false",
]  # fmt: skip
COUNTED = ("history.csv", "best.ckpt", "last.ckpt", "config.yaml", "summary.txt", "scaler.npz")
# Saved as often as that costs little, so that some kills find a fresh snapshot and some an old one or none.
SETTINGS = ["trainer.snapshot_seconds=0.05", "trainer.limit_train_batches=10"]


def train(study: Path, engine: str, num_epochs: int) -> None:
    """The sweep, in this process."""
    carry_out(study_runs([*WORDS, *SETTINGS, f"trainer.max_epochs={num_epochs}"], study), engine)


def files(study: Path) -> dict[str, bytes]:
    """What counts of a study, by name."""
    found = [path for path in study.rglob("*") if path.name in COUNTED]
    return {str(path.relative_to(study)): path.read_bytes() for path in found}


def left_behind(study: Path) -> list[str]:
    """What should not be there any more."""
    names = [path.name for path in study.rglob("*")]
    return [name for name in names if name in (".lock", SNAPSHOT) or name.endswith((".tmp", ".aside"))]


def differences(study: Path, undisturbed: Path) -> list[str]:
    """What tells two studies apart that should be one."""
    ours, theirs = files(study), files(undisturbed)
    found = [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
    tables = [table(folder).drop(columns="seconds") for folder in (study, undisturbed)]
    return [*found, *([] if tables[0].equals(tables[1]) else ["study.csv"]), *left_behind(study)]


def kill(engine: str, num_kills: int, seed: int, num_epochs: int) -> tuple[int, int, list[str]]:
    """Kill the sweep `num_kills` times, in as many sweeps as that takes.

    Returns:
        How often it was killed, how many files were compared, and what differed.
    """
    processes, random = multiprocessing.get_context("fork"), Random(seed)
    kills, compared, wrong = 0, 0, []
    with tempfile.TemporaryDirectory() as name:
        undisturbed = Path(name, "undisturbed")
        started = time.monotonic()
        train(undisturbed, engine, num_epochs)
        seconds = time.monotonic() - started
        while kills < num_kills:
            study, code = Path(name, f"killed-{kills}"), None
            while code != 0:
                process = processes.Process(target=train, args=(study, engine, num_epochs))
                process.start()
                # Once all kills are done, the last sweep comes to its end.
                process.join(random.uniform(0, 0.5 * seconds) if kills < num_kills else None)
                if process.is_alive():
                    process.kill()
                    kills += 1
                process.join()
                code = process.exitcode
                if code not in (0, -9):
                    return kills, compared, [*wrong, f"ended with {code}"]
            wrong += differences(study, undisturbed)
            compared += len(files(study))
    return kills, compared, wrong


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="with each engine (50)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("--epochs", type=int, default=30, help="of each run (30)")
    arguments = parser.parse_args()
    failed = False
    for engine in ENGINES:
        kills, compared, wrong = kill(engine, arguments.kills, arguments.seed, arguments.epochs)
        failed |= bool(wrong)
        print(f"{engine:10} {kills} kills, {compared} files compared, {len(wrong)} differ {' '.join(wrong[:5])}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
