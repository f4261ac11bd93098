"""A run that was trained: its history, its network, its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mlp_study.diagnosis.verdict import Verdict, diagnose
from mlp_study.errors import UserError
from mlp_study.runs.result import DAMAGED, UNFINISHED, Damaged, read_history
from mlp_study.runs.run import Run as PlainRun
from mlp_study.runs.run import read_config

if TYPE_CHECKING:
    import pandas as pd

    from mlp_study.engines.trained import TrainedRun
    from mlp_study.nets.mlp import MLP


class Run(PlainRun):
    """A run in its directory. `config`, `folder`, `overrides` and `name` are what it was trained with."""

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """The run in `folder`.

        Raises:
            UserError: there is none, or its configuration is damaged.
        """
        folder = Path(folder)
        run = cls(read_config(folder), folder, (), folder.name)
        if run.damage() or (result := run.result()) is None:
            return run
        return cls(run.config, folder, result.overrides, result.name)

    @property
    def status(self) -> str:
        """completed, stopped, diverged or failed; unfinished where it has not ended, damaged where its record is."""
        if self.damage():
            return DAMAGED
        result = self.result()
        return UNFINISHED if result is None else result.status

    def diagnosis(self) -> Verdict:
        """Whether it is healthy, its symptoms, and what may have caused them; see `mlp diagnose`.

        Raises:
            UserError: its record is damaged, or it has not finished an epoch.
        """
        return diagnose(self.folder)

    def metrics(self) -> Mapping[str, float | None]:
        """Losses and accuracies at the end, the best of them, and those of the test images; see result.json.

        None where a number is not finite; nothing where the run has not ended.

        Raises:
            UserError: the record is damaged.
        """
        result = self.result()
        return {} if result is None else result.metrics

    def history(self) -> pd.DataFrame:
        """One row per epoch: history.csv.

        Raises:
            UserError: there is none, or it is damaged.
        """
        if damage := self.damage():
            raise Damaged(damage)
        return read_history(self.folder)

    def model(self, which: str = "last") -> MLP:
        """The trained network, scaled inputs to logits, in evaluation mode.

        Args:
            which: "last", "best" (if it was saved) or "initial", before training.

        Raises:
            UserError: that network was not saved, or its file is damaged.
        """
        return self._trained(which).module.mlp

    def predict(self, images: Any, which: str = "last") -> np.ndarray:
        """The classes (N,) that the network takes raw `images` (N, pixels) or (N, height, width) for.

        They are scaled as in training.
        """
        return self._trained(which).classes[self.outputs(images, which).argmax(1)]

    def outputs(self, images: Any, which: str = "last") -> np.ndarray:
        """What it makes of raw `images`: (N, classes), probabilities for the cross-entropies."""
        pixels = np.asarray(images)
        if pixels.ndim < 2 or pixels.dtype.kind not in "buif":
            raise UserError(f"images: {pixels.dtype} of shape {pixels.shape}; expected numbers (N, pixels)")
        return self._trained(which).outputs(pixels.reshape(len(pixels), -1))

    def _trained(self, which: str) -> TrainedRun:
        if which not in ("last", "best", "initial"):
            raise UserError(f"which={which!r}: expected last, best or initial")
        if which not in self._opened:
            from mlp_study.engines.trained import open_run

            self._opened[which] = open_run(self.folder, which)
        return self._opened[which]

    @cached_property
    def _opened(self) -> dict[str, TrainedRun]:
        return {}

    def __repr__(self) -> str:
        metrics = {} if self.damage() else self.metrics()
        shown = "".join(
            f", {key}={value:.4f}" for key in ("val_acc", "test_acc") if (value := metrics.get(key)) is not None
        )
        return f"Run({self.name!r}, {self.status}{shown}, folder={str(self.folder)!r})"
