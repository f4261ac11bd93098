"""How pixels become numbers: standardized per pixel, divided by the largest, or as they come; saved with a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlp_study.files import replaced
from mlp_study.reading import arrays, decoding

SCALINGS = ("standard", "minmax", "none")
CACHED = 2**20  # bytes


@dataclass(frozen=True)
class Scaler:
    """(x - mean) / scale, per pixel. `mean` and `scale`: (pixels,), float64."""

    name: str
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, name: str, images: np.ndarray, largest: float | None = 255.0) -> Scaler:
        """Fit on `images` (N, pixels), the training split only.

        standard: to the bit as scikit-learn's StandardScaler, which takes a second to import (a constant pixel is
        centred and divided by 1).
        minmax: divided by `largest`, the largest value that the format can hold: 255, or 16 for scikit-learn's 8 x 8
        digits; where it is None, exactly scikit-learn's MinMaxScaler, to 0 and 1 per pixel.
        none: as they come.
        """
        num_pixels = images.shape[1]
        mean, scale = np.zeros(num_pixels), np.ones(num_pixels)
        if name == "standard":
            mean, scale = _standard(images)
        elif name == "minmax" and largest is not None:
            scale = np.full(num_pixels, largest)
        elif name == "minmax":
            from sklearn.preprocessing import MinMaxScaler

            fitted = MinMaxScaler().fit(images.astype(np.float64))
            mean, scale = fitted.data_min_, 1 / fitted.scale_
        return cls(name, mean, scale)

    def transform(self, images: np.ndarray, dtype: np.dtype | type = np.float32) -> np.ndarray:
        """Scale (N, pixels) in float64, chunk by chunk, and round once to `dtype`, which may not hold what is huge."""
        result = np.empty(images.shape, dtype)
        size = max(1, CACHED // (8 * images.shape[1]))
        for start in range(0, len(images), size):
            rows = slice(start, start + size)
            with np.errstate(over="ignore", invalid="ignore"):
                result[rows] = (images[rows].astype(np.float64) - self.mean) / self.scale
        return result

    def save(self, path: Path) -> None:
        """Write an .npz of plain arrays, in one step."""
        with replaced(path) as temporary, temporary.open("wb") as file:
            np.savez(file, name=np.array(self.name), mean=self.mean, scale=self.scale)

    @classmethod
    def load(cls, path: Path) -> Scaler:
        """Read what `save` wrote; nothing in the file is executed.

        Raises:
            UserError: the file is missing, damaged or not a scaler.
        """
        found = arrays(path, "damaged: not a saved scaler", is_stored=True)
        with decoding(path, "damaged: not a saved scaler"):
            name, mean, scale = found.pop("name"), found.pop("mean"), found.pop("scale")
            if found or name.ndim or name.dtype.kind != "U" or str(name) not in SCALINGS:
                raise ValueError(f"expected name, one of {', '.join(SCALINGS)}, mean and scale")
            if mean.ndim != 1 or mean.shape != scale.shape or not {mean.dtype, scale.dtype} == {np.dtype(np.float64)}:
                raise ValueError("mean and scale are not two rows of float64, equally long")
            if not (len(mean) and np.isfinite(mean).all() and np.isfinite(scale).all() and (scale > 0).all()):
                raise ValueError("mean and scale are not finite, or scale is not above 0")
            return cls(str(name), mean, scale)


def _standard(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations over the rows of (N, pixels); 1 for a pixel that is constant but for rounding.

    Source: Chan, Golub & LeVeque, The American Statistician 37 (1983), 242-247: the corrected two-pass algorithm, and
    the bound on its error.
    """
    num, eps = len(images), np.finfo(np.float64).eps
    mean = _sum(images, lambda part: part) / num
    correction = _sum(images, lambda part: part - mean)
    squares = _sum(images, lambda part: (part - mean) ** 2)
    variance = (squares - correction**2 / num) / num
    is_constant = variance <= num * eps * variance + (num * mean * eps) ** 2
    return mean, np.where(is_constant, 1.0, np.sqrt(variance))


def _sum(images: np.ndarray, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The sum of `of` the rows, in float64; added in the order of one sum over all, in parts that fit into a cache."""
    size = CACHED // (8 * images.shape[1]) if images.shape[1] > 1 else len(images)  # one column is not added in order
    total: np.ndarray | None = None
    for start in range(0, len(images), max(1, size)):
        part = of(images[start : start + max(1, size)].astype(np.float64))
        if total is not None:
            part[0] += total
        total = part.sum(0)
    assert total is not None
    return total
