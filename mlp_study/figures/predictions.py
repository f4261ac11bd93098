"""What `mlp_study.predict` leaves, drawn: confusion matrices side by side, the surest mistakes below."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import imread


def confusions(folders: Mapping[str, Path]) -> Figure:
    """For each title, the confusion.csv and mistakes.png of a folder."""
    figure = Figure(figsize=(5.6 * len(folders), 7.2), layout="constrained")
    axes = figure.subplots(2, len(folders), squeeze=False, height_ratios=(3, 1))
    for (title, folder), (top, bottom) in zip(folders.items(), axes.T, strict=True):
        counts = pd.read_csv(folder / "confusion.csv", index_col=0).to_numpy()
        top.imshow(np.maximum(counts, 0.5), cmap="cividis", norm=LogNorm(0.5, counts.max()))
        for (i, j), number in np.ndenumerate(counts):
            if number:
                top.text(j, i, number, ha="center", va="center", fontsize=8, color="black" if number > 60 else "white")
        top.set_xticks(range(len(counts)))
        top.set_yticks(range(len(counts)))
        top.set_xlabel("predicted")
        top.set_ylabel("digit")
        top.set_title(f"{title}: {np.trace(counts) / counts.sum():.2%} of {counts.sum():,}")
        bottom.imshow(imread(folder / "mistakes.png"))
        bottom.set_title("surest mistakes: digit > prediction", fontsize=10)
        bottom.axis("off")
    return figure
