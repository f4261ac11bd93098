"""The stacks that `make bench` times: how people really sweep, and the networks of the four documents."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlp_study.runs.run import Run
from mlp_study.sweeps.words import study_runs

FOUR_INITS = "init=glorot,small,large,zeros"
ONE_HUNDRED, TEN_TEN, SMALL, WIDE = (
    ("model.hidden=[100]",),
    ("model.hidden=[100,10]",),
    ("model.hidden=[20,15]", "data.batch_size=128"),
    ("model.hidden=[512,512]", "model.activation=relu", "data.batch_size=128"),
)


@dataclass(frozen=True)
class Row:
    """Networks that train together on MNIST.

    Attributes:
        name: what the table calls it.
        words: of the command line, which say the settings; the runs are repeated up to `num`.
        num: of networks.
        against: the row that it is a variation of, and how many times as long it may take.
    """

    name: str
    words: Sequence[str]
    num: int
    against: tuple[str, float] | None = None
    also: Sequence[str] = field(default=("logger=none", "data.val_fraction=0", "trainer.max_epochs=1"))

    def runs(self, limit: int | None = None) -> list[Run]:
        """The runs, each in a directory of its own; `limit` mini-batches an epoch."""
        words = [*self.also, *self.words, f"trainer.limit_train_batches={limit or 'null'}"]
        planned = study_runs(words, Path(tempfile.mkdtemp()))
        runs = sorted((planned[i % len(planned)] for i in range(self.num)), key=lambda run: run.config.seed)
        return [replace(run, folder=run.folder.with_name(f"{i}")) for i, run in enumerate(runs)]


def _wide(optim: str, against: str, times: float) -> Row:
    return Row(f"D: 5 seeds, {optim}", (*WIDE, f"optim={optim}", "seed=range(5)"), 5, (against, times))


def _small(optim: str) -> Row:
    return Row(
        f"A: 12 settings, {optim}", (*ONE_HUNDRED, f"optim={optim}", FOUR_INITS), 12, ("A: 12 settings, adam", 1.3)
    )


OTHERS = ("momentum", "nesterov", "rmsprop", "adagrad", "adadelta", "adamax", "nadam", "adamw")
ROWS = (
    Row("A: 12 settings, sgd", (*ONE_HUNDRED, "optim=sgd", FOUR_INITS), 12),
    Row("A: 12 seeds, sgd", (*ONE_HUNDRED, "optim=sgd", "seed=range(12)"), 12, ("A: 12 settings, sgd", 1.15)),
    Row("A: 12 settings, adam", (*ONE_HUNDRED, "optim=adam", FOUR_INITS), 12),
    Row("A: 12 seeds, adam", (*ONE_HUNDRED, "optim=adam", "seed=range(12)"), 12, ("A: 12 settings, adam", 1.15)),
    Row("A: 4 settings x 5 seeds, sgd", (*ONE_HUNDRED, "optim=sgd", FOUR_INITS, "seed=range(5)"), 20, ("A: 12 settings, sgd", 1.15)),
    *(_small(name) for name in OTHERS),
    Row("A+10: 12 cells, sgd, adam, nesterov", (*TEN_TEN, "optim=sgd,adam,nesterov", FOUR_INITS), 12),
    Row("A+10: 48, sgd, adam, nesterov", (*TEN_TEN, "optim=sgd,adam,nesterov", FOUR_INITS), 48),
    Row("A+10: 48, sgd", (*TEN_TEN, "optim=sgd", FOUR_INITS), 48),
    Row("B: 12 settings, sgd", (*SMALL, "optim=sgd", FOUR_INITS), 12),
    Row("D: 5 seeds, sgd", (*WIDE, "optim=sgd", "seed=range(5)"), 5),
    Row("D: 5 seeds, sgd, dropout .2", (*WIDE, "optim=sgd", "model.dropout=0.2", "seed=range(5)"), 5, ("D: 5 seeds, sgd", 1.3)),
    _wide("adam", "D: 5 seeds, sgd", 99),
    *(_wide(name, "D: 5 seeds, adam", 1.3) for name in OTHERS),
    Row("784-30-10, batch 10, sigmoid: 1 seed", ("model.hidden=[30]", "model.activation=sigmoid", "data.batch_size=10", "optim=sgd"), 1),
    Row("784-30-10, batch 10, sigmoid: 5 seeds", ("model.hidden=[30]", "model.activation=sigmoid", "data.batch_size=10", "optim=sgd", "seed=range(5)"), 5),
    Row("digits, 64-32-10, batch 32: 12 settings", ("data=digits", "model.hidden=[32]", "optim=sgd", FOUR_INITS), 12),
)  # fmt: skip
