"""Image files of single digits, of any size, dark on light or light on dark, brought into MNIST's form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from mlp_study.errors import UserError

SIZE, BOX = 28, 20


def read(paths: Sequence[Path]) -> np.ndarray:
    """Images (N, 784), uint8, light on dark.

    As MNIST's own were made: the digit is scaled into a box of 20 x 20 with its proportions kept, and its centre of
    mass is put into the middle of 28 x 28.

    Raises:
        UserError: a file is missing, is no image, or shows nothing.
    """
    return np.stack([_one(path).reshape(-1) for path in paths])


def _one(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            # Transparent parts count as paper.
            rgba = picture.convert("RGBA")
            paper = Image.new("RGBA", rgba.size, "white")
            pixels = np.asarray(Image.alpha_composite(paper, rgba).convert("L"), dtype=np.float64)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: not a readable image ({error})") from None
    border = float(np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])))
    if border > 127:
        pixels, border = 255 - pixels, 255 - border
    pixels = np.clip(pixels - border, 0, None)  # paper that is not quite black
    ink = pixels > 0.1 * pixels.max()
    if pixels.max() < 16 or not ink.any():
        raise UserError(f"{path}: shows no digit: all of it is of one brightness")
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    digit = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] * (255 / pixels.max())
    scale = BOX / max(digit.shape)
    height, width = (max(1, round(side * scale)) for side in digit.shape)
    small = np.asarray(
        Image.fromarray(digit.astype(np.uint8)).resize((width, height), Image.Resampling.LANCZOS), dtype=np.float64
    )
    centre = [float((np.arange(n) * small.sum(1 - axis)).sum() / small.sum()) for axis, n in enumerate(small.shape)]
    top, left = (int(np.clip(round(SIZE / 2 - c), 0, SIZE - n)) for c, n in zip(centre, small.shape, strict=True))
    result = np.zeros((SIZE, SIZE), np.uint8)
    result[top : top + height, left : left + width] = small.clip(0, 255)
    return result
