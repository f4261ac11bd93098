"""Attempts of a search that train together: after the epochs of a rung all of them are looked at, then some leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlp_study.engines.attempt import Attempt
from mlp_study.runs.halving import Halving, score

ENTERED = "entered"


class Cohort:
    """Of the attempts of one task; without `halving` everybody stays.

    Args:
        halving: how they are judged.
        names: of the runs that begin together.
        common: of the snapshot from which they go on; empty where they begin.
    """

    def __init__(
        self, halving: Halving | None = None, names: Sequence[str] = (), common: Mapping[str, Any] | None = None
    ) -> None:
        self.halving = halving
        self._entered: dict[int, int] = {}  # by bracket: how many have set out for its next rung
        if halving is not None:
            kept = (common or {}).get(ENTERED)
            self._entered = dict(kept or Counter(halving.bracket_of[name] for name in names))

    def state(self) -> dict[str, Any]:
        """What a snapshot needs for all of them."""
        return {} if self.halving is None else {ENTERED: dict(self._entered)}

    def judge(self, attempts: Sequence[Attempt], networks: Sequence[Callable[[], dict[str, Any]]]) -> None:
        """Have those leave that are to leave after the epoch that all `attempts` have just recorded.

        Args:
            attempts: that train together; some may have ended with this epoch.
            networks: for each what makes its checkpoint, see `Attempt.epoch`.
        """
        if self.halving is None:
            return
        for bracket, rungs in enumerate(self.halving.brackets):
            going = [
                m for m, attempt in enumerate(attempts)
                if not attempt.status and self.halving.bracket_of[attempt.run.name] == bracket
            ]  # fmt: skip
            if going and (rung := len(attempts[going[0]].writer.record.history)) in rungs:
                self._judge(bracket, rung, [(attempts[m], networks[m]) for m in going])

    def _judge(self, bracket: int, rung: int, going: Sequence[tuple[Attempt, Callable[[], dict[str, Any]]]]) -> None:
        assert self.halving is not None
        metric = self.halving.metric
        scores = [self.halving.score(attempt.run.name, attempt.writer.record.history) for attempt, _ in going]
        num_gone = max(0, self._entered.get(bracket, 0) - len(going))
        bar, num, of = self.halving.bar(bracket, rung, scores, num_gone)
        self._entered[bracket] = sum(found >= bar for found in scores)
        for (attempt, network), found in zip(going, scores, strict=True):
            if found < bar:
                value = score(attempt.writer.record.history, metric)[0]
                said = f"{metric} {abs(value):.4f} after {rung} epochs"
                attempt.prune(f"{said} is not among the best {num} of {of}", network)
