"""Photographs of digits that are known: MNIST's, written with another pen on paper under a light, by a camera.

PYTHONPATH=tests python -m photographs RUN      how many of 480 a trained run reads, and how many are doubted
"""

import sys
import tempfile
from pathlib import Path

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


def measure(folder, num=480):
    """Print what the run in `folder` makes of photographs of the first test images, and of these as they are."""
    from mlp_study.config.sections import Mnist
    from mlp_study.data import image_files, likeness, sources
    from mlp_study.engines.trained import open_run

    run, raw, rng = open_run(folder), sources.load(Mnist()), np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        paths = [Path(temporary) / f"{i}.jpg" for i in range(num)]
        for i, path in enumerate(paths):
            kind, pen = (*LIGHTS, "even")[i % 4], (0.02, 0.03, 0.05, 0.15, None)[i // 8 % 5]
            digit = raw.test_images[i].reshape(28, 28)
            Image.fromarray(photograph(digit, kind, rng, pen, is_board=i // 4 % 2 == 1)).save(path, quality=85)
        pictures = image_files.read(paths)
    familiar = likeness.Familiar.of(raw.images, (28, 28))
    for name, images in (("as they are", raw.test_images[:num]), ("as photographs", pictures)):
        right = run.outputs(images).argmax(1) == raw.test_labels[:num]
        doubted = np.mean([bool(reason) for reason in familiar.strange(images)])
        print(f"{name}: {right.mean():.1%} right, {doubted:.1%} doubted")


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
