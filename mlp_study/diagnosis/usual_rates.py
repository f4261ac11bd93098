"""Learning rates at which optimizers are used, and how far one step of a run moves its weights."""

from __future__ import annotations

import math

from mlp_study.diagnosis.patient import Patient

# Where an optimizer usually trains networks like these: between a tenth of the low and ten times the high end hardly
# ever. Losses that are a mean over outputs (mse, binary cross-entropy) have gradients that are smaller by their number.
USUAL = {
    "sgd": (0.01, 0.5), "momentum": (0.001, 0.1), "nesterov": (0.001, 0.1), "adam": (1e-4, 3e-3),
    "adamw": (1e-4, 3e-3), "adamax": (1e-4, 1e-2), "nadam": (1e-4, 3e-3), "rmsprop": (1e-4, 3e-3),
    "adagrad": (1e-3, 0.1), "adadelta": (0.1, 2.0),
}  # fmt: skip
MEANS = ("mse", "binary_cross_entropy")
PLAIN = ("sgd", "momentum", "nesterov")


def kind(patient: Patient) -> str:
    """The optimizer by its plain name."""
    return patient.config.optim.name.split("_")[0]


def rate(patient: Patient) -> float:
    """The learning rate, the mean of several."""
    value = patient.config.optim.as_dict().get("lr", math.nan)
    return float(sum(value) / len(value)) if isinstance(value, list) else float(value)


def usual(patient: Patient) -> tuple[float, float]:
    """The usual rates of its optimizer with its loss."""
    low, high = USUAL.get(kind(patient), (1e-4, 1.0))
    factor = float(patient.num_classes) if patient.config.loss in MEANS and kind(patient) in PLAIN else 1.0
    return low * factor, high * factor * (3.0 if factor > 1 else 1.0)


def first_steps(patient: Patient) -> dict[str, float]:
    """By layer: how far the first steps move the kernel, as a share of its norm; about 1e-3 is usual.

    Of plain SGD the rate times gradient over kernel; with momentum, what that adds up to. Other optimizers move each
    weight by about the rate.
    """
    settings = patient.config.optim.as_dict()
    if kind(patient) in PLAIN:
        factor = rate(patient) / (1.0 - float(settings.get("momentum") or 0.0))
        return {name: factor * step for name, step in patient.by_layer("step", patient.start).items()}
    if not patient.history or kind(patient) in ("adadelta", "adagrad"):
        return {}
    spreads = patient.by_layer("weight_std", patient.history[0])
    return {name: rate(patient) / spread for name, spread in spreads.items() if spread > 0}
