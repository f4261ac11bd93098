"""What is wrong with a run, each with its number and epoch. Outcome first: what reaches what its data allow is well."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from mlp_study.diagnosis.patient import Patient
from mlp_study.runs.result import DIVERGED

# Thresholds were chosen on the cases of grade C and H, see DIAGNOSIS.md.
CHANCE = 1.5  # times a guess: below that nothing was learned
CONSTANT = 0.99  # of the images given to one class
LOST = 0.05  # of accuracy between the best epoch and the last
GAP = 0.1  # between training and validation accuracy
SWING, SWINGS = 0.03, 0.2  # a drop of accuracy, and the share of epochs with one
RISING = 0.003  # of accuracy in an epoch, by the end: it is still learning
DEAD, FLAT = 0.5, 0.5  # of the units of a layer; of its activations


@dataclass(frozen=True)
class Symptom:
    """One of them.

    Attributes:
        name: of a fixed list.
        said: a sentence with the number.
        epoch: when it was first seen; 0 is before training.
    """

    name: str
    said: str
    epoch: int


def symptoms(patient: Patient) -> list[Symptom]:
    """Those of a run, the most telling first; none for a healthy one."""
    found = [symptom for rule in OUTCOMES if (symptom := rule(patient)) is not None]
    found = list({symptom.name: symptom for symptom in reversed(found)}.values())[::-1]
    if not found:
        return []
    return found + [symptom for rule in INSIDE if (symptom := rule(patient)) is not None]


def _diverged(patient: Patient) -> Symptom | None:
    if patient.result.status != DIVERGED:
        return None
    return Symptom("diverged", f"diverged: {patient.result.reason}", patient.result.epochs)


def _does_not_learn(patient: Patient) -> Symptom | None:
    if not patient.history or patient.best > CHANCE * patient.chance:
        return None
    said = f"does not learn: accuracy never above {patient.best:.3f}, where a guess has {patient.chance:.3f}"
    losses = [row["train_loss"] for row in patient.history if math.isfinite(row["train_loss"])]
    expected = math.log(patient.num_classes)
    if losses and patient.config.loss == "cross_entropy" and abs(losses[-1] - expected) < 0.05 * expected:
        said += f"; loss {losses[-1]:.2f}, that of a guess (ln {patient.num_classes} = {expected:.2f})"
    return Symptom("does not learn", said, 1)


def _below(patient: Patient) -> bool:
    return CHANCE * patient.chance < patient.best < patient.allowed


def _slow(patient: Patient) -> Symptom | None:
    if not _below(patient) or _rise(patient) < RISING:
        return None
    said = (
        f"slow: accuracy {patient.best:.3f} after {len(patient.history)} epochs, where these data allow "
        f"{patient.allowed:.3f}, and still rising by {_rise(patient):.3f} an epoch"
    )
    return Symptom("slow", said, len(patient.history))


def _plateau(patient: Patient) -> Symptom | None:
    if not _below(patient) or _rise(patient) >= RISING:
        return None
    values = patient.accuracies
    first = next(i for i, value in enumerate(values, 1) if value >= patient.best - 0.01)
    said = f"stuck on a plateau: accuracy {patient.best:.3f} from epoch {first} on, where these data allow"
    return Symptom("stuck on a plateau", f"{said} {patient.allowed:.3f}", first)


def _rise(patient: Patient) -> float:
    """Of accuracy an epoch, over the last third: a short run is rising."""
    values = [value for value in patient.accuracies if math.isfinite(value)]
    if len(values) < 3:
        return math.inf if len(values) < 2 or values[-1] >= values[0] else 0.0
    num = max(2, len(values) // 3 + 1)
    return (max(values[-num // 2 :]) - values[-num]) / (num - 1)


def _lost(patient: Patient) -> Symptom | None:
    values = patient.accuracies
    if not values or not math.isfinite(values[-1]) or values[-1] >= patient.best - LOST:
        return None
    epoch = values.index(patient.best) + 1
    said = f"unstable: accuracy fell from {patient.best:.3f} in epoch {epoch} to {values[-1]:.3f} in the last one"
    return Symptom("unstable", said, epoch + 1)


def _unstable(patient: Patient) -> Symptom | None:
    values = patient.accuracies
    drops = [i for i, (a, b) in enumerate(pairwise(values), 2) if a - b >= SWING]
    if len(drops) < max(2, SWINGS * (len(values) - 1)):
        return None
    said = f"unstable: accuracy fell by {SWING} or more in {len(drops)} of {len(values) - 1} epochs"
    return Symptom("unstable", said, drops[0])


def _overfits(patient: Patient) -> Symptom | None:
    if patient.part != "val" or not patient.history:
        return None
    gaps = [row["train_acc"] - row["val_acc"] for row in patient.history]
    if not math.isfinite(gaps[-1]) or gaps[-1] < GAP:
        return None
    last, epoch = patient.history[-1], next(i for i, gap in enumerate(gaps, 1) if gap >= GAP)
    said = f"overfits: accuracy {last['train_acc']:.3f} on training images, {last['val_acc']:.3f} on held-out ones"
    return Symptom("overfits", said, epoch)


def _constant(patient: Patient) -> Symptom | None:
    if patient.end.get("predicted", 0) < CONSTANT:
        return None
    epoch = next(int(row["epoch"]) for row in patient.evidence if row["predicted"] >= CONSTANT)
    return Symptom("constant prediction", "one class is predicted for all images", epoch)


def _dead(patient: Patient) -> Symptom | None:
    for row in patient.evidence:
        layers = {name: share for name, share in patient.by_layer("dead", row).items() if name in patient.hidden}
        if layers and max(layers.values()) > DEAD:
            name = max(layers, key=layers.__getitem__)
            share = f"{layers[name]:.0%} of the units of {name} answer the same to every image"
            return Symptom("dead units", share, int(row["epoch"]))
    return None


def _saturated(patient: Patient) -> Symptom | None:
    for epoch, row in enumerate(patient.history, 1):
        layers = patient.by_layer("act_saturated", row)
        if layers and max(layers.values()) > FLAT:
            name = max(layers, key=layers.__getitem__)
            return Symptom("saturated", f"{layers[name]:.0%} of the activations of {name} are where it is flat", epoch)
    return None


def _underfits(patient: Patient) -> Symptom | None:
    if not _below(patient) or not patient.history or patient.history[-1]["train_acc"] >= patient.allowed:
        return None
    return Symptom("underfits", f"accuracy {patient.history[-1]['train_acc']:.3f} on the images it trains on", 1)


Rule = Callable[[Patient], Symptom | None]
OUTCOMES: tuple[Rule, ...] = (_diverged, _does_not_learn, _lost, _unstable, _plateau, _slow, _overfits)
INSIDE: tuple[Rule, ...] = (_constant, _dead, _saturated, _underfits)
