"""The verdict on a run, without training: healthy, or sick with symptoms and suspected causes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlp_study.diagnosis.causes import Suspect, suspects
from mlp_study.diagnosis.patient import Patient
from mlp_study.diagnosis.symptoms import Symptom, symptoms
from mlp_study.errors import UserError
from mlp_study.runs.table import State


@dataclass(frozen=True)
class Verdict:
    """On one run.

    Attributes:
        run: its name.
        accuracy: the highest of the images that it is judged by.
        allowed: what its data allow at least.
        symptoms: none where it is healthy.
        suspects: the likeliest first.
        unknown: what cannot be known, and why; nothing for a run of this version.
    """

    run: str
    accuracy: float
    allowed: float
    symptoms: Sequence[Symptom]
    suspects: Sequence[Suspect]
    unknown: str

    @property
    def is_healthy(self) -> bool:
        """Whether it is."""
        return not self.symptoms

    def line(self) -> str:
        """In a line, as in a study's table."""
        if self.is_healthy:
            return "healthy"
        cause = f"; suspected: {self.suspects[0].name}" if self.suspects else "; cause unknown"
        return ", ".join(dict.fromkeys(symptom.name for symptom in self.symptoms)) + cause

    def as_dict(self) -> dict[str, Any]:
        """All of it, plain."""
        return {**asdict(self), "is_healthy": self.is_healthy}


def diagnose(folder: Path) -> Verdict:
    """The verdict on the run in `folder`.

    Raises:
        UserError: there is no run, its record is damaged, or it has not finished an epoch.
    """
    return verdict(Patient.read(folder))


def said_of(folder: Path, state: State | None = None) -> str:
    """In a line, for a table; empty where nothing can be said.

    Args:
        folder: of the run.
        state: of whoever has read it already: its result, or what is wrong with its record.
    """
    if isinstance(state, str):
        return ""
    try:
        return verdict(Patient.read(folder, state)).line()
    except UserError:
        return ""


def verdict(patient: Patient) -> Verdict:
    """On a run that has been read."""
    found = symptoms(patient)
    unknown = (
        "" if patient.evidence else "what went on inside it: it was trained by an earlier version, or failed early"
    )
    causes = suspects(patient, found)
    return Verdict(patient.result.name, patient.best, patient.allowed, found, causes, unknown)
