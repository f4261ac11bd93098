"""A run as a doctor sees it: its settings, its record and what was seen inside it. Torch is not needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlp_study.config import Config
from mlp_study.errors import UserError
from mlp_study.runs.asked import Asked
from mlp_study.runs.result import EVIDENCE, FAILED, HISTORY, UNFINISHED, Damaged, Result, read_result, read_rows
from mlp_study.runs.run import read_config
from mlp_study.runs.unfinished import unfinished

Row = Mapping[str, float]


@dataclass(frozen=True)
class Patient:
    """One run.

    Attributes:
        folder: its directory.
        result: how it ended, or how far it has come.
        history: a row an epoch.
        evidence: from before training on, see `mlp_study.learning.vital_signs`; empty for a run of an earlier version.
    """

    folder: Path
    result: Result
    history: Sequence[Row]
    evidence: Sequence[Row]

    @classmethod
    def read(cls, folder: Path, result: Result | None = None) -> Patient:
        """The run in `folder`.

        Args:
            folder: of the run.
            result: of whoever has read it already.

        Raises:
            UserError: there is none, its record is damaged, or it has not finished an epoch and tells nothing else.
        """
        result = result or read_result(folder)
        if result is None:
            read_config(folder)  # says what is wrong where there is no run
            result = unfinished(folder, Asked.in_folder(folder.parent).runs.get(folder.name, ()))
        history = read_rows(folder) if (folder / HISTORY).exists() else []
        evidence = read_rows(folder, EVIDENCE) if (folder / EVIDENCE).exists() else []
        if evidence and [row.get("epoch") for row in evidence] != list(range(len(evidence))):
            raise Damaged(f"{folder / EVIDENCE}: damaged: not numbers for epochs 0, 1, 2, ...")
        if result.status in (UNFINISHED, FAILED) and not history:
            raise UserError(f"{folder}: has not finished an epoch; there is nothing to say of it yet")
        return cls(folder, result, history, evidence)

    @cached_property
    def config(self) -> Config:
        """Its settings; read when they are asked for: of a healthy run they are not.

        Raises:
            UserError: they are missing, or damaged.
        """
        return read_config(self.folder)

    @property
    def part(self) -> str:
        """Of the images that it is judged by: validation, or training where nothing is held out."""
        return "val" if self.history and "val_acc" in self.history[0] else "train"

    @property
    def accuracies(self) -> list[float]:
        """By epoch, of the images that it is judged by."""
        return [row[f"{self.part}_acc"] for row in self.history]

    @property
    def best(self) -> float:
        """The highest of them; 0 where there is none."""
        return max((value for value in self.accuracies if math.isfinite(value)), default=0.0)

    @property
    def chance(self) -> float:
        """The accuracy of a guess."""
        return 1.0 / self.num_classes

    @property
    def num_classes(self) -> int:
        """Of the labels; ten where an earlier version has not noted it."""
        return int(self.start.get("num_classes", 10))

    @property
    def allowed(self) -> float:
        """What the data allow at least: half the errors of the nearest class mean, less what so few images leave open.

        On MNIST that is .90, where a linear classifier has .92. Two standard deviations of a share are left open. Where
        nothing is known of the data, half the errors of a guess.
        """
        aim = 1.0 - 0.5 * (1.0 - self.start.get("centroid_acc", self.chance))
        return aim - 2.0 * math.sqrt(aim * (1.0 - aim) / self.start.get("num_judged", math.inf))

    @property
    def start(self) -> Row:
        """What was seen before training."""
        return self.evidence[0] if self.evidence else {}

    @property
    def end(self) -> Row:
        """What was seen last that is finite; of a run that diverged, before it did."""
        finite = [row for row in self.evidence if all(map(math.isfinite, row.values()))]
        return finite[-1] if finite else {}

    @property
    def layers(self) -> list[str]:
        """The names of the dense layers, output last."""
        return [key.partition("/")[2] for key in self.start if key.startswith("gradient/")]

    @property
    def hidden(self) -> list[str]:
        """The names of the hidden ones."""
        return self.layers[:-1]

    def by_layer(self, what: str, row: Row) -> dict[str, float]:
        """A number of `row` for each layer that has one, finite."""
        found = {key.partition("/")[2]: value for key, value in row.items() if key.startswith(f"{what}/")}
        return {name: value for name, value in found.items() if math.isfinite(value)}
