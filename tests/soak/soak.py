"""Thousands of damaged files, seeded, each handed to what reads it: nothing but a UserError may come out.

    make soak ARGS="--num 3000 --seed 0 --kind scaler.npz last.ckpt"

Each is read in a few seconds and a bounded part of memory. What was read without complaint is counted too: a pixel with
a flipped bit is a pixel.
"""

import argparse
import faulthandler
import gzip
import io
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
from damaged import bounded
from mnist_part import idx_folder
from PIL import Image
from soak import damages

from mlp_study.config.sections import Arrays, Kaggle, Mnist
from mlp_study.data import image_files, kaggle, sources
from mlp_study.engines.trained import open_run
from mlp_study.errors import UserError
from mlp_study.execution.carry_out import carry_out
from mlp_study.figures.study_figures import drawings
from mlp_study.runs import cells, table
from mlp_study.runs.result import read_result
from mlp_study.runs.run import read_config
from mlp_study.sweeps.checks import check_ready
from mlp_study.sweeps.words import single_run, study_runs

MOST_SECONDS, MOST_MEBIBYTES = 5.0, 1024
QUICK = [
    "data=digits", "trainer.max_epochs=2", "trainer.limit_train_batches=2", "logger=none", "model.hidden=[4]",
    "callbacks=checkpoint",
]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A good file, the ways to damage it, and what reads it where it stands."""

    path: Path
    ways: list[damages.Damage]
    read: Callable[[Path], object]


def kinds(folder: Path) -> dict[str, Kind]:
    """All kinds, with good files below `folder`."""
    study = folder / "study"
    carry_out(study_runs([*QUICK, "seed=0,1", "optim=sgd,adam"], study), "stack")
    run = next(path.parent for path in sorted(study.glob("*/config.yaml")))
    shutil.copytree(run, folder / "run")
    run = folder / "run"
    (run / "classes.json").write_text('["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]\n')
    text, tree = damages.damaged_text, damages.damaged_tree
    binary = [damages.damaged_bytes]
    archive = [*binary, damages.inside_zip, damages.inside_zip]
    count = Counter[str]()

    def records(path: Path) -> None:
        count["records"] += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cells.LeftOut)
            table.table(study)  # of all runs, whatever one of them has become
            cells.table(cells.read_cells(study))
            if count["records"] % 10 == 0:
                drawings(study)
        for read in (read_config, read_result, open_run):
            read(path.parent)

    def opened(path: Path) -> None:
        open_run(run).outputs(np.zeros((2, 64)))

    found = {
        "result.json": Kind(first(study) / "result.json", [*binary, text, tree, tree], records),
        "config.yaml": Kind(first(study) / "config.yaml", [*binary, text, damages.damaged_yaml], records),
        "history.csv": Kind(first(study) / "history.csv", [*binary, text, text], records),
        "scaler.npz": Kind(run / "scaler.npz", archive, opened),
        "classes.json": Kind(run / "classes.json", [*binary, text, tree], opened),
        "last.ckpt": Kind(run / "checkpoints" / "last.ckpt", archive, opened),
    }
    return found | data(folder) | pictures(folder)


def first(study: Path) -> Path:
    """The first run of a study."""
    return min(path.parent for path in study.glob("*/config.yaml"))


def data(folder: Path) -> dict[str, Kind]:
    """Files of data sources: each is checked as before a run, and read."""
    config = single_run([*QUICK, "data.stratify=true", "data.batch_size=4"]).config
    common = {"stratify": True, "batch_size": 4, "val_fraction": 0.5}

    def check(source: object) -> None:
        check_ready(replace(config, data=source))
        sources.load(source)
        sources.training_pixels(source)

    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (30, 784)).astype(str).tolist()
    lines = [["label", *kaggle.PIXELS], *([str(i % 10), *row] for i, row in enumerate(rows))]
    csv = "\n".join(map(",".join, lines)).encode() + b"\n"
    (folder / "train.csv").write_bytes(csv)
    (folder / "train.csv.gz").write_bytes(gzip.compress(csv))
    arrays = {"X": rng.normal(size=(40, 3)), "y": np.array(["no", "yes"] * 20), "X_test": rng.normal(size=(4, 3))}
    np.savez(folder / "mine.npz", **arrays, y_test=np.array(["no", "yes"] * 2))
    np.savez_compressed(folder / "packed.npz", X=np.eye(40), y=np.arange(40) % 2)
    plain, packed = idx_folder(folder / "plain", 40, 20), idx_folder(folder / "packed", 40, 20)
    for path in packed.iterdir():
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    binary, name = [damages.damaged_bytes], "train-images-idx3-ubyte"
    archive = [*binary, damages.inside_zip, damages.inside_zip]
    return {
        "csv": Kind(
            folder / "train.csv",
            [*binary, damages.damaged_text, damages.damaged_text],
            lambda path: check(Kaggle(train_csv=str(path), test_csv=str(path), **common)),
        ),
        "csv.gz": Kind(
            folder / "train.csv.gz",
            [*binary, damages.inside_gzip],
            lambda path: check(Kaggle(train_csv=str(path), **common)),
        ),
        "npz": Kind(folder / "mine.npz", archive, lambda path: check(Arrays(file=str(path), **common))),
        "packed npz": Kind(folder / "packed.npz", archive, lambda path: check(Arrays(file=str(path), **common))),
        "idx": Kind(plain / name, binary, lambda path: check(Mnist(root=str(plain), **common))),
        "idx labels": Kind(
            plain / "train-labels-idx1-ubyte", binary, lambda path: check(Mnist(root=str(plain), **common))
        ),
        "idx.gz": Kind(
            packed / f"{name}.gz", [*binary, damages.inside_gzip], lambda path: check(Mnist(root=str(packed), **common))
        ),
    }


def pictures(folder: Path) -> dict[str, Kind]:
    """A digit in each format, once grey and once in colours where the format has both."""
    page = np.full((60, 50), 255, np.uint8)
    page[10:50, 20:26] = page[10:16, 12:40] = 30
    found = {}
    for format_ in ("png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm"):
        for mode in ("L", "RGB"):
            name, content = f"{format_} {mode}", io.BytesIO()
            Image.fromarray(page).convert(mode).save(content, format_.upper())
            path = folder / f"{format_}_{mode}"
            path.write_bytes(content.getvalue())
            found[name] = Kind(path, [damages.damaged_bytes], lambda path: image_files.read([path]))
    return found


def soak(
    num: int, seed: int = 0, only: Iterable[str] = (), say: Callable[[str], None] = print
) -> dict[str, Counter[str]]:
    """Damage `num` files, as many of each kind.

    Returns:
        For each kind how many were refused, read, and "wrong": what else came out, or too slowly. Of each wrong one a
        line, and a traceback, is said.
    """
    outcomes: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        found = {kind: value for kind, value in kinds(Path(name)).items() if not only or kind in only}
        with bounded(MOST_MEBIBYTES):
            for kind, value in found.items():
                good, count = value.path.read_bytes(), outcomes.setdefault(kind, Counter())
                value.read(value.path)  # as it is, it can be read
                for i in range(-(-num // len(found))):
                    number = f"{kind}, seed {seed}, number {i}"
                    random = Random(number)
                    value.path.write_bytes(random.choice(value.ways)(good, random))
                    wrong, started = None, time.perf_counter()
                    try:
                        value.read(value.path)
                        count["read"] += 1
                    except UserError as error:
                        count["refused"] += 1
                        wrong = (
                            "MemoryError"
                            if "MemoryError" in str(error)
                            else "two lines"
                            if "\n" in str(error)
                            else None
                        )
                    except Exception:
                        wrong = traceback.format_exc()
                    if time.perf_counter() - started > MOST_SECONDS:
                        wrong = f"took {time.perf_counter() - started:.1f} s"
                    if wrong:
                        count["wrong"] += 1
                        say(f"{number}: {wrong}")
                value.path.write_bytes(good)
    return outcomes


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=3000, help="damaged files (3000)")
    parser.add_argument("--seed", type=int, default=0, help="0")
    parser.add_argument("--kind", nargs="+", default=[], help="only these (all)")
    arguments = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("error")
    outcomes = soak(arguments.num, arguments.seed, arguments.kind, print)
    for kind, count in outcomes.items():
        print(f"{kind:14} refused {count['refused']:4}  read {count['read']:4}  wrong {count['wrong']:4}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{sum(map(Counter.total, outcomes.values()))} files, at most {peak:.0f} MiB of memory")
    sys.exit(any(count["wrong"] for count in outcomes.values()))
