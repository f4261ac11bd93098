"""mlp_study: what makes a multilayer perceptron train, and what stops it?

    import mlp_study as ms

    study = ms.sweep("optim=sgd,adam", "init=glorot,zeros", "seed=0,1,2", folder="outputs/mine")
    study.table(over_seeds=True)
    run = study.best()
    run.history(), run.model()

The words are those of the command line. Importing this costs neither torch nor pandas: what is used is imported then.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlp_study.version import __version__

if TYPE_CHECKING:
    from mlp_study.door.actions import open, sweep, train
    from mlp_study.door.study import Cell, Study
    from mlp_study.door.trained_run import Run
    from mlp_study.errors import RunsFailed, UserError
    from mlp_study.nets.mlp import MLP
    from mlp_study.nets.specs import batch_norm, dense, dropout

# MKL reads it once, at torch's first use of it: a product's bits then do not depend on how many threads share it.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

_HOMES = {
    "sweep": "door.actions",
    "train": "door.actions",
    "open": "door.actions",
    "Study": "door.study",
    "Cell": "door.study",
    "Run": "door.trained_run",
    "UserError": "errors",
    "RunsFailed": "errors",
    "MLP": "nets.mlp",
    "dense": "nets.specs",
    "dropout": "nets.specs",
    "batch_norm": "nets.specs",
}

__all__ = [
    "MLP", "Cell", "Run", "RunsFailed", "Study", "UserError",
    "__version__", "batch_norm", "dense", "dropout", "open", "sweep", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
