"""What can be said of a search: the settings of `hydra/sweeper=search`."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from mlp_study.choices.choice import Section, setting
from mlp_study.choices.rules import integer, one_of, optional, text
from mlp_study.errors import UserError
from mlp_study.runs.halving import METRICS

SAMPLERS = ("tpe", "random", "qmc", "cmaes")
PRUNERS = ("halving", "hyperband", "none")


@dataclass(frozen=True)
class SearchSettings(Section):
    """The settings of a search.

    Attributes:
        sampler: tpe learns from the trials that have ended, cmaes too, for numbers alone; random does not, nor does
            qmc, which spreads trials evenly (Sobol's sequence, scrambled).
        n_trials: of the whole search.
        batch: trials that are asked for at once and trained together; the sampler learns from one batch to the next.
        seed: of the sampler. That of the networks is `seed`, as ever.
        metric: what is looked for: the largest accuracy, or the smallest loss.
        pruner: halving and hyperband let poor trials leave early, see `mlp_study.runs.halving`.
        min_resource: epochs before a trial is first judged; null makes it three times, if there are epochs enough.
        reduction_factor: one trial of so many goes on, for so many times as many epochs.
        storage: a file for optuna-dashboard, in the study's directory unless it is a whole path; null writes none.
    """

    sampler: str = setting(one_of(*SAMPLERS), "tpe")
    n_trials: int = setting(integer(least=1), 96)
    batch: int = setting(integer(least=1), 24)
    seed: int = setting(integer(least=0, most=2**32 - 1), 0)
    metric: str = setting(one_of(*METRICS), "best_val_acc")
    pruner: str = setting(one_of(*PRUNERS), "halving")
    min_resource: int | None = setting(optional(integer(least=1)), None)
    reduction_factor: int = setting(integer(least=2), 3)
    storage: str | None = setting(optional(text), "search.journal")

    def check(self) -> None:
        """See that what the search needs is installed.

        Raises:
            UserError: it is not.
        """
        for name, package in (("Optuna", "optuna"), ("cmaes", "cmaes")):
            if (package == "optuna" or self.sampler == package) and importlib.util.find_spec(package) is None:
                raise UserError(f"hydra/sweeper=search: needs {name}: pip install 'mlp_study[search]'")
