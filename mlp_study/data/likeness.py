"""Whether pictures look like the images that a run was trained on: on others its answer means nothing, however sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import ndimage

NUM_IMAGES, NUM_JUDGED, LEAST_IMAGES = 10_000, 1_000, 200
BLUR = 1.0  # pixels: a line that lies a pixel beside another is like it
UNLIKE, WIDE = 0.005, 0.001  # of the training images themselves that would be called so


@dataclass(frozen=True)
class Familiar:
    """Some of a run's training images, and how much they are like each other.

    Two measures. The likeness of a picture is the cosine between it and the training image that is nearest, both
    blurred; its width is that of the largest disc that its light parts hold, in pixels. What a shadow or a table leaves
    can be like a thick 1, but it is too wide.

    Attributes:
        images: (N, pixels), float32, blurred, each of length 1.
        shape: height and width of an image.
        least_likeness: that all but five in a thousand of the training images have, among the others.
        most_width: that all but one in a thousand of them have.
    """

    images: np.ndarray
    shape: tuple[int, int]
    least_likeness: float
    most_width: float

    @classmethod
    def of(cls, images: np.ndarray, shape: tuple[int, int]) -> Self | None:
        """Those among `images` (N, pixels), of height and width `shape`; None where they are too few."""
        if len(images) < LEAST_IMAGES:
            return None
        rows = np.random.default_rng(0).permutation(len(images))[: NUM_IMAGES + NUM_JUDGED]
        num_judged = min(NUM_JUDGED, len(rows) // 10)
        judged, known = images[rows[:num_judged]], _directions(images[rows[num_judged:]], shape)
        least = float(np.quantile(_likeness(judged, known, shape), UNLIKE))
        return cls(known, shape, least, float(np.quantile(_widths(judged, shape), 1 - WIDE)))

    def strange(self, pictures: np.ndarray) -> list[str]:
        """What is strange about each of `pictures` (N, pixels); empty where it looks like the training images."""
        found = []
        for likeness, width in zip(
            _likeness(pictures, self.images, self.shape), _widths(pictures, self.shape), strict=True
        ):
            said = []
            if likeness < self.least_likeness:
                said.append(
                    f"likeness {likeness:.2f} to the nearest of them, where theirs is {self.least_likeness:.2f}"
                )
            if width > self.most_width:
                said.append(f"a spot {width:.0f} pixels wide, where theirs are {self.most_width:.0f}")
            found.append("; ".join(said))
        return found


def _likeness(images: np.ndarray, known: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return (_directions(images, shape) @ known.T).max(1)


def _directions(images: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Blurred, and each of length 1: (N, pixels), float32."""
    blurred = ndimage.gaussian_filter(images.astype(np.float32).reshape(-1, *shape), (0, BLUR, BLUR))
    rows = blurred.reshape(len(images), -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)


def _widths(images: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Of the largest disc in what is lighter than a quarter of the lightest pixel: (N,)."""
    light = images.reshape(-1, *shape) > images.max(1)[:, None, None] / 4
    apart = (sum(shape), 1, 1)  # no image is as near as the edge of a disc
    return 2 * ndimage.distance_transform_edt(np.pad(light, ((0, 0), (1, 1), (1, 1))), apart).max((1, 2)) - 1
