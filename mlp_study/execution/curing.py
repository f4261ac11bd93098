"""Train cures beside the unchanged run: many with one seed, poor ones leave early; then the best with more seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlp_study.diagnosis.causes import suspects
from mlp_study.diagnosis.cures import Cure, candidates, changed
from mlp_study.diagnosis.patient import Patient
from mlp_study.diagnosis.symptoms import symptoms
from mlp_study.execution.carry_out import carry_out
from mlp_study.files import claimed
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
SEEDS = 3  # trained of what is compared
FACTOR, RUNGS = 2, (0.2, 0.5)  # one in so many goes on, after these parts of the run
CONFIRMED = 2  # cures that more seeds are trained of, the second if the first does not work
WAVE = 5  # changes that are tried first: mostly one of them works, and the others need not be trained


@dataclass(frozen=True)
class Cured:
    """What became of a cure.

    Attributes:
        cure: the change; of the unchanged run without words.
        accuracies: of the seeds that were trained to their end.
        helps: whether three seeds are clearly better than the unchanged run.
        works: whether they are healthy, too.
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
        seed = self.patient.config.seed
        runs = dict(zip(self.cures, self.runs, strict=True))
        results: dict[Cure, Result] = {}
        healthy: list[Cure] = []
        for wave in (self.cures[:WAVE], self.cures[WAVE:]):
            if not wave or healthy:
                continue
            ask(self.home, [runs[cure] for cure in wave], self.command)
            trained = self._train([runs[cure] for cure in wave], listener, is_judged=True)
            results |= dict(zip(wave, trained, strict=True))
            ended = [cure for cure, result in results.items() if result.status in (COMPLETED, STOPPED)]
            ended.sort(key=lambda cure: run_rank(results[cure].status, results[cure].metrics))
            healthy = [cure for cure in ended if not symptoms(Patient.read(runs[cure].folder))]
        chosen = sorted(healthy, key=lambda cure: len(cure.words))[:CONFIRMED] or ended[:CONFIRMED]
        unchanged, seeds = Cure(()), [seed + i for i in range(1, SEEDS)]
        base, cured = Spread(()), list[Cured]()
        for cure in chosen:  # the smallest change first
            asked = [cure] if cured else [cure, unchanged]
            more = {(one, s): self._run(one, s) for one in asked for s in seeds}
            ask(self.home, list(more.values()), self.command)
            found = dict(zip(more, self._train(list(more.values()), listener), strict=True))
            if not cured:
                own = [self.patient.result, *(found[unchanged, s] for s in seeds)]
                base = Spread(accuracy_of(result.metrics) for result in own if result.epochs)
            cured.append(self._cured(cure, [results[cure], *(found[cure, s] for s in seeds)], base))
            if cured[-1].works:
                break
        tried = {one.cure for one in cured}
        rest = [self._cured(cure, [results[cure]], base) for cure in dict.fromkeys([*ended, *results])]
        plain = Cured(unchanged, base, False, False, self.patient.result.status, self.patient.folder, tuple(self.own))
        cured.sort(key=lambda one: (not one.works, not one.helps, -one.accuracies.mean))
        better = [one for one in cured if one.helps]
        others = [*(one for one in cured if not one.helps), *(one for one in rest if one.cure not in tried)]
        return [*better, plain, *others]

    def _cured(self, cure: Cure, results: Sequence[Result], base: Spread) -> Cured:
        values = Spread(accuracy_of(result.metrics) for result in results if result.epochs)
        folders = [self.home / result.name for result in results]
        are_well = len(results) >= SEEDS and all(
            result.status in (COMPLETED, STOPPED) and not symptoms(Patient.read(folder))
            for result, folder in zip(results, folders, strict=True)
        )
        statuses = {result.status for result in results} - {COMPLETED}
        note = ", ".join(sorted(statuses)) or ("one seed" if len(results) == 1 else "")
        helps = len(results) >= SEEDS and len(values.values) == len(results) and clearly_below(base, values)
        command = tuple(changed(self.own, cure.words))
        return Cured(cure, values, helps, helps and are_well, note, folders[0], command)

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
            names = dict.fromkeys((run.name for run in runs), 0)
            halving = Halving(metric, FACTOR, (self.rungs,), names, earlier, self.patient.allowed)
        return carry_out(runs, "stack", listener, halving=halving)
