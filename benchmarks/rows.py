"""The stacks that `make bench` times: how people really sweep, and the networks of the four documents."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import torch

from mlp_study.config import Config
from mlp_study.engines.image_data import ImageData
from mlp_study.runs.run import Run
from mlp_study.sweeps.words import study_runs

FOUR_INITS = "init=glorot,small,large,zeros"
ONE_HUNDRED = ("model.hidden=[100]",)
TEN_TEN = ("model.hidden=[100,10]",)
SMALL = ("model.hidden=[20,15]", "data.batch_size=128")
WIDE = ("model.hidden=[512,512]", "model.activation=relu", "data.batch_size=128")
TINY = ("model.hidden=[30]", "model.activation=sigmoid", "data.batch_size=10")
ALWAYS = ("logger=none", "data.val_fraction=0", "trainer.max_epochs=1")


@dataclass(frozen=True)
class Row:
    """Networks that train together on MNIST.

    Attributes:
        name: what the table calls it.
        words: of the command line, which say the settings; the runs are repeated up to `num`.
        num: of networks.
        against: the row that it is a variation of, and how many times as long it is meant to take at most.
        is_beside_keras: whether Keras is timed, too, which takes long.
    """

    name: str
    words: Sequence[str]
    num: int
    against: tuple[str, float] | None = None
    is_beside_keras: bool = False

    def runs(self, limit: int | None = None) -> list[Run]:
        """The runs, each in a directory of its own; `limit` mini-batches an epoch."""
        words = [*ALWAYS, *self.words, f"trainer.limit_train_batches={limit or 'null'}"]
        planned = study_runs(words, Path(tempfile.mkdtemp()))
        runs = sorted((planned[i % len(planned)] for i in range(self.num)), key=lambda run: run.config.seed)
        return [replace(run, folder=run.folder.with_name(f"{i}")) for i, run in enumerate(runs)]

    @cached_property
    def configs(self) -> list[Config]:
        """The runs' settings."""
        return [run.config for run in self.runs()]

    @cached_property
    def widths(self) -> list[int]:
        """Inputs, hidden units, classes."""
        return [self.images()[0].shape[1], *self.configs[0].model.hidden, 10]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Inputs and outputs of every layer."""
        return list(pairwise(self.widths))

    @property
    def has_own_batches(self) -> bool:
        """Whether the networks are of several seeds, and see different batches."""
        return len({config.seed for config in self.configs}) > 1

    @property
    def dropout(self) -> float:
        """Its rate, behind every hidden layer."""
        return self.configs[0].model.rates[0]

    def images(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What they are trained on, and its labels."""
        return ImageData.of(self.configs[0], torch.device("cpu")).train


def _settings(optim: str, against: tuple[str, float] | None = None, is_beside_keras: bool = False) -> Row:
    words = (*ONE_HUNDRED, f"optim={optim}", FOUR_INITS)
    return Row(f"A: 12 settings, {optim}", words, 12, against, is_beside_keras)


def _seeds(optim: str) -> Row:
    words = (*ONE_HUNDRED, f"optim={optim}", "seed=range(12)")
    return Row(f"A: 12 seeds, {optim}", words, 12, (f"A: 12 settings, {optim}", 1.15))


def _wide(
    optim: str, against: tuple[str, float] | None = None, dropout: float = 0, is_beside_keras: bool = False
) -> Row:
    words = (*WIDE, f"optim={optim}", f"model.dropout={dropout}", "seed=range(5)")
    name = f"D: 5 seeds, {optim}" + (f", dropout {dropout}" if dropout else "")
    return Row(name, words, 5, against, is_beside_keras)


OTHERS = ("momentum", "nesterov", "rmsprop", "adagrad", "adadelta", "adamax", "nadam", "adamw")
CELLS = Row("784-100-10-10: 12 cells", (*TEN_TEN, "optim=sgd,adam,nesterov", FOUR_INITS), 12)
CELLS_48 = replace(CELLS, name="784-100-10-10: 48 cells", num=48)
SGD_48 = Row("784-100-10-10: 48 cells, sgd", (*TEN_TEN, "optim=sgd", FOUR_INITS), 48)
ROWS = (
    _settings("sgd", is_beside_keras=True),
    _seeds("sgd"),
    Row(
        "A: 4 settings x 5 seeds, sgd",
        (*ONE_HUNDRED, "optim=sgd", FOUR_INITS, "seed=range(5)"),
        20,
        ("A: 12 settings, sgd", 1.15),
    ),
    _settings("adam", is_beside_keras=True),
    _seeds("adam"),
    *(_settings(name, ("A: 12 settings, adam", 1.3)) for name in OTHERS),
    CELLS,
    CELLS_48,
    SGD_48,
    Row("B: 784-20-15-10: 12 settings, sgd", (*SMALL, "optim=sgd", FOUR_INITS), 12, None, True),
    _wide("sgd"),
    _wide("sgd", ("D: 5 seeds, sgd", 1.3), 0.2, True),
    _wide("adam"),
    _wide("adam", ("D: 5 seeds, adam", 1.3), 0.2, True),
    *(_wide(name, ("D: 5 seeds, adam", 1.3)) for name in OTHERS),
    Row("784-30-10, batch 10: 1 seed", (*TINY, "optim=sgd"), 1, None, True),
    Row("784-30-10, batch 10: 5 seeds", (*TINY, "optim=sgd", "seed=range(5)"), 5),
    Row("digits, 64-32-10: 12 settings", ("data=digits", "model.hidden=[32]", "optim=sgd", FOUR_INITS), 12, None, True),
)


def named(name: str) -> Row:
    """The row of that name."""
    return next(row for row in ROWS if row.name == name)
