"""Pictures that other commands drew, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.image import imread


def pictures(files: Mapping[str, Path]) -> Figure:
    """Each PNG file under its title."""
    images = {title: imread(path) for title, path in files.items()}
    widths = [image.shape[1] / image.shape[0] for image in images.values()]
    figure = Figure(figsize=(5 * sum(widths), 5.2), layout="constrained")
    for axis, (title, image) in zip(
        figure.subplots(1, len(images), squeeze=False, width_ratios=widths)[0], images.items(), strict=True
    ):
        axis.imshow(image)
        axis.set_title(title)
        axis.axis("off")
    return figure
