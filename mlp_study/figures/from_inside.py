"""A run from inside, beside one that trains: what a doctor looks at, layer by layer over epochs."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mlp_study.diagnosis.patient import Patient
from mlp_study.diagnosis.symptoms import Symptom
from mlp_study.diagnosis.verdict import Verdict
from mlp_study.figures.style import COLOURS, STYLES, caption, legend, log_if_wide, whole_epochs
from mlp_study.showing import label

ROWS = {
    "gradient": "gradient of each layer's kernel, its norm\na factor of 1000 between layers: it vanishes",
    "pre_std": "spread of what goes into each activation: about 1 is usual",
    "moved": "how far each kernel has moved, over its size\nnear 0: it does not learn; above 10: it was thrown",
    "dead": "units that answer the same to every image: 0 is usual, 1 is a dead layer",
}
MOST_LAYERS = 8
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8}  # under words that lines pass


def from_inside(patient: Patient, verdict: Verdict, healthy: Patient | None = None) -> Figure:
    """Accuracy, gradients, activations, movement and dead units; the first symptom is marked.

    Args:
        patient: the run.
        verdict: on it.
        healthy: the same run with a cure, to be drawn beside; None where there is none.
    """
    shown = {"this run": patient} | ({} if healthy is None else {"with the cure": healthy})
    figure = Figure(figsize=(5.2 * len(shown) + 0.8, 12), layout="constrained")
    axes = figure.subplots(1 + len(ROWS), len(shown), sharey="row", squeeze=False)
    layers: dict[str, Any] = {}
    for column, (title, one) in enumerate(shown.items()):
        axis = axes[0][column]
        axis.set_title(label(title))
        epochs = range(1, len(one.history) + 1)
        for part, name, style in (("train", "training", "--"), ("val", "validation", "-")):
            if one.history and f"{part}_acc" in one.history[0]:
                values = [row[f"{part}_acc"] for row in one.history]
                axis.plot(epochs, values, style, marker="o" if len(values) < 3 else None, color="black", label=name)
        axis.axhline(verdict.allowed, color=COLOURS[2], linewidth=1)
        axis.axhline(one.chance, color=COLOURS[1], linewidth=1)
        for height, said, colour in ((verdict.allowed, "what these data allow", 2), (one.chance, "a guess", 1)):
            looks: dict[str, Any] = {"color": COLOURS[colour], "fontsize": 8, "ha": "right", "va": "top", "bbox": PAPER}
            axis.text(0.98, height - 0.03, said, transform=axis.get_yaxis_transform(), **looks)
        axis.set_ylim(0, 1.02)
        if not column:
            axis.set_ylabel("accuracy (dashed: training)", fontsize=9)
        for row, what in enumerate(ROWS, 1):
            layers |= _lines(axes[row][column], one, what)
        whole_epochs(axes[-1][column])
    for row, said in enumerate(ROWS.values(), 1):
        axes[row][0].set_title(said, fontsize=9, loc="left")
        for axis in axes[row]:
            axis.grid(alpha=0.3)
        log_if_wide(axes[row])
    for axis in axes[list(ROWS).index("dead") + 1]:
        axis.set_ylim(-0.02, 1.02)
    if verdict.symptoms and patient.history:
        # The one that counts most, and the earliest, which may have led to it.
        marked = {symptom.epoch: symptom for symptom in (min(verdict.symptoms, key=_epoch), verdict.symptoms[0])}
        for epoch, symptom in marked.items():
            for axis in axes[:, 0]:
                axis.axvline(epoch, color=COLOURS[1], linestyle=":", linewidth=1.5)
            is_late = epoch > 0.6 * len(patient.history)
            how: dict[str, Any] = {"ha": "right" if is_late else "left", "va": "center", "fontsize": 9, "bbox": PAPER}
            name = f"{label(symptom.name)} " if is_late else f" {label(symptom.name)}"
            axes[0][0].text(epoch, 0.28, name, color=COLOURS[1], **how)
    caption(figure, f"{verdict.run}: {verdict.line()}")
    legend(figure, list(layers.values()), list(layers))
    return figure


def _epoch(symptom: Symptom) -> int:
    return symptom.epoch


def _lines(axis: Any, patient: Patient, what: str) -> dict[str, Any]:
    names = patient.layers if what != "dead" else patient.hidden
    chosen = (
        names
        if len(names) <= MOST_LAYERS
        else [names[i] for i in np.linspace(0, len(names) - 1, MOST_LAYERS, dtype=int)]
    )
    found = {}
    for name in chosen:
        i = patient.layers.index(name)
        values = np.array([row.get(f"{what}/{name}", np.nan) for row in patient.evidence])
        values[~np.isfinite(values)] = np.nan
        (line,) = axis.plot(range(len(values)), values, color=COLOURS[i % len(COLOURS)], linestyle=STYLES[i // 8 % 4])
        found[label(name)] = line
    return found
