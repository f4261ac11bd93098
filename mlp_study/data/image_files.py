"""Image files of single digits, of any size, drawn or photographed, dark on light or light on dark."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from mlp_study.data import handwriting
from mlp_study.data.handwriting import BOX
from mlp_study.errors import UserError
from mlp_study.reading import check_regular, decoding

NUM_PIXELS = 28 * 28  # of what is handed on
MOST_BYTES = 2**28
MOST_PIXELS, MANY_PIXELS = 2**25, 2**20
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")  # none that would start another program


def read(paths: Sequence[Path]) -> np.ndarray:
    """Images (N, 784), uint8, light on dark; of an animated picture the first.

    As MNIST's own were made, see `mlp_study.data.handwriting`.

    Raises:
        UserError: a file is missing, is no image, or shows nothing.
    """
    return np.stack([_one(path).reshape(-1) for path in paths])


def _one(path: Path) -> np.ndarray:
    if check_regular(path) > MOST_BYTES:
        raise UserError(f"{path}: larger than {MOST_BYTES // 2**20} MiB; expected a picture of a digit")
    # From memory: of a file Pillow reads as many bytes as a header asks for, and room for them is made first.
    with decoding(path, "not a readable image"), Image.open(io.BytesIO(path.read_bytes()), formats=FORMATS) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise ValueError(f"{picture.width} x {picture.height} pixels; expected at most {MOST_PIXELS} in all")
        pixels = _greys(ImageOps.exif_transpose(picture))
    ink = handwriting.ink_of(pixels)
    if ink is None:
        raise UserError(f"{path}: shows no digit: all of it is of one brightness")
    image = handwriting.as_mnist(ink)
    if image is None:
        raise UserError(f"{path}: shows no digit: of its lines nothing is left at {BOX} x {BOX} pixels")
    return image


def _greys(picture: Image.Image) -> np.ndarray:
    """Brightness (height, width), 0 to 255, float64, of a large picture in larger pixels.

    Transparent parts count as white paper.
    """
    if picture.mode.startswith("I;16"):
        page = Image.fromarray(np.asarray(picture).astype(np.float32) / 257)
    elif picture.mode in ("I", "F"):  # numbers of any range: the least is black, the largest white
        numbers = np.asarray(picture, dtype=np.float64)
        low, high = numbers.min(), numbers.max()
        if not np.isfinite([low, high]).all():
            raise ValueError("holds numbers that are not finite")
        page = Image.fromarray(((numbers - low) * (255 / ((high - low) or 1))).astype(np.float32))
    elif picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        page = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("L")
    else:
        page = picture.convert("RGB").convert("L")
    factor = math.ceil(math.sqrt(page.width * page.height / MANY_PIXELS))
    return np.asarray(page.reduce(factor) if factor > 1 else page, dtype=np.float64)
