"""Looks at one run's network: before training and after every epoch, the same way whoever trains it."""

from __future__ import annotations

import torch

from mlp_study.config import Config
from mlp_study.engines.image_data import ImageData
from mlp_study.learning.vital_signs import evidence, kernels
from mlp_study.nets.mlp import MLP

DIGITS = 6  # that count of a number: more are noise, and depend on who else trains


class Look:
    """At the network of one run.

    Args:
        config: of the run.
        fresh: its network, before training.
        data: its images, set up.
    """

    def __init__(self, config: Config, fresh: MLP, data: ImageData) -> None:
        self._initial = kernels(fresh)
        self._images, self._labels = data.looked_at
        self._of_images = data.of_images
        self._how = config.loss, config.model.output_activation, config.model.l2

    def at(self, mlp: MLP) -> dict[str, float]:
        """What there is to see now; see `mlp_study.learning.vital_signs`."""
        num_threads = torch.get_num_threads()
        torch.set_num_threads(1)  # sums are made up in one order
        try:
            found = evidence(mlp, self._initial, self._images, self._labels, *self._how)
        finally:
            torch.set_num_threads(num_threads)
        return {name: float(f"{value:.{DIGITS}g}") for name, value in {**self._of_images, **found}.items()}
