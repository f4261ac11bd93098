"""Example digits: one of each class, as it comes and as the network sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mlp_study.data import sources
from mlp_study.data.scaling import Scaler
from mlp_study.errors import UserError
from mlp_study.runs.run import read_config


def example_digits(run: Path) -> Figure | None:
    """The first training image of each class of the run's data; None where its data are gone or no images."""
    try:
        pixels, labels, shape = sources.training_pixels(read_config(run).data)
        scaler = Scaler.load(run / "scaler.npz")
    except (OSError, UserError):
        return None
    if shape is None:
        return None
    classes = np.unique(labels)
    chosen = pixels[[int(np.argmax(labels == label)) for label in classes]]
    rows = {"as it comes": chosen, f"scaling={scaler.name}": scaler.transform(chosen)}
    figure = Figure(figsize=(1.05 * len(classes) + 0.8, 2.9), layout="constrained")
    axes = figure.subplots(len(rows), len(classes), squeeze=False)
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for axis, image in zip(line, images, strict=True):
            axis.imshow(image.reshape(shape), cmap="gray_r")
            axis.set_xticks([])
            axis.set_yticks([])
        line[0].set_ylabel(name)
    for axis, label in zip(axes[0], classes, strict=True):
        axis.set_title(str(label))
    return figure
