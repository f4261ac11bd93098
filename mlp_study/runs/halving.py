"""Successive halving: which trials of a search go on after so many epochs, and which are pruned.

After the epochs of a rung a trial goes on if it is among the best 1/factor of all that have come so far: those of the
batches before it, and those that train with it. The next rung is `factor` times as many epochs. So a decision depends
neither on how many workers there are nor on who is quicker, and is the same again after a kill.

Sources: Jamieson & Talwalkar, AISTATS 2016 (successive halving); Li et al., JMLR 18, 2018 (hyperband: some trials get
a first rung of more epochs). Plain data and plain numbers: this goes to workers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlp_study.runs.result import DIVERGED, PRUNED, STOPPED

# What a search can look for. Test images judge what was found, and are none of it.
METRICS = ("best_val_acc", "val_acc", "best_val_loss", "val_loss", "train_acc", "train_loss")
MOST_RUNGS = 3  # unless the first one was asked for

Score = tuple[float, float]  # of larger ones is the better: the metric, and where it is the same, the loss
WORST: Score = (-math.inf, -math.inf)
LARGEST = 1_000  # size of a run, and more than any accuracy


@dataclass(frozen=True)
class Halving:
    """How the trials of a batch are judged.

    Attributes:
        metric: one of `METRICS`.
        factor: one of so many goes on.
        brackets: the rungs of each bracket, in epochs.
        bracket_of: the bracket of each run of the batch, by its name.
        earlier: the scores of earlier batches, by bracket and rung.
        enough: a metric as good as any: runs that have it come first, those of the least `sizes` before the others.
        sizes: of runs, by name, where small ones are preferred.
    """

    metric: str
    factor: int
    brackets: tuple[tuple[int, ...], ...]
    bracket_of: Mapping[str, int]
    earlier: Mapping[tuple[int, int], tuple[Score, ...]]
    enough: float = math.inf
    sizes: Mapping[str, int] = field(default_factory=dict)

    def score(self, name: str, rows: Sequence[Mapping[str, float]]) -> Score:
        """Of the run `name` after the epochs of `rows`."""
        return preferred(score(rows, self.metric), self.enough, self.sizes.get(name, 0))

    def bar(self, bracket: int, rung: int, scores: Sequence[Score], num_gone: int) -> tuple[Score, int, int]:
        """The score that a run needs to go on.

        Args:
            bracket: its number.
            rung: epochs.
            scores: of the runs that train together and have come here.
            num_gone: of those that had set out for this rung with them and ended before; they count as the worst.

        Returns:
            That score, how many go on with it at least, and of how many.
        """
        known = sorted([*self.earlier.get((bracket, rung), ()), *scores, *[WORST] * num_gone], reverse=True)
        num = max(1, len(known) // self.factor)
        return known[num - 1], num, len(known)


def is_accuracy(metric: str) -> bool:
    """Whether more of it is better; of a loss, less is."""
    return metric.endswith("_acc")


def score(rows: Sequence[Mapping[str, float]], metric: str) -> Score:
    """Of a run after the epochs of `rows`, one at least; NaN is the worst."""
    column = metric.removeprefix("best_")
    shown = rows if column != metric else rows[-1:]
    sign = 1.0 if is_accuracy(column) else -1.0
    loss = f"{column.partition('_')[0]}_loss"
    return max(_or_worst(sign * row[column]) for row in shown), max(_or_worst(-row[loss]) for row in shown)


def _or_worst(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def preferred(found: Score, enough: float, size: int) -> Score:
    """A score as `Halving.enough` has it."""
    return (LARGEST - size, found[0]) if found[0] >= enough else found


def scores_at(rungs: Sequence[int], metric: str, status: str, rows: Sequence[Mapping[str, float]]) -> dict[int, Score]:
    """The scores of a run that has ended, at those of its rungs for which it had set out."""
    found: dict[int, Score] = {}
    for rung in rungs:
        if len(rows) > rung or (len(rows) == rung and status == PRUNED):
            found[rung] = score(rows[:rung], metric)
            continue
        if status in (DIVERGED, STOPPED):
            found[rung] = WORST
        break
    return found


def rungs(max_epochs: int, factor: int, first: int | None) -> tuple[int, ...]:
    """The epochs after which runs of `max_epochs` are judged; by default `MOST_RUNGS` times, if there are so many."""
    rung = max(1, round(max_epochs / factor**MOST_RUNGS)) if first is None else first
    found = []
    while rung < max_epochs:
        found.append(rung)
        rung *= factor
    return tuple(found)


def hyperband(rungs: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Its brackets: each begins a rung later than the one before, and in the last nobody is judged."""
    return tuple(rungs[start:] for start in range(len(rungs) + 1))


def bracket_numbers(brackets: Sequence[Sequence[int]], factor: int, num: int) -> list[int]:
    """The brackets of the first `num` trials: as many in each as hyperband has it, in an even mixture."""
    last = len(brackets) - 1
    weights = [(last + 1) / (last - b + 1) * factor ** (last - b) for b in range(last + 1)]
    shares = [weight / sum(weights) for weight in weights]
    taken = [0] * len(brackets)
    found = []
    for number in range(1, num + 1):
        lacking = [share * number - have for share, have in zip(shares, taken, strict=True)]
        found.append(lacking.index(max(lacking)))
        taken[found[-1]] += 1
    return found
