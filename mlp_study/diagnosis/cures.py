"""What might make a sick run train: single changes to it, those for its suspects first, then pairs.

A change that chooses another optimizer, initialization or schedule drops the numbers that were set for the old one:
Adam must not be tried at the 10 that was meant for SGD.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from mlp_study.diagnosis.causes import Suspect
from mlp_study.diagnosis.patient import Patient
from mlp_study.diagnosis.usual_rates import PLAIN, kind, rate, usual
from mlp_study.runs.asked import pairs

GROUPS = ("optim", "init", "bias_init", "schedule", "loss")
MOST_EPOCHS = 4  # times as many, for a run that was too short
ADAM = ("optim=adam", "optim.lr=0.001")


@dataclass(frozen=True)
class Cure:
    """A change.

    Attributes:
        words: overrides, as typed.
        against: the suspect that it is for; "" for one that is tried anyway.
    """

    words: tuple[str, ...]
    against: str = ""

    def __str__(self) -> str:
        return " ".join(self.words)


def changed(overrides: Sequence[str], cure: Sequence[str]) -> list[str]:
    """The overrides of a run with a cure in place; numbers of a group that is chosen anew are left out."""
    keys = pairs(cure)
    gone = {key for key in keys if key in GROUPS}
    kept = [
        word for word in overrides
        for key in [word.lstrip("+").partition("=")[0]]
        if key not in keys and key.partition(".")[0] not in gone
    ]  # fmt: skip
    return [*kept, *cure]


def candidates(patient: Patient, suspects: Sequence[Suspect], num: int) -> list[Cure]:
    """The first `num` changes to try, each once: for suspects by turns, then those that often help, then pairs."""
    by_suspect = [[Cure(words, suspect.name) for words in _against(patient, suspect.name)] for suspect in suspects]
    longest = max(map(len, by_suspect), default=0)
    turns = [group[i] for i in range(longest) for group in by_suspect if i < len(group)]
    # More epochs cost more than all the rest; that a run had too few is mostly said of one that learns too slowly.
    turns.sort(key=lambda cure: cure.against == "too few epochs" != suspects[0].name)
    once: dict[tuple[str, ...], Cure] = {}
    for cure in [*turns, *map(Cure, _often(patient))]:
        once.setdefault(cure.words, cure)
    singles = [cure for cure in once.values() if not _is_so(patient, cure.words)]
    firsts = [group[0] for group in by_suspect[:4] if group]
    both = [
        Cure((*a.words, *b.words), f"{a.against} and {b.against}")
        for a, b in combinations(firsts, 2)
        if not pairs(a.words).keys() & pairs(b.words).keys()
    ]
    num_pairs = min(len(both), num // 4)
    return [*singles[: num - num_pairs], *both[:num_pairs]]


def _is_so(patient: Patient, words: Sequence[str]) -> bool:
    """Whether the run has been trained so already."""
    settings = patient.config.as_dict()
    for key, value in pairs(words).items():
        found: Any = settings
        for part in key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if isinstance(found, dict):
            found = found.get("name")
        said = "[" + ",".join(map(str, found)) + "]" if isinstance(found, list) else str(found).lower()
        if said != value and f"{found}" != value:
            return False
    return True


def _against(patient: Patient, cause: str) -> Iterator[tuple[str, ...]]:
    """Changes that take a cause away, the likeliest first."""
    model, epochs = patient.config.model, patient.config.trainer.max_epochs
    value, (low, high) = rate(patient), usual(patient)
    hidden = list(model.hidden)
    found: dict[str, list[tuple[str, ...]]] = {
        "learning rate too high": [_lr(v) for v in (value / 10, value / 100, low, value / 3) if v < value],
        "learning rate too low": [_lr(v) for v in (value * 10, high, value * 100, value * 3) if v > value],
        "unscaled input": [("data.scaling=minmax",), ("data.scaling=standard",), _lr(value / 100)],
        "initialization symmetric": [("init=glorot",), ("init=he_normal",)],
        "initialization too large": [("init=glorot", "bias_init=zeros"), ("init=he_normal", "bias_init=zeros")],
        "initialization too small": [("init=he_normal",), ("model.batch_norm=true",), ("init=glorot",)],
        "missing activation": [("model.activation=relu",), ("model.activation=tanh",)],
        "dead ReLU": [("model.activation=leaky_relu",), ("init=he_normal",), _lr(value / 10)],
        "saturating activation": [("model.activation=relu",), ("init=glorot", "bias_init=zeros"), _lr(value / 10)],
        "too deep for its initialization": [
            ("model.batch_norm=true",), ("init=he_normal",), (_hidden(hidden[:2]),), ("model.activation=tanh",),
        ],
        "too little capacity": [(_hidden([100] * max(1, len(hidden))),), (_hidden([100]),)],
        "penalty too strong": [("model.l2=0",)],
        "dropout too strong": [("model.dropout=0",), ("model.dropout=0.2",)],
        "loss and output that do not match": [("loss=cross_entropy", "model.output_activation=auto")],
        "too few epochs": [(f"trainer.max_epochs={MOST_EPOCHS * epochs}",)],
        "batch too large": [("data.batch_size=32",), ("data.batch_size=128",)],
        "batch too small": [("data.batch_size=32",)],
        "too few images for its capacity": [("data.val_fraction=0.1",), ("model.dropout=0.3",), ("model.l2=0.0001",)],
    }  # fmt: skip
    if cause == "too few epochs" and patient.config.trainer.limit_train_batches:
        yield ("trainer.limit_train_batches=null",)
    yield from found.get(cause, [])


def _often(patient: Patient) -> Iterator[tuple[str, ...]]:
    """What is tried whatever is suspected."""
    value = rate(patient)
    if kind(patient) != "adam":
        yield ADAM
    yield _lr(value / 10)
    yield ("init=he_normal", "bias_init=zeros")
    yield ("data.scaling=standard",)
    yield ("model.batch_norm=true",)
    yield _lr(value * 10)
    yield ("trainer.gradient_clip_val=1",)
    if patient.config.loss != "cross_entropy":
        yield ("loss=cross_entropy", "model.output_activation=auto")
    yield ("model.activation=relu",)
    if kind(patient) not in PLAIN:
        yield ("optim=sgd", "optim.lr=0.1")


def _lr(value: float) -> tuple[str, ...]:
    return (f"optim.lr={value:.3g}",)


def _hidden(widths: Sequence[int]) -> str:
    return "model.hidden=[" + ",".join(map(str, widths)) + "]"
