"""Which images a run was trained on: what it makes of these says little of others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlp_study.config.sections import Data
from mlp_study.data import sources
from mlp_study.data.split import split_indices


def num_trained_on(data: Data, images: np.ndarray) -> int:
    """How many of `images` (N, pixels), not scaled, are among those that a run with these settings is trained on.

    They are found by all of their pixels, whatever the file that they come from.

    Raises:
        UserError: the training images are gone.
    """
    known, labels, _ = sources.training_pixels(data)
    if known.shape[1] != images.shape[1]:
        return 0
    is_bytes = known.dtype == images.dtype == np.uint8
    trained_on = set(_rows(known[split_indices(data, labels)[0]], is_bytes))
    return sum(row in trained_on for row in _rows(images, is_bytes))


def _rows(images: np.ndarray, is_bytes: bool) -> Iterator[bytes]:
    """Equal images (N, pixels) as equal bytes, in no more memory than their pixels need."""
    for row in images:
        yield row.tobytes() if is_bytes else np.add(row, 0, dtype=np.float64).tobytes()  # -0.0 is 0.0
