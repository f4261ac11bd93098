"""One seed per run, three independent streams: weights, order of the batches, dropout masks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Streams(NamedTuple):
    """Seeds of the run's own generators; global random state is never used."""

    init: int
    order: int
    dropout: int


def streams(seed: int) -> Streams:
    """Derive the streams of a run. Two seeds share none; 0 is a seed like any other."""
    return Streams(*(int(word) for word in np.random.SeedSequence(seed).generate_state(3)))
