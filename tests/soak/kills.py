"""Kill a sweep of 24 runs again and again, at random moments, each time started by the same words.

    make soak-kills ARGS="--kills 50 --seed 0"

With each engine in one process, and with two workers, where workers and parent are killed alike; by SIGKILL, and now
and then the parent by SIGTERM. What a sweep leaves is compared, byte for byte, with what one leaves that nobody
disturbed: every history.csv, every checkpoint, the table without its times; and nothing else may be left: no lock, no
snapshot, no unfinished file, no process.
"""

import argparse
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import NamedTuple

from mlp_study.engines import snapshot
from mlp_study.engines.snapshot import SNAPSHOT, Snapshot
from mlp_study.execution.carry_out import carry_out
from mlp_study.execution.choosing import START, local
from mlp_study.runs.listener import Listener, Worker
from mlp_study.runs.table import table
from mlp_study.sweeps.words import study_runs

WORDS = [
    "data=digits", "model.hidden=[12]", "model.activation=sigmoid,tanh", "model.dropout=0.3", "schedule=cosine",
    "optim=sgd,adam,rmsprop", "optim.lr=0.01,0.3", "seed=0,1", "callbacks=[checkpoint,early_stopping]",
    "callbacks.early_stopping.min_delta=0.01", "logger.images=0", "logger.histograms=false",
]  # fmt: skip
COUNTED = ("history.csv", "best.ckpt", "last.ckpt", "config.yaml", "summary.txt", "scaler.npz")
# 27 steps in an epoch, in many blocks; saved so often that most kills find a snapshot, a fresh one or an old one.
SETTINGS = ["trainer.snapshot_seconds=0.05", "data.batch_size=48", "trainer.steps_per_execution=8"]
LARGEST_SHARE = 0.2
WAYS = (("lightning", 1), ("stack", 1), ("stack", 2))


class Pids(Listener):
    """Writes who trains into a file beside the study."""

    def __init__(self, study: Path) -> None:
        self.path = study.with_suffix(".workers")
        self.path.write_text("")

    def taken(self, worker: Worker, names: Sequence[str]) -> None:
        with self.path.open("a") as file:
            file.write(f"{worker.pid}\n")


def train(study: Path, engine: str, num_epochs: int, num_workers: int) -> None:
    """The sweep, in a process of its own."""
    snapshot.LARGEST_SHARE = LARGEST_SHARE
    runs = study_runs([*WORDS, *SETTINGS, f"trainer.max_epochs={num_epochs}"], study)
    try:
        carry_out(runs, engine, Pids(study), workers=local(num_workers))
    except KeyboardInterrupt:
        os._exit(130)


def kill_one(process: BaseProcess, study: Path, random: Random) -> None:
    """Kill the sweep, or one of its workers."""
    path = study.with_suffix(".workers")
    workers = {int(pid) for pid in path.read_text().split()} if path.exists() else set()
    victim = random.choice([process.pid, *sorted(workers - {process.pid})])
    is_asked = victim == process.pid and random.random() < 0.3
    with suppress(ProcessLookupError):
        os.kill(victim or 0, signal.SIGTERM if is_asked else signal.SIGKILL)


def workers_left(study: Path) -> list[str]:
    """Those that are still there of its workers."""
    return [f"process {pid}" for pid in study.with_suffix(".workers").read_text().split() if is_worker(pid)]


def is_worker(pid: str) -> bool:
    """Whether the process is there, and a worker still."""
    try:
        return "local_workers" in Path("/proc", pid, "cmdline").read_text()
    except OSError:
        return False


def files(study: Path) -> dict[str, bytes]:
    """What counts of a study, by name."""
    found = [path for path in study.rglob("*") if path.name in COUNTED]
    return {str(path.relative_to(study)): path.read_bytes() for path in found}


def left_behind(study: Path) -> list[str]:
    """What should not be there any more."""
    names = [path.name for path in study.rglob("*")]
    return [name for name in names if name in (".lock", SNAPSHOT) or name.endswith((".tmp", ".aside"))]


def is_inside(study: Path) -> bool:
    """Whether what it goes on from lies inside an epoch."""
    states = [Snapshot.read(path).states for path in study.glob(f"*/{SNAPSHOT}")]
    return any("part" in state["network"] for found in states for state in found or ())


def differences(study: Path, undisturbed: Path) -> list[str]:
    """What tells two studies apart that should be one."""
    ours, theirs = files(study), files(undisturbed)
    found = [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
    tables = [table(folder).drop(columns="seconds") for folder in (study, undisturbed)]
    return [*found, *([] if tables[0].equals(tables[1]) else ["study.csv"]), *left_behind(study)]


class Outcome(NamedTuple):
    """How many kills, how many of them left a snapshot from inside an epoch, how many seconds the slowest end took, how
    many files were compared, and what differed."""

    kills: int
    inside: int
    slowest: float
    compared: int
    wrong: list[str]


def kill(engine: str, num_kills: int, seed: int, num_epochs: int, num_workers: int = 1) -> Outcome:
    """Kill the sweep `num_kills` times, in as many sweeps as that takes."""
    processes, random = multiprocessing.get_context("fork"), Random(seed)
    kills, inside, slowest, compared, wrong = 0, 0, 0.0, 0, []
    with tempfile.TemporaryDirectory() as name:
        undisturbed = Path(name, "undisturbed")
        started = time.monotonic()
        process = processes.Process(target=train, args=(undisturbed, engine, num_epochs, 1))
        process.start()
        process.join()
        longest = 0.5 * (time.monotonic() - started) + (START if num_workers > 1 else 0.0)
        while kills < num_kills:
            study, code = Path(name, f"killed-{kills}"), None
            while code != 0:
                process = processes.Process(target=train, args=(study, engine, num_epochs, num_workers))
                process.start()
                # Once all kills are done, the last sweep comes to its end.
                while kills < num_kills and process.is_alive():
                    process.join(random.uniform(0, longest))
                    if process.is_alive():
                        kill_one(process, study, random)
                        kills += 1
                        started = time.monotonic()
                process.join()
                code = process.exitcode
                if code not in (0, 130, -signal.SIGKILL, -signal.SIGTERM):  # the last one: before it trained
                    wrong.append(f"ended with {code}")
                    return Outcome(kills, inside, slowest, compared, wrong)
                if code != 0:
                    slowest = max(slowest, time.monotonic() - started)
                inside += is_inside(study)
            wrong += [*differences(study, undisturbed), *workers_left(study)]
            compared += len(files(study))
    return Outcome(kills, inside, slowest, compared, wrong)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="with each engine, and with workers (50)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("--epochs", type=int, default=30, help="of each run (30)")
    arguments = parser.parse_args()
    failed = False
    for engine, num_workers in WAYS:
        found = kill(engine, arguments.kills, arguments.seed, arguments.epochs, num_workers)
        failed |= bool(found.wrong)
        name = engine if num_workers == 1 else f"{engine}, {num_workers} workers"
        print(
            f"{name:16} {found.kills} kills, {found.inside} gone on from inside an epoch, the slowest end "
            f"{found.slowest:.1f} s; {found.compared} files compared, "
            f"{len(found.wrong)} differ {' '.join(found.wrong[:5])}"
        )
    sys.exit(failed)


if __name__ == "__main__":
    main()
