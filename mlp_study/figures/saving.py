"""Figures as files, each written in one step; the same figure is the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from mlp_study.files import replaced


def save(
    figure: Figure, folder: Path, name: str, dpi: int = 120, endings: Sequence[str] = ("png", "svg")
) -> list[Path]:
    """Write the figure into `folder`; returns the files.

    Raises:
        NotWritten: the disk is full, or the like.
    """
    written = [folder / f"{name}.{ending}" for ending in endings]
    for path in written:
        with replaced(path) as temporary:
            ending = path.suffix[1:]
            figure.savefig(temporary, format=ending, dpi=dpi, metadata={"Date": None} if ending == "svg" else None)
    return written
