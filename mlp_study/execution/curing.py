"""Train cures beside the unchanged run: many with one seed, poor ones leave early; then the best with more seeds.

Where seeds of the unchanged run disagree, some healthy and some sick, three say too little: both are trained with
eight, and a cure works if all of its seeds are healthy, and so many of the others are not that it is hardly chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mlp_study.config import Config
from mlp_study.diagnosis.causes import suspects
from mlp_study.diagnosis.cures import Cure, candidates, changed
from mlp_study.diagnosis.patient import Patient
from mlp_study.diagnosis.symptoms import symptoms
from mlp_study.engines.stack.grouping import shared_settings
from mlp_study.errors import UserError
from mlp_study.execution.carry_out import carry_out
from mlp_study.files import claimed
from mlp_study.runs.asked import ask
from mlp_study.runs.halving import Halving, preferred, score, scores_at
from mlp_study.runs.listener import Listener
from mlp_study.runs.ranking import accuracy_of, run_rank
from mlp_study.runs.result import COMPLETED, STOPPED, Result, read_rows
from mlp_study.runs.run import Run
from mlp_study.runs.spread import Spread, clearly_below
from mlp_study.sweeps.checks import check_ready, data_sizes
from mlp_study.sweeps.spelled_out import spelled_out
from mlp_study.sweeps.words import run_folder, study_runs

UNCHANGED = "unchanged"
CURES = "cures"  # in the run's directory
SEEDS, MORE_SEEDS = 3, 8  # trained of what is compared; where the unchanged run is a lottery
BY_CHANCE = 0.1  # Fisher's exact test of the numbers of healthy seeds: 8 of 8 beside 5 of 8 is .1
FACTOR, RUNGS = 3, (0.25, 0.5)  # one in so many goes on, after these parts of the run
LEAST, MOST = 3, 24  # changes
CONFIRMED = 2  # cures that more seeds are trained of, the second if the first does not work
WAVE, WAVE_COST = 5, 2.5  # changes tried first, and what they may cost in whole runs: mostly one of them works


@dataclass(frozen=True)
class Cured:
    """What became of a cure.

    Attributes:
        cure: the change; of the unchanged run without words.
        accuracies: of the seeds that were trained to their end.
        helps: whether its seeds are clearly better than those of the unchanged run.
        works: whether they are all healthy, too.
        note: how it ended where it did not come to its end.
        folder: of the run with the first seed.
        command: the words that train it.
    """

    cure: Cure
    accuracies: Spread
    helps: bool
    works: bool
    note: str
    folder: Path
    command: tuple[str, ...]


class Curing:
    """Of one sick run.

    Args:
        patient: the run.
        budget: what may be trained with the first seed, in multiples of the run's own training.
        command: as typed, for the record.

    Attributes:
        cures: that are tried.
        times: what they cost with one seed, in multiples of the run's own training, about and at most.
        too_dear: those that are not tried, with how many times the run's training they cost: more epochs, more images.
    """

    def __init__(self, patient: Patient, budget: float = 6.0, command: str = "") -> None:
        self.patient, self.home, self.command = patient, patient.folder / CURES, command
        self.own = [word for word in patient.result.overrides if not word.startswith(("seed=", "callbacks", "logger"))]
        if any(word.lstrip("+").startswith("experiment=") for word in self.own):
            self.own = spelled_out(patient.config)  # numbers of its file may be of a group that a cure replaces
        epochs = patient.config.trainer.max_epochs
        rungs = dict.fromkeys(max(1, round(share * epochs)) for share in RUNGS)
        self.rungs = tuple(rung for rung in rungs if rung < epochs)
        cost = self._cost(epochs)
        found = suspects(patient, symptoms(patient))
        self.cures: list[Cure] = []
        self.too_dear: dict[Cure, float] = {}
        self.times, own = 0.0, _num_images(patient.config)
        for cure in candidates(patient, found, max(LEAST, min(MOST, round(budget / cost)))):
            try:
                times = _num_images(self._run(cure, patient.config.seed).config) / own
            except UserError:  # names of layers, say, are as many as there are layers
                continue
            if times > budget or (self.times + times * cost > budget and len(self.cures) >= LEAST):
                self.too_dear |= {cure: times} if times > 1 else {}
            else:
                self.cures.append(cure)
                self.times += times * cost

    @property
    def runs(self) -> list[Run]:
        """Those of the first seed."""
        return [self._run(cure, self.patient.config.seed) for cure in self.cures]

    def _cost(self, epochs: int) -> float:
        """Of a candidate, on the average, as a share of a whole run: most leave at a rung."""
        total, share, before = 0.0, 1.0, 0
        for rung in (*self.rungs, epochs):
            total += share * (rung - before)
            share, before = share / FACTOR, rung
        return total / epochs

    def carry_out(self, listener: Listener | None = None) -> list[Cured]:
        """Train; returns cures that work or help, then the unchanged run, then the others, best first.

        What an interrupted command has trained is passed over.

        Raises:
            UserError: another process cures the run.
        """
        with claimed(self.home):
            return self._carry_out(listener)

    def _carry_out(self, listener: Listener | None) -> list[Cured]:
        results, chosen = self._with_one_seed(listener)
        seed, unchanged = self.patient.config.seed, Cure(())
        base = {seed: self.patient.result}
        cured: list[Cured] = []
        for cure in chosen:  # the smallest change first
            own = {seed: results[cure]}
            self._with_seeds({cure: own, unchanged: base}, SEEDS, listener)
            if 0 < self._num_well(unchanged, base) < len(base):
                self._with_seeds({cure: own, unchanged: base}, MORE_SEEDS, listener)
            cured.append(self._cured(cure, own, base))
            if cured[-1].works:
                break
        tried = {one.cure for one in cured}
        ended = sorted(results, key=partial(_rank, results))
        rest = [self._cured(cure, {seed: results[cure]}, base) for cure in ended]
        cured.sort(key=lambda one: (not one.works, not one.helps, -one.accuracies.mean))
        better = [one for one in cured if one.helps]
        others = [*(one for one in cured if not one.helps), *(one for one in rest if one.cure not in tried)]
        return [*better, self._cured(unchanged, base, base), *others]

    def _with_one_seed(self, listener: Listener | None) -> tuple[dict[Cure, Result], list[Cure]]:
        """Train the changes, wave after wave until some are healthy; returns all results, and what to go on with."""
        runs = dict(zip(self.cures, self.runs, strict=True))
        results: dict[Cure, Result] = {}
        num = max(SEEDS, min(WAVE, round(WAVE_COST / self._cost(self.patient.config.trainer.max_epochs))))
        for wave in (self.cures[:num], self.cures[num:]):
            if not wave:
                continue
            ask(self.home, [runs[cure] for cure in wave], self.command)
            for together in _by_shape({cure: runs[cure] for cure in wave}):
                halving = self._halving({runs[cure].name: len(cure.words) for cure in together}, results)
                trained = carry_out([runs[cure] for cure in together], "stack", listener, halving=halving)
                results |= dict(zip(together, trained, strict=True))
            healthy = [cure for cure in results if _is_well(results[cure], runs[cure].folder)]
            if healthy:
                return results, sorted(healthy, key=lambda cure: len(cure.words))[:CONFIRMED]
        ended = [cure for cure, result in results.items() if result.status in (COMPLETED, STOPPED)]
        return results, sorted(ended, key=partial(_rank, results))[:CONFIRMED]

    def _with_seeds(self, found: dict[Cure, dict[int, Result]], num: int, listener: Listener | None) -> None:
        """Train what has fewer than `num` seeds with more of them."""
        first = self.patient.config.seed
        lacking = [(cure, seed) for cure in found for seed in range(first, first + num) if seed not in found[cure]]
        runs = [self._run(cure, seed) for cure, seed in lacking]
        ask(self.home, runs, self.command)
        for (cure, seed), result in zip(lacking, carry_out(runs, "stack", listener), strict=True):
            found[cure][seed] = result

    def _num_well(self, cure: Cure, results: Mapping[int, Result]) -> int:
        """How many seeds are healthy; the patient itself is not."""
        own = () if cure.words else (self.patient.config.seed,)
        return sum(_is_well(result, self.home / result.name) for seed, result in results.items() if seed not in own)

    def _cured(self, cure: Cure, results: Mapping[int, Result], base: Mapping[int, Result]) -> Cured:
        values, before = (_accuracies(found) for found in (results, base))
        num, num_well, base_well = len(results), self._num_well(cure, results), self._num_well(Cure(()), base)
        is_lottery = 0 < base_well < len(base)
        helps = bool(cure.words) and num >= SEEDS and len(values.values) == num and clearly_below(before, values)
        if is_lottery:
            helps = num == len(base) and _is_hardly_chance(num_well, base_well, num)
        statuses = {result.status for result in results.values()} - {COMPLETED}
        note = ", ".join(sorted(statuses)) or ("one seed" if num == 1 else "")
        if is_lottery and num == len(base):
            note = ", ".join(filter(None, [f"{num_well} of {num} healthy", note]))
        folder = self.home / results[self.patient.config.seed].name if cure.words else self.patient.folder
        command = tuple(changed(self.own, cure.words))
        return Cured(cure, values, helps, helps and num_well == num, note, folder, command)

    def _run(self, cure: Cure, seed: int) -> Run:
        words = [*changed(self.own, cure.words), f"seed={seed}", "logger=none"]
        (run,) = study_runs(words, self.home)
        named = [*cure.words, f"seed={seed}"]
        name = run_folder(named, {word.partition("=")[0] for word in named})
        name = name if cure.words else f"{UNCHANGED},{name}"
        check_ready(run.config)
        return replace(run, folder=self.home / name, name=name, overrides=tuple(words))

    def _halving(self, sizes: Mapping[str, int], before: Mapping[Cure, Result]) -> Halving | None:
        """How runs that train together are judged: beside the unchanged run, and those of other shapes `before`.

        Of those that have what the data allow the smallest changes are preferred.
        """
        if not self.rungs:
            return None
        metric = f"best_{self.patient.part}_acc" if self.patient.part == "val" else "train_acc"
        rows, enough = self.patient.history, self.patient.allowed
        scores = [{rung: score(rows[:rung], metric) for rung in self.rungs if len(rows) >= rung}]
        for cure, result in before.items():
            if result.epochs:
                own = scores_at(self.rungs, metric, result.status, read_rows(self.home / result.name))
                scores.append({rung: preferred(found, enough, len(cure.words)) for rung, found in own.items()})
        earlier = {(0, rung): tuple(found[rung] for found in scores if rung in found) for rung in self.rungs}
        return Halving(metric, FACTOR, (self.rungs,), dict.fromkeys(sizes, 0), earlier, enough, dict(sizes))


def _num_images(config: Config) -> int:
    """That are seen in training."""
    num, size, limit = data_sizes(config)[0], config.data.batch_size, config.trainer.limit_train_batches
    return config.trainer.max_epochs * (num if limit is None else min(num, int(limit) * size))


def _by_shape(runs: Mapping[Cure, Run]) -> list[list[Cure]]:
    """Those that can be trained together, in the order given."""
    found: dict[str, list[Cure]] = {}
    for cure, run in runs.items():
        found.setdefault(repr(shared_settings(run.config)), []).append(cure)
    return list(found.values())


def _rank(results: Mapping[Cure, Result], cure: Cure) -> tuple[float, ...]:
    return run_rank(results[cure].status, results[cure].metrics)


def _is_well(result: Result, folder: Path) -> bool:
    return result.status in (COMPLETED, STOPPED) and not symptoms(Patient.read(folder, result))


def _accuracies(results: Mapping[int, Result]) -> Spread:
    return Spread(accuracy_of(result.metrics) for result in results.values() if result.epochs)


def _is_hardly_chance(num_well: int, base_well: int, num: int) -> bool:
    from scipy.stats import fisher_exact

    table = [[num_well, num - num_well], [base_well, num - base_well]]
    return bool(fisher_exact(table, alternative="greater").pvalue <= BY_CHANCE + 1e-9)
