"""What the dense layers make of a run's images: hidden representations, read off truncated networks.

Shapes: N images, `units` of a layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


def outputs(mlp: MLP, run: TrainedRun, pixels: np.ndarray) -> Iterator[np.ndarray]:
    """What `mlp` makes of `pixels` (N, pixels), scaled as the run's: (B, out_size) for one batch after the other."""
    is_double = mlp.layers[-1].weight.dtype == torch.float64
    for start in range(0, len(pixels), BATCH):
        scaled = run.scaler.transform(pixels[start : start + BATCH], np.float64 if is_double else np.float32)
        with torch.no_grad():
            yield mlp(torch.from_numpy(scaled)).numpy()


def predictions(run: TrainedRun, pixels: np.ndarray) -> np.ndarray:
    """The digits (N,) that the whole network takes `pixels` (N, pixels) for."""
    return np.concatenate([logits.argmax(1) for logits in outputs(run.module.mlp, run, pixels)])


def write(
    folder: Path, run: TrainedRun, images: Images, names: Sequence[str], num: int, bar: StepsBar
) -> list[np.ndarray]:
    """Write NAME.npy (N, units) float32 for each of the layers `names`, and labels.npy (N,).

    Returns the first `num` rows of each.
    """
    mlp = run.module.mlp
    with replaced(folder / "labels.npy") as temporary, temporary.open("wb") as file:
        np.save(file, images.labels)
    first = []
    for name in names:
        bar.begin(f"{name}: representations")
        cut = mlp.truncated(name)
        kept: list[np.ndarray] = []
        with replaced(folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
            # Batch by batch: of 60,000 images and wide layers the whole may be larger than what else is in memory. No
            # memory map: a full disk would kill the process.
            shape = (len(images.pixels), cut.out_size)
            header = {"descr": np.lib.format.dtype_to_descr(np.dtype("<f4")), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for batch in outputs(cut, run, images.pixels):
                with np.errstate(over="ignore"):
                    rows = batch.astype("<f4")
                file.write(rows.tobytes())
                kept.append(rows[: max(0, num - sum(map(len, kept)))])
        first.append(np.concatenate(kept))
    return first
