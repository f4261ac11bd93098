"""What the dense layers make of a run's images: hidden representations, read off truncated networks.

Shapes: N images, `units` of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mlp_study.config import Config
from mlp_study.data import sources
from mlp_study.data.split import split_indices
from mlp_study.engines.trained import TrainedRun
from mlp_study.errors import UserError
from mlp_study.files import replaced
from mlp_study.nets.mlp import MLP
from mlp_study.progress import StepsBar

BATCH = 4096


@dataclass(frozen=True)
class Images:
    """One part of a run's images: `pixels` (N, pixels), not scaled; `labels` (N,); height and width, if images."""

    pixels: np.ndarray
    labels: np.ndarray
    shape: tuple[int, int] | None


def images_of(config: Config, part: str) -> Images:
    """The "train", "val" or "test" images of a run, train and val in the order that the split put them in.

    Raises:
        UserError: the run has no such images, or their files are gone.
    """
    raw = sources.load(config.data)
    if part == "test" or (part == "val" and config.data.validate_on == "test"):
        if raw.test_images is None or raw.test_labels is None:
            raise UserError("--part=test: the run's data source has no labelled test images; expected train or val")
        return Images(raw.test_images, raw.test_labels, raw.image_shape)
    rows = split_indices(config.data, raw.labels)[("train", "val").index(part)]
    if not len(rows):
        raise UserError(f"--part={part}: the run holds nothing out (data.val_fraction=0); expected train or test")
    return Images(raw.images[rows], raw.labels[rows], raw.image_shape)


def outputs(mlp: MLP, run: TrainedRun, pixels: np.ndarray, result: np.ndarray) -> None:
    """What `mlp` makes of `pixels` (N, pixels), scaled as the run's, into `result` (N, out_size), batch by batch."""
    is_double = mlp.layers[-1].weight.dtype == torch.float64
    with torch.no_grad(), np.errstate(over="ignore"):
        for start in range(0, len(pixels), BATCH):
            rows = slice(start, start + BATCH)
            scaled = run.scaler.transform(pixels[rows], np.float64 if is_double else np.float32)
            result[rows] = mlp(torch.from_numpy(scaled)).numpy()


def predictions(run: TrainedRun, pixels: np.ndarray) -> np.ndarray:
    """The digits (N,) that the whole network takes `pixels` (N, pixels) for."""
    logits = np.empty((len(pixels), run.module.mlp.out_size))
    outputs(run.module.mlp, run, pixels, logits)
    return logits.argmax(1)


def write(
    folder: Path, run: TrainedRun, images: Images, names: Sequence[str], num: int, bar: StepsBar
) -> list[np.ndarray]:
    """Write NAME.npy (N, units) float32 for each of the layers `names`, and labels.npy (N,).

    Those of layers that are not asked for, left by another inspection and perhaps of other images, are removed.
    Returns the first `num` rows of each.
    """
    mlp = run.module.mlp
    for name in mlp.dense.keys() - set(names):
        (folder / f"{name}.npy").unlink(missing_ok=True)
    with replaced(folder / "labels.npy") as temporary, temporary.open("wb") as file:
        np.save(file, images.labels)
    first = []
    for name in names:
        bar.begin(f"{name}: representations")
        cut = mlp.truncated(name)
        with replaced(folder / f"{name}.npy") as temporary:
            # On disk from the start: of 60,000 images and wide layers it may be larger than what else is in memory.
            result = np.lib.format.open_memmap(temporary, "w+", np.float32, (len(images.pixels), cut.out_size))
            outputs(cut, run, images.pixels, result)
            result.flush()
            first.append(np.array(result[:num]))
            del result
    return first
