"""Images as PNG: one by one for a page, all on one sheet for TensorBoard's projector."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
from PIL import Image

from mlp_study.inspection.representations import Images


def shades(images: Images, num: int) -> np.ndarray:
    """The first `num` images (num, height, width) in 256 greys, black on white; rows that are no images as a strip."""
    pixels = images.pixels[:num].astype(np.float64)
    low, high = min(0.0, pixels.min()), max(1.0, pixels.max())
    shape = images.shape or (1, pixels.shape[1])
    return (255 - 255 * (pixels - low) / (high - low)).astype(np.uint8).reshape(-1, *shape)


def data_uris(greys: np.ndarray) -> list[str]:
    """Each of `greys` (N, height, width) as an address that holds the picture itself."""
    uris = []
    for grey in greys:
        content = io.BytesIO()
        Image.fromarray(grey).save(content, format="PNG", optimize=True)
        uris.append("data:image/png;base64," + base64.b64encode(content.getvalue()).decode())
    return uris


def sheet(greys: np.ndarray) -> Image.Image:
    """All of `greys` (N, height, width) on one sheet, as square as can be, row after row."""
    num, height, width = greys.shape
    num_columns = math.isqrt(num - 1) + 1
    num_rows = -(-num // num_columns)
    cells = np.full((num_rows * num_columns, height, width), 255, np.uint8)
    cells[:num] = greys
    grid = cells.reshape(num_rows, num_columns, height, width).swapaxes(1, 2)
    return Image.fromarray(grid.reshape(num_rows * height, num_columns * width))
