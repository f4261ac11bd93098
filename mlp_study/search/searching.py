"""A search of the command line, from its first check to its best trial. The sweeper plugin calls this.

What the directories of its trials say is what counts: see `mlp_study.search.asking` for how a search goes on.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from mlp_study.errors import UserError
from mlp_study.files import claimed, sweep_up
from mlp_study.reading import text
from mlp_study.runs import under_way
from mlp_study.runs.asked import ask
from mlp_study.runs.halving import (
    Halving,
    Score,
    bracket_numbers,
    hyperband,
    is_accuracy,
    rungs,
    scores_at,
)
from mlp_study.runs.ranking import loss_of
from mlp_study.runs.result import COMPLETED, DIVERGED, FAILED, PRUNED, STOPPED, Damaged, Result, read_result, read_rows
from mlp_study.runs.run import Run
from mlp_study.search.search_settings import SearchSettings
from mlp_study.search.space import Space, Trial
from mlp_study.showing import console, printable
from mlp_study.sweeps.checks import check_ready
from mlp_study.sweeps.compose import SweepComposer
from mlp_study.sweeps.sweep import check_all, check_sweep, end_with_table, shown_if_interrupted
from mlp_study.sweeps.words import run_folder, runs_of

NUMBERED = re.compile(r"(\d{3,})-.")  # how the directory of a trial is called


def run_search(sweeper: Any, arguments: list[str]) -> list[Any]:
    """Carry out a search; what an earlier command has begun in the same directory is gone on with.

    Args:
        sweeper: the sweeper plugin, set up.
        arguments: the overrides typed by the user.

    Raises:
        UserError: something is wrong, and nothing was started, or the directory is in use.
        RunsFailed: every trial was tried, and some failed.
    """
    check_sweep(sweeper, arguments)
    settings = SearchSettings.read("hydra.sweeper", sweeper.settings)
    settings.check()
    search = Search(sweeper, arguments, settings)
    with claimed(search.folder):
        with shown_if_interrupted(search.folder):
            returned = search.carry_out()
        try:
            end_with_table(search.folder, search.failed)
        finally:
            search.show_best()
    return returned


class Search:
    """One search, checked.

    Attributes:
        folder: of the study.
        failed: results of trials that failed now; their directories may not say it.
    """

    def __init__(self, sweeper: Any, arguments: list[str], settings: SearchSettings) -> None:
        self.sweeper, self.settings = sweeper, settings
        self.folder = Path(sweeper.config.hydra.sweep.dir)
        self.failed: list[Result] = []
        loader = sweeper.hydra_context.config_loader
        parsed = OverridesParser.create(config_loader=loader).parse_overrides([*sweeper.words(), *arguments])
        self.space, self._composer = Space(parsed), SweepComposer(loader)
        self.num_trials = int(min(settings.n_trials, self.space.num_settings))
        self._scores: dict[tuple[int, int], tuple[Score, ...]] = {}
        self._ends: dict[Run, tuple[float, float]] = {}  # by the metric, then by the loss: higher is better
        self._check()

    def _check(self) -> None:
        """See that the ends of the space can be trained, and judged.

        Raises:
            UserError: they cannot.
        """
        if any("hydra.sweep.subdir=" in str(word) for word in self.sweeper.config.hydra.overrides.hydra):
            raise UserError("hydra.sweep.subdir: a search names the directories of its trials itself; leave it out")
        settings, launcher = self.settings, self.sweeper.launcher
        numbers = [each for each in self.space.dimensions if not each.choices]
        if settings.sampler == "cmaes" and len(numbers) < 2:
            raise UserError("hydra.sweeper.sampler='cmaes': needs two numbers to search; expected tpe, random or qmc")
        if settings.pruner != "none" and not hasattr(launcher, "halving"):
            raise UserError(
                f"hydra.sweeper.pruner='{settings.pruner}': this launcher cannot prune; expected none, or "
                "hydra/launcher=stacked, basic, ray or slurm"
            )
        probes = self._runs(self.space.probes(), 0)
        for run in probes:
            check_ready(run.config, getattr(launcher, "trains_here", True))
        if settings.metric.endswith(("val_acc", "val_loss")) and not all(r.config.data.has_validation for r in probes):
            raise UserError(
                f"hydra.sweeper.metric='{settings.metric}': nothing is held out; expected train_acc or train_loss"
            )
        epochs = sorted({run.config.trainer.max_epochs for run in probes})
        if settings.pruner != "none" and len(epochs) > 1:
            raise UserError(
                f"trainer.max_epochs={','.join(map(str, epochs))}: trials of different lengths cannot be judged on "
                "the way; expected one, or hydra.sweeper.pruner=none"
            )
        if settings.min_resource is not None and settings.min_resource >= epochs[-1] > 1:
            raise UserError(
                f"hydra.sweeper.min_resource={settings.min_resource}: expected fewer epochs than "
                f"trainer.max_epochs={epochs[-1]}"
            )
        found = rungs(epochs[-1], settings.reduction_factor, settings.min_resource)
        kinds = {"halving": (found,), "hyperband": hyperband(found), "none": ()}
        self._brackets: tuple[tuple[int, ...], ...] = kinds[settings.pruner]
        self._bracket_of: list[int] = []
        if self._brackets:
            self._bracket_of = bracket_numbers(self._brackets, settings.reduction_factor, self.num_trials)

    def carry_out(self) -> list[Any]:
        """Train batch after batch; returns what Hydra expects."""
        from mlp_study.search.asking import Asker

        asker = Asker(self.space, self.settings)
        known, returned = self._known(), []
        swept = [each.key.lstrip("+") for each in self.space.dimensions]
        sweep_up(self.folder)
        if self.num_trials < self.settings.n_trials:
            console().print(f"there are {self.num_trials} settings to try, and no more")
        for start in range(0, self.num_trials, self.settings.batch):
            numbers = range(start, min(start + self.settings.batch, self.num_trials))
            trials = asker.ask(numbers, known)
            runs = self._runs(trials, start)
            ask(self.folder, runs, under_way.command(sys.argv[1:]), swept)
            halving = self._halving(runs, numbers)
            if check_all(runs, getattr(self.sweeper.launcher, "trains_here", True)) < len(runs):
                console().print(f"trials {numbers[0]} to {numbers[-1]} of {self.num_trials}")
                if hasattr(self.sweeper.launcher, "halving"):
                    self.sweeper.launcher.halving = halving
                jobs = [self._job(number, trial) for number, trial in zip(numbers, trials, strict=True)]
                returned.append(self.sweeper.launcher.launch(jobs, start))
                results = [job.return_value for job in returned[-1]]
            else:
                results = [run.result() for run in runs]
            for number, run, result in zip(numbers, runs, results, strict=True):
                self._ended(asker, number, run, result)
            if self.settings.storage is not None:
                asker.save(self.folder / self.settings.storage, self.folder.absolute().name)
        if not returned:
            console().print(f"all {self.num_trials} trials are already complete")
            under_way.remove(self.folder)
        return returned

    def _ended(self, asker: Any, number: int, run: Run, result: Result) -> None:
        """Tell the sampler, and remember for the batches to come."""
        from mlp_study.search.asking import WORST_LOSS, Outcome

        if result.status == FAILED:
            self.failed.append(result)
            asker.tell(number, Outcome("fail", None, {}, FAILED))
            return
        metric, sign = self.settings.metric, 1.0 if is_accuracy(self.settings.metric) else -1.0
        worst = 0.0 if is_accuracy(metric) else WORST_LOSS
        at_rungs: dict[int, float] = {}
        if self._brackets:
            bracket = self._bracket_of[number]
            for rung, found in scores_at(self._brackets[bracket], metric, result.status, read_rows(run.folder)).items():
                self._scores[bracket, rung] = (*self._scores.get((bracket, rung), ()), found)
                at_rungs[rung] = sign * found[0] if math.isfinite(found[0]) else worst
        value = result.metrics.get(metric)
        if result.status == DIVERGED or value is None:
            # Of the pruned, the sampler takes those for the worst that came to the first rung and were the worst there.
            state = "pruned" if self._brackets else "complete"
            outcome = Outcome(state, worst, {min(at_rungs, default=1): worst} if self._brackets else {}, result.status)
        else:
            outcome = Outcome("pruned" if result.status == PRUNED else "complete", value, at_rungs, result.status)
        if result.status in (COMPLETED, STOPPED) and value is not None:
            self._ends[run] = sign * value, -loss_of(result.metrics)
        asker.tell(number, outcome)

    def _halving(self, runs: Sequence[Run], numbers: Sequence[int]) -> Halving | None:
        """How the trials of a batch are judged; called when all batches before it have ended."""
        if not self._brackets:
            return None
        bracket_of = {run.name: self._bracket_of[number] for run, number in zip(runs, numbers, strict=True)}
        factor = self.settings.reduction_factor
        return Halving(self.settings.metric, factor, self._brackets, bracket_of, dict(self._scores))

    def _runs(self, trials: Sequence[Trial], start: int) -> list[Run]:
        jobs = [self._job(number, trial) for number, trial in enumerate(trials, start)]
        return runs_of(self.sweeper.config, self._composer, jobs)

    def _job(self, number: int, trial: Trial) -> list[str]:
        """The overrides of a trial, its directory's name as the last."""
        job = self.space.job(trial)
        return [*job, f"hydra.sweep.subdir='{number:03d}-{run_folder(job, set(trial))}'"]

    def _known(self) -> dict[int, Trial]:
        """The trials that there are already, by their numbers, as far as their directories say it."""
        found: dict[int, Trial] = {}
        for folder in sorted(self.folder.iterdir()):
            if (match := NUMBERED.match(folder.name)) and (words := _overrides(folder)) is not None:
                trial = self.space.read(words)
                if trial is None:
                    raise UserError(
                        f"{folder}: of another search, with {' '.join(words)}; expected settings of this one's, or "
                        "another directory"
                    )
                found.setdefault(int(match[1]), trial)
        return found

    def show_best(self) -> None:
        """Print the best trial, and how it is trained alone."""
        if not self._ends:
            console().print("no trial has come to its end")
            return
        run = max(self._ends, key=self._ends.__getitem__)
        value = self._ends[run][0]
        output = console()
        output.print(
            printable(f"best of {self.num_trials} trials: {run.name}, {self.settings.metric} {abs(value):.4f}")
        )
        output.print(printable(f"to train it alone: {under_way.command(run.overrides)}"))


def _overrides(folder: Path) -> list[str] | None:
    """Those of the run in `folder`; None where it does not say."""
    try:
        if (result := read_result(folder)) is not None:
            return list(result.overrides)
    except Damaged:
        pass
    try:
        words = yaml.load(text(folder / ".hydra" / "overrides.yaml", "damaged"), Loader=yaml.CSafeLoader)
    except (UserError, yaml.YAMLError):
        return None
    return [str(word) for word in words] if isinstance(words, list) else None
