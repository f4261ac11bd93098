"""What may have made a run sick: suspects, each with its evidence, the likeliest first. Rules only nominate.

Whether a suspect is guilty is found out by training without it, see `mlp_study.diagnosis.curing`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlp_study.diagnosis.patient import Patient
from mlp_study.diagnosis.symptoms import Symptom
from mlp_study.diagnosis.usual_rates import first_steps, kind, rate, usual

# Thresholds were chosen on the cases of grade C and H, see DIAGNOSIS.md.
LARGE_INPUT, OFF_CENTRE = 30.0, 5.0  # of an input, and of the mean of all
BIG_STEP, SMALL_STEP = 0.3, 1e-4  # the share of a kernel that a first step moves
DEEP = 6  # hidden layers
RECTIFIED = {"relu"}
BOUNDED = {"sigmoid", "tanh", "softsign"}


@dataclass(frozen=True)
class Suspect:
    """A cause.

    Attributes:
        name: as in "learning rate too high".
        score: of larger ones is the more suspected.
        said: the evidence, in a sentence.
    """

    name: str
    score: float
    said: str


def suspects(patient: Patient, symptoms: Sequence[Symptom]) -> list[Suspect]:
    """Of a sick run, the most suspected first; none of a healthy one."""
    if not symptoms:
        return []
    names = {symptom.name for symptom in symptoms}
    found = [suspect for rule in RULES if (suspect := rule(patient, names)) is not None]
    return sorted(found, key=lambda suspect: -suspect.score)


def _unscaled(patient: Patient, names: set[str]) -> Suspect | None:
    if not patient.start:
        is_raw = patient.config.data.scaling == "none"
        return (
            Suspect("unscaled input", 5.0, "data.scaling=none; what the inputs are was not noted") if is_raw else None
        )
    largest = max(abs(patient.start["input_min"]), abs(patient.start["input_max"]))
    mean, spread = patient.start["input_mean"], patient.start["input_std"]
    if patient.config.data.scaling != "none" or (spread <= OFF_CENTRE and largest <= LARGE_INPUT):
        return None
    said = f"inputs reach {largest:.3g}, with mean {mean:.3g} and deviation {spread:.3g}; near 1 is usual"
    return Suspect("unscaled input", 9.0, said)


def _symmetric(patient: Patient, names: set[str]) -> Suspect | None:
    alike = {name: value for name, value in patient.by_layer("alike", patient.start).items() if name in patient.hidden}
    if not alike or max(alike.values()) < 0.999:
        return None
    name = max(alike, key=alike.__getitem__)
    said = f"all units of {name} begin alike, so that they learn alike: {name} is worth one unit"
    return Suspect("initialization symmetric", 9.5, said)


def _init_large(patient: Patient, names: set[str]) -> Suspect | None:
    spreads = patient.by_layer("pre_std", patient.start)
    if not spreads:
        return None
    expected = {"cross_entropy": math.log(patient.num_classes), "binary_cross_entropy": math.log(2)}
    loss, usual_loss = patient.start["loss"], expected.get(patient.config.loss)
    name = max(spreads, key=spreads.__getitem__)
    scale = max(1.0, patient.start["input_std"])
    is_far = usual_loss is not None and (not math.isfinite(loss) or loss > 3 * usual_loss)
    if spreads[name] / scale < 4 and not (is_far and patient.start["input_std"] < OFF_CENTRE):
        return None
    said = f"before training, what goes into {name} has deviation {spreads[name]:.3g} (1 is usual)"
    if is_far and usual_loss is not None:
        said += f" and the loss is {loss:.3g} where a guess has {usual_loss:.2f}"
    return Suspect("initialization too large", 7.0 + (spreads[name] / scale > 10), said)


def _init_small(patient: Patient, names: set[str]) -> Suspect | None:
    spreads = patient.by_layer("pre_std", patient.start)
    if len(spreads) < 2 or patient.config.init.name == "zeros":
        return None
    last, first = list(spreads.values())[-1], next(iter(spreads.values()))
    if last > 0.02 * first and last > 1e-3:
        return None
    said = f"before training, differences between images shrink from {first:.2g} in the first layer to {last:.2g}"
    is_deep = len(spreads) > DEEP
    return Suspect("initialization too small", 7.5 if "does not learn" in names or is_deep else 4.0, said)


def _rate_high(patient: Patient, names: set[str]) -> Suspect | None:
    low, high = usual(patient)
    steps, value = first_steps(patient), rate(patient)
    largest = max(steps.values(), default=0.0)
    score, said = 0.0, [f"{kind(patient)} at {value:.3g}, where {low:.3g} to {high:.3g} is usual"]
    if value > high:
        score += 4.0 + min(4.0, 2 * math.log10(value / high))
    if largest > BIG_STEP:
        name = max(steps, key=steps.__getitem__)
        score += 2.0
        said.append(f"a first step moves {name} by {largest:.2g} of itself (1e-3 is usual)")
    losses = [row["loss"] for row in patient.evidence]
    if len(losses) > 1 and (not math.isfinite(losses[1]) or losses[1] > 1.2 * losses[0]):
        score += 2.0
        said.append(f"the loss rose from {losses[0]:.3g} before training to {losses[1]:.3g} after an epoch")
    if score and names & {"diverged", "unstable"}:
        score += 1.5
    elif names & {"diverged", "unstable"}:
        score, said = 3.0, [*said, f"the run is {'unstable' if 'unstable' in names else 'diverged'}"]
    return Suspect("learning rate too high", score, "; ".join(said)) if score and value > low else None


def _rate_low(patient: Patient, names: set[str]) -> Suspect | None:
    low, high = usual(patient)
    steps, value = first_steps(patient), rate(patient)
    largest, score = max(steps.values(), default=1.0), 0.0
    said = [f"{kind(patient)} at {value:.3g}, where {low:.3g} to {high:.3g} is usual"]
    if value < low:
        score += 5.0 + min(3.0, math.log10(low / value))
    if largest < SMALL_STEP:
        score += 2.0
        said.append(f"a first step moves no layer by more than {largest:.1g} of itself (1e-3 is usual)")
    moved = max(patient.by_layer("moved", patient.end).values(), default=1.0)
    if moved < 0.05 and not names & {"diverged"}:
        score += 2.0
        said.append(f"in the whole run no kernel went further than {moved:.2g} of itself")
    if "slow" in names:
        score += 1.5
    if names & {"diverged", "unstable"} or value > high:
        return None
    return Suspect("learning rate too low", score, "; ".join(said)) if score else None


def _no_activation(patient: Patient, names: set[str]) -> Suspect | None:
    activations = patient.config.model.activations
    if not activations or "linear" not in activations:
        return None
    num = activations.count("linear")
    said = f"{num} of {len(activations)} hidden layers have no activation: together they are one linear layer"
    return Suspect("missing activation", 6.0 if num == len(activations) else 4.5, said)


def _dead(patient: Patient, names: set[str]) -> Suspect | None:
    if not RECTIFIED & set(patient.config.model.activations):
        return None
    before = patient.by_layer("dead", patient.start)
    after = {name: share for name, share in patient.by_layer("dead", patient.end).items() if name in patient.hidden}
    if not after or max(after.values()) < 0.4:
        return None
    name = max(after, key=after.__getitem__)
    said = f"{after[name]:.0%} of the ReLU units of {name} are 0 for every image, {before.get(name, 0):.0%} at first"
    return Suspect("dead ReLU", 5.0 + 2.0 * after[name], said)


def _saturated(patient: Patient, names: set[str]) -> Suspect | None:
    if "saturated" not in names:
        return None
    return Suspect(
        "saturating activation", 5.0, "most activations of a layer are where it is flat, and let no gradient pass"
    )


def _too_deep(patient: Patient, names: set[str]) -> Suspect | None:
    num = len(patient.hidden) or len(patient.config.model.activations)
    if num < DEEP:
        return None
    norms = list(patient.by_layer("gradient", patient.start).values())
    said = f"{num} hidden layers"
    if len(norms) > 2 and norms[-1] > 0:
        said += f"; before training the first one's gradient is {norms[0] / norms[-1]:.1g} of the last one's"
    return Suspect(
        "too deep for its initialization", 6.5 if num >= 2 * DEEP or names & {"does not learn"} else 5.0, said
    )


def _narrow(patient: Patient, names: set[str]) -> Suspect | None:
    widths = patient.config.model.hidden
    if widths and min(widths) >= 16:
        return None
    if not widths and not names & {"underfits", "stuck on a plateau"}:
        return None
    what = f"a hidden layer has {min(widths)} units" if widths else "there is no hidden layer"
    score = 7.0 if widths and min(widths) < patient.num_classes else 3.5
    return Suspect("too little capacity", score, f"{what}, for {patient.num_classes} classes")


def _penalty(patient: Patient, names: set[str]) -> Suspect | None:
    l2, share = patient.config.model.l2, patient.end.get("penalty", 0.0)
    if not l2 or (share < 0.3 and l2 < 1e-3):
        return None
    said = f"model.l2={l2:.3g}; at the end the penalty was {share:.0%} of the loss"
    return Suspect("penalty too strong", 4.0 + 4.0 * share + (l2 >= 5e-3) * 1.5, said)


def _dropout(patient: Patient, names: set[str]) -> Suspect | None:
    rates = patient.config.model.dropout
    most = max([*(rates if isinstance(rates, (list, tuple)) else [rates]), patient.config.model.input_dropout])
    if most < 0.4 or names & {"overfits"}:
        return None
    widths = patient.config.model.hidden
    narrow = bool(widths) and min(widths) < 64
    return Suspect("dropout too strong", 4.0 + 2.0 * narrow + 3 * max(0.0, most - 0.5), f"dropout of {most:g}")


def _wrong_loss(patient: Patient, names: set[str]) -> Suspect | None:
    if patient.config.loss == "cross_entropy":
        return None
    slow = bool(names & {"slow", "does not learn", "stuck on a plateau"})
    said = f"loss={patient.config.loss}: its gradient is small where the output is surely wrong"
    return Suspect("loss and output that do not match", 3.0 + 1.5 * slow, said)


def _few_epochs(patient: Patient, names: set[str]) -> Suspect | None:
    num = len(patient.history)
    steps = num * _steps(patient)
    if "slow" not in names and steps >= 300:
        return None
    score = 3.0 + 2.0 * (num <= 3) + 2.0 * (steps < 300)
    return Suspect("too few epochs", score, f"{num} epochs, {steps:.0f} steps in all, and it was still learning")


def _steps(patient: Patient) -> float:
    """Of an epoch, about: the number of images is not noted, but the time that they took is."""
    limit = patient.config.trainer.limit_train_batches
    timings = patient.result.timings
    seen = (timings.get("images_per_second") or 0.0) * (timings.get("train_seconds") or 0.0)
    per_epoch = seen / max(1, len(patient.history)) / patient.config.data.batch_size
    return min(limit, per_epoch) if limit else per_epoch


def _batch(patient: Patient, names: set[str]) -> Suspect | None:
    size = patient.config.data.batch_size
    if size >= 1024 and "slow" in names:
        return Suspect("batch too large", 4.5, f"batches of {size}: {_steps(patient):.0f} steps an epoch")
    if size <= 4 and names & {"unstable", "diverged", "stuck on a plateau", "slow"}:
        return Suspect("batch too small", 5.0, f"batches of {size}: gradients are mostly noise")
    return None


def _overfitting(patient: Patient, names: set[str]) -> Suspect | None:
    if "overfits" not in names or not patient.history:
        return None
    num = _steps(patient) * patient.config.data.batch_size
    return Suspect("too few images for its capacity", 6.0, f"it learns some {num:.0f} training images by heart")


Rule = Callable[[Patient, set[str]], Suspect | None]
RULES: tuple[Rule, ...] = (
    _unscaled, _symmetric, _init_large, _init_small, _rate_high, _rate_low, _no_activation, _dead, _saturated,
    _too_deep, _narrow, _penalty, _dropout, _wrong_loss, _few_epochs, _batch, _overfitting,
)  # fmt: skip
