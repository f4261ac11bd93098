"""Which settings to try next: Optuna's samplers through ask and tell, none of them twice.

The sampler is asked for every trial from the first on, also of those whose directories are there already, and told how
they ended: with the same seed and the same results it answers the same, so that a search that was killed goes on as if
it had not been. Where a directory holds other settings (of another sampler, say), those count.
"""

from __future__ import annotations

import itertools
import math
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from mlp_study.files import replaced
from mlp_study.runs.halving import is_accuracy
from mlp_study.search.search_settings import SearchSettings
from mlp_study.search.space import Dimension, Space, Trial

MOST_TRIES = 20  # to be given a trial that is new; then one is drawn
MOST_LISTED = 10_000  # settings of a space that are listed to find a new one
WORST_LOSS = 1e3  # what is said of a run that diverged; where it diverges, see `mlp_study.engines.judge`

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "fail": TrialState.FAIL}


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        state: complete, pruned or fail, as Optuna has it.
        value: of the metric; None for fail.
        at_rungs: the metric after the epochs of rungs.
        status: what the run's record says.
    """

    state: str
    value: float | None
    at_rungs: Mapping[int, float]
    status: str


class Asker:
    """Of one search.

    Args:
        space: what there is to choose from.
        settings: of the search.
    """

    def __init__(self, space: Space, settings: SearchSettings) -> None:
        self.space, self.settings = space, settings
        self._distributions = {each.key: _distribution(each) for each in space.dimensions}
        self._direction: Literal["maximize", "minimize"] = "maximize" if is_accuracy(settings.metric) else "minimize"
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with _quiet():
            self._study = optuna.create_study(direction=self._direction, sampler=self._sampler())
        self._points = _sobol(space, settings) if settings.sampler == "qmc" else None
        self._seen: set[tuple[str, ...]] = set()
        self._waiting: dict[int, tuple[Trial, optuna.Trial | None]] = {}
        self.ended: list[FrozenTrial] = []

    def ask(self, numbers: Sequence[int], known: Mapping[int, Trial]) -> list[Trial]:
        """The trials of these numbers; those that are `known` are what they were."""
        with _quiet():
            return [self._ask(number, known.get(number)) for number in numbers]

    def _ask(self, number: int, known: Trial | None) -> Trial:
        trial, asked = self._next(number)
        if known is not None and known != trial:
            self._drop(asked)
            trial, asked = known, None
        self._seen.add(tuple(trial.values()))
        self._waiting[number] = trial, asked
        return trial

    def _next(self, number: int) -> tuple[Trial, optuna.Trial | None]:
        if self._points is not None:
            shares = self._points[number]
            values = {each.key: each.at(share) for each, share in zip(self.space.dimensions, shares, strict=True)}
            if self._is_new(trial := self.space.trial(values)):
                return trial, None
        else:
            for _ in range(MOST_TRIES):
                asked = self._study.ask(self._distributions)
                if self._is_new(trial := self.space.trial(asked.params)):
                    return trial, asked
                self._drop(asked)
        return self._drawn(number), None

    def _drawn(self, number: int) -> Trial:
        """A new trial, whatever the sampler says; there is one."""
        chance = random.Random(f"{self.settings.seed} {number}")
        every = [[each.text(each.low + each.step * i) for i in range(int(each.num_values))] if not each.choices
                 else list(each.choices) for each in self.space.dimensions
                 ] if self.space.num_settings <= MOST_LISTED else []  # fmt: skip
        keys = [each.key for each in self.space.dimensions]
        if every:
            return dict(
                zip(keys, chance.choice([t for t in itertools.product(*every) if t not in self._seen]), strict=True)
            )
        while True:
            values = {each.key: each.at(chance.random()) for each in self.space.dimensions}
            if self._is_new(trial := self.space.trial(values)):
                return trial

    def _is_new(self, trial: Trial) -> bool:
        return tuple(trial.values()) not in self._seen

    def _drop(self, asked: optuna.Trial | None) -> None:
        if asked is not None:
            self._study.tell(asked, state=TrialState.FAIL)

    def tell(self, number: int, outcome: Outcome) -> None:
        """How a trial ended."""
        trial, asked = self._waiting.pop(number)
        state = STATES[outcome.state]
        ended = create_trial(
            state=state,
            value=outcome.value,
            params={each.key: each.value(trial[each.key]) for each in self.space.dimensions},
            distributions=self._distributions,
            user_attrs={"number": number, "status": outcome.status},
            intermediate_values=dict(outcome.at_rungs),
        )
        self.ended.append(ended)
        with _quiet():
            if asked is None:
                self._study.add_trial(ended)
                return
            for rung, value in outcome.at_rungs.items():
                asked.report(value, rung)
            self._study.tell(asked, outcome.value if state == TrialState.COMPLETE else None, state)

    def save(self, path: Path, name: str) -> None:
        """Write all trials that have ended where optuna-dashboard, and `optuna.load_study`, read them.

        Args:
            path: the file, written in one step.
            name: of the study.

        Raises:
            NotWritten: the disk is full, say.
        """
        with _quiet(), replaced(path) as temporary:
            storage = JournalStorage(JournalFileBackend(str(temporary)))
            study = optuna.create_study(study_name=name, direction=self._direction, storage=storage)
            study.add_trials(self.ended)

    def _sampler(self) -> BaseSampler:
        settings = self.settings
        if settings.sampler == "tpe":
            return TPESampler(seed=settings.seed)
        if settings.sampler == "cmaes":
            return CmaEsSampler(
                seed=settings.seed,
                popsize=max(settings.batch, 4 + int(3 * math.log(len(self.space.dimensions)))),
                warn_independent_sampling=False,
                independent_sampler=RandomSampler(seed=settings.seed),
                consider_pruned_trials=settings.pruner != "none",
            )
        return RandomSampler(seed=settings.seed)


def _distribution(dimension: Dimension) -> BaseDistribution:
    if dimension.choices:
        return CategoricalDistribution(dimension.choices)
    low, high = dimension.low, dimension.high
    if dimension.is_whole:
        return IntDistribution(int(low), int(high), log=dimension.is_log, step=int(dimension.step))
    return FloatDistribution(low, high, log=dimension.is_log, step=dimension.step or None)


def _sobol(space: Space, settings: SearchSettings) -> list[list[float]]:
    from scipy.stats import qmc

    sequence = qmc.Sobol(len(space.dimensions), scramble=True, rng=settings.seed)
    found: list[list[float]] = sequence.random_base2(math.ceil(math.log2(max(2, settings.n_trials)))).tolist()
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """What Optuna calls experimental is tested here."""
    with warnings.catch_warnings(action="ignore"):
        yield
