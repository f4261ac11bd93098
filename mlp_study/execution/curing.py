"""Train cures beside the unchanged run: many with one seed, poor ones leave early; then the best with more seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlp_study.diagnosis.causes import suspects
from mlp_study.diagnosis.cures import Cure, candidates, changed
from mlp_study.diagnosis.patient import Patient
from mlp_study.diagnosis.symptoms import symptoms
from mlp_study.errors import UserError
from mlp_study.execution.carry_out import carry_out
from mlp_study.runs.asked import ask
from mlp_study.runs.halving import Halving, score
from mlp_study.runs.listener import Listener
from mlp_study.runs.ranking import accuracy_of, run_rank
from mlp_study.runs.result import COMPLETED, STOPPED, Result
from mlp_study.runs.run import Run
from mlp_study.runs.spread import Spread, clearly_below
from mlp_study.sweeps.checks import check_ready
from mlp_study.sweeps.words import run_folder, study_runs

UNCHANGED = "unchanged"
CURES = "cures"  # in the run's directory
SEEDS, SEEDS_IF_TORN = 3, 8  # trained of what is compared; of a run whose own seeds disagree
FACTOR, RUNGS = 2, (0.2, 0.5)  # one in so many goes on, after these parts of the run
CONFIRMED = 3  # cures that more seeds are trained of


@dataclass(frozen=True)
class Cured:
    """What became of a cure.

    Attributes:
        cure: the change; of the unchanged run without words.
        accuracies: of the seeds that were trained to their end.
        works: whether they all are healthy, and clearly better than the unchanged run.
        note: how it ended where it did not come to its end.
        command: the words that train it.
    """

    cure: Cure
    accuracies: Spread
    works: bool
    note: str
    command: tuple[str, ...]


class Curing:
    """Of one sick run.

    Args:
        patient: the run.
        budget: what may be trained with the first seed, in multiples of the run's own epochs.
        command: as typed, for the record.
    """

    def __init__(self, patient: Patient, budget: float = 6.0, command: str = "") -> None:
        self.patient, self.home, self.command = patient, patient.folder / CURES, command
        self.own = [word for word in patient.result.overrides if not word.startswith(("seed=", "callbacks", "logger"))]
        epochs = patient.config.trainer.max_epochs
        rungs = dict.fromkeys(max(1, round(share * epochs)) for share in RUNGS)
        self.rungs = tuple(rung for rung in rungs if rung < epochs)
        cost = self._cost(epochs)
        self.num = max(3, min(24, round(budget / cost)))
        found = suspects(patient, symptoms(patient))
        self.cures = candidates(patient, found, self.num)
        self.epochs = round(self.num * cost * epochs)  # that the first seed costs, about

    def _cost(self, epochs: int) -> float:
        """Of a candidate, on the average, as a share of a whole run: most leave at a rung."""
        total, share, before = 0.0, 1.0, 0
        for rung in (*self.rungs, epochs):
            total += share * (rung - before)
            share, before = share / FACTOR, rung
        return total / epochs

    def carry_out(self, listener: Listener | None = None) -> list[Cured]:
        """Train; returns cures that work, smallest first, then the unchanged run, then the others, best first.

        What an interrupted command has trained is passed over.
        """
        seed = self.patient.config.seed
        runs = {cure: self._run(cure, seed) for cure in self.cures}
        ask(self.home, list(runs.values()), self.command)
        results = dict(zip(runs, self._train(list(runs.values()), listener, is_judged=True), strict=True))
        ended = [cure for cure, result in results.items() if result.status in (COMPLETED, STOPPED)]
        ended.sort(key=lambda cure: run_rank(results[cure].status, results[cure].metrics))
        healthy = [cure for cure in ended if not symptoms(Patient.read(runs[cure].folder))]
        # Smaller changes are worth more than a hundredth of accuracy.
        chosen = sorted(healthy, key=lambda cure: len(cure.words))[:CONFIRMED] or ended[:CONFIRMED]
        unchanged = Cure(())
        seeds = [seed + i for i in range(1, SEEDS)]
        more = {(cure, s): self._run(cure, s) for cure in [*chosen, unchanged] for s in seeds}
        ask(self.home, list(more.values()), self.command)
        found = dict(zip(more, self._train(list(more.values()), listener), strict=True))
        own = [self.patient.result, *(result for (cure, _), result in found.items() if cure == unchanged)]
        base = Spread(accuracy_of(result.metrics) for result in own if result.epochs)
        cured = [self._cured(cure, [results[cure], *(found[cure, s] for s in seeds)], base) for cure in chosen]
        cured.sort(key=lambda one: (not one.works, len(one.cure.words), -one.accuracies.mean))
        rest = [self._cured(cure, [results[cure]], base) for cure in [*ended, *results] if cure not in chosen]
        rest = list({one.cure: one for one in rest}.values())
        self_ = Cured(unchanged, base, False, self.patient.result.status, tuple(self.own))
        return [*(one for one in cured if one.works), self_, *(one for one in cured if not one.works), *rest]

    def _cured(self, cure: Cure, results: Sequence[Result], base: Spread) -> Cured:
        values = Spread(accuracy_of(result.metrics) for result in results if result.epochs)
        folders = [self.home / result.name for result in results]
        are_well = len(results) >= SEEDS and all(
            result.status in (COMPLETED, STOPPED) and not symptoms(Patient.read(folder))
            for result, folder in zip(results, folders, strict=True)
        )
        statuses = {result.status for result in results} - {COMPLETED}
        note = ", ".join(sorted(statuses)) or ("one seed" if len(results) == 1 else "")
        works = are_well and clearly_below(base, values)
        return Cured(cure, values, works, note, tuple(changed(self.own, cure.words)))

    def _run(self, cure: Cure, seed: int) -> Run:
        words = [*changed(self.own, cure.words), f"seed={seed}", "logger=none"]
        (run,) = study_runs(words, self.home)
        named = [*cure.words, f"seed={seed}"]
        name = run_folder(named, {word.partition("=")[0] for word in named})
        name = name if cure.words else f"{UNCHANGED},{name}"
        check_ready(run.config)
        return replace(run, folder=self.home / name, name=name, overrides=tuple(words))

    def _train(self, runs: Sequence[Run], listener: Listener | None, is_judged: bool = False) -> list[Result]:
        halving = None
        if is_judged and self.rungs:
            metric = f"best_{self.patient.part}_acc" if self.patient.part == "val" else "train_acc"
            rows = self.patient.history
            earlier = {(0, r): (score(rows[:r], metric),) for r in self.rungs if len(rows) >= r}
            halving = Halving(metric, FACTOR, (self.rungs,), {run.name: 0 for run in runs}, earlier)
        by_length: dict[int, list[Run]] = {}
        for run in runs:
            by_length.setdefault(run.config.trainer.max_epochs, []).append(run)
        results: dict[Path, Result] = {}
        for group in by_length.values():
            found = carry_out(group, "stack", listener, halving=halving)
            results |= dict(zip((run.folder for run in group), found, strict=True))
        return [results[run.folder] for run in runs]


def check_curable(patient: Patient) -> None:
    """See that cures can be trained for a run.

    Raises:
        UserError: its data are gone, say.
    """
    if not patient.result.overrides and not patient.config:
        raise UserError(f"{patient.folder}: does not say how it was trained")
    check_ready(patient.config)
