"""What an earlier inspection left is of other images, weights or layers than what replaces it: it goes first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlp_study.inspection import projector

RECORD = "inspection.json"


def remove(folder: Path, layers: Sequence[str]) -> bool:
    """Remove the files about images that an inspection of ours left in `folder`; whether embeddings were among them.

    layers: all dense layers of the network.
    """
    if not (folder / RECORD).is_file():  # which every inspection writes before any of them
        return False
    pictures = [f"embeddings_{layer}.{kind}" for layer in layers for kind in ("png", "svg")]
    found = [folder / name for name in ("embeddings.html", "embeddings.csv", "scores.csv", *pictures)]
    had_embeddings = any(path.exists() for path in found)
    found += [folder / f"{name}.npy" for name in ("labels", *layers)]
    found += [folder / projector.FOLDER / name for name in projector.files(layers)]
    for path in found:
        path.unlink(missing_ok=True)
    return had_embeddings
