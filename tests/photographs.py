"""Photographs of digits that are known: MNIST's, written with another pen on paper under a light, by a camera."""

import numpy as np
from PIL import Image
from scipy import ndimage

LIGHTS = ("lamp", "hand", "spot")  # light that fades, a sharp shadow, a bright spot
HEIGHT, WIDTH = 400, 300


def written(digit, side, pen=None):
    """Where ink is, (side, side) bool, when `digit` (28, 28) is written `pen` of its size wide; None: as it is."""
    ink = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)) > 127
    if pen is None:
        return ink
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(ink), side / 200)
    middle = ink & (np.hypot(*np.gradient(depth)) < 0.6) & (depth > side / 110)
    pieces, _ = ndimage.label(middle, np.ones((3, 3)))
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    middle = (sizes > 0.05 * sizes.max())[pieces]
    return ndimage.distance_transform_edt(~middle) < max(0.5, pen * side / 2 - side / 85)


def light(kind, rng, least=0.22):
    """Brightness of the paper, (HEIGHT, WIDTH), from about `least` to 1."""
    y, x = np.mgrid[-0.5 : 0.5 : HEIGHT * 1j, -0.5 : 0.5 : WIDTH * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    if kind == "lamp":
        return np.interp(along, [-0.6, 0.6], [least, 1])
    if kind == "hand":
        return least + (1 - least) / (1 + np.exp(-along / rng.uniform(0.008, 0.05)))
    if kind == "spot":
        middle = rng.uniform(-0.5, 0.5, 2)
        return least + (1 - least) * np.exp(-((y - middle[0]) ** 2 + (x - middle[1]) ** 2) / 0.25)
    return np.ones((HEIGHT, WIDTH))


def photograph(digit, kind, rng, pen=None, is_board=False):
    """`digit` (28, 28) somewhere on a page, (HEIGHT, WIDTH) uint8: any size and ink, out of focus, with noise.

    Dark on paper; or with chalk on a board.
    """
    ink = written(digit, int(rng.uniform(0.5, 0.95) * WIDTH), pen)
    top, left = (int(rng.integers(0, side - len(ink) + 1)) for side in (HEIGHT, WIDTH))
    paper = np.full((HEIGHT, WIDTH), 0.3 if is_board else 1.0)
    paper[top : top + len(ink), left : left + len(ink)][ink] = 0.8 if is_board else rng.uniform(0.2, 0.5)
    bright = light(kind, rng, least=0.5 if is_board else 0.22)
    page = ndimage.gaussian_filter(225 * bright * paper, rng.uniform(0.6, 1.4))
    return (page + rng.normal(0, rng.uniform(2, 6), page.shape)).clip(0, 255).astype(np.uint8)
