"""Ink and paper: the digit in a drawing or a photograph, whatever the light, brought into MNIST's form."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

SIZE, BOX = 28, 20
LEAST_PEN = 2.2  # pixels that a stroke is wide in the box of 20 x 20; MNIST's thin ones are
LEAST_INK = 1e-3  # of the box around it; a pen thinner than a thousandth of its digit is none

# Paper of one brightness: grey values by which it may vary, the darkest ink's least difference from it, and the palest
# ink, relative to the darkest; a tenth of that is paper that is not quite white.
EVEN, LEAST_CONTRAST, PALEST = 16.0, 16.0, 0.1
NOISE = 6.0  # medians of the paper's noise: four standard deviations

# Any other. The window is wider than a pen's stroke and narrower than a shadow, in terms of the shorter side; shadows
# are looked at with so many pixels on the longer side; so much is added to grey values before they are divided, since
# in the dark their noise would be ink; ink is darker than paper by so much, as a logarithm.
WINDOW, COARSE, DARK, LEAST_RATIO = 0.25, 160, 12.0, 0.12
SHARP = 0.2  # difference between neighbours, of the logarithm
STRONG, WEAK = 0.5, 0.25  # of the darkest ink: what begins a stroke, and what goes on with it
SPECK, LEAST_INSIDE = 0.08, 0.1  # of the largest piece of ink


def ink_of(grey: np.ndarray) -> np.ndarray | None:
    """How much ink there is, (height, width) from 0 to 1, on the paper of `grey` (height, width), 0 to 255.

    Where the picture's border is of one brightness, a drawing's, that is subtracted, and shades stay. In any other, a
    photograph, a pixel is ink or none: it is where it is darker, or on a board lighter, than the paper around it. None
    where there is no ink.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    low, paper, high = np.percentile(border, [10, 50, 90])
    if high - low > EVEN:
        ink = _darkness(ndimage.gaussian_filter(grey, 1.0))
        return _written(ink, WEAK, is_photograph=True).astype(np.float64) if ink.max() >= LEAST_RATIO else None
    ink = np.clip(paper - grey if paper - grey.min() >= grey.max() - paper else grey - paper, 0, None)
    if ink.max() < LEAST_CONTRAST:
        return None
    noise = NOISE * float(np.median(np.abs(border - paper)))
    return np.where(_written(ink, max(PALEST, noise / ink.max())), ink / ink.max(), 0.0)


def _darkness(grey: np.ndarray) -> np.ndarray:
    """By how much each pixel is darker, or all are lighter, than the paper around them, as a logarithm.

    The paper is what is left when whatever is narrower than the window is taken away.
    """
    light = np.log(grey + DARK)
    height, width = light.shape
    scale = min(1.0, COARSE / max(height, width))
    coarse = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = np.asarray(Image.fromarray(light.astype(np.float32)).resize(coarse, Image.Resampling.BOX))
    window = max(3, round(WINDOW * min(small.shape)))
    # A shadow that grows towards the edge of the picture is taken to grow beyond it.
    padded = np.pad(small, window, mode="reflect", reflect_type="odd")
    inner = (slice(window, -window),) * 2
    papers = [filtered(padded, window)[inner] for filtered in (ndimage.grey_closing, ndimage.grey_opening)]
    is_dark = _num_edges(papers[0]) <= _num_edges(papers[1])  # of the wrong one the digit is a part
    paper = np.asarray(
        Image.fromarray(papers[0] if is_dark else papers[1]).resize((width, height), Image.Resampling.BILINEAR)
    )
    return np.clip(paper - light if is_dark else light - paper, 0, None)


def _num_edges(paper: np.ndarray) -> float:
    """How many sharp edges `paper` (height, width) has, in pixels; those of a table count no more than a digit's."""
    steps = (np.abs(np.diff(paper, axis=axis)) / SHARP for axis in (0, 1))
    return sum(float(np.square(step.clip(max=1)).sum()) for step in steps)


def _written(ink: np.ndarray, weak: float, is_photograph: bool = False) -> np.ndarray:
    """Where a pen was, (height, width) bool: what is connected with strong ink, without specks.

    Of a photograph without what hangs over its edge, a shadow's corner or the table, if there is anything else.
    """
    peak = float(ink.max())
    pieces, num = ndimage.label(ink > weak * peak, np.ones((3, 3)))
    sizes = np.bincount(pieces.ravel(), minlength=num + 1)
    is_strong = np.zeros(num + 1, bool)
    is_strong[pieces[ink >= max(STRONG, weak) * peak]] = True
    is_strong[0] = False
    sizes = np.where(is_strong, sizes, 0)
    if is_photograph:
        inside = sizes.copy()
        inside[np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])] = 0
        if inside.max() > LEAST_INSIDE * sizes.max():
            sizes = inside
    return ((sizes > 0) & (sizes >= SPECK * sizes.max()))[pieces]


def as_mnist(ink: np.ndarray) -> np.ndarray | None:
    """Ink (height, width), 0 to 1, as an image (28, 28), uint8, light on dark, as MNIST's own were made.

    The digit is scaled into a box of 20 x 20 with its proportions kept, and its centre of mass is put into the middle
    of 28 x 28. What a thinner pen than MNIST's wrote is drawn as wide as with its thin ones. None where of its lines
    nothing is left.
    """
    digit = _cropped(ink)
    if digit.mean() < LEAST_INK:
        return None
    digit = _widened(digit, LEAST_PEN * max(digit.shape) / BOX)
    scale = BOX / max(digit.shape)
    height, width = (max(1, round(side * scale)) for side in digit.shape)
    picture = Image.fromarray((digit * 255).astype(np.uint8))
    small = np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS), dtype=np.float64)
    if not small.any():
        return None
    centre = [float((np.arange(n) * small.sum(1 - axis)).sum() / small.sum()) for axis, n in enumerate(small.shape)]
    top, left = (int(np.clip(round(SIZE / 2 - c), 0, SIZE - n)) for c, n in zip(centre, small.shape, strict=True))
    result = np.zeros((SIZE, SIZE), np.uint8)
    result[top : top + height, left : left + width] = small * (255 / small.max())
    return result


def _widened(digit: np.ndarray, pen: float) -> np.ndarray:
    """The digit (height, width), 0 to 1, its strokes about `pen` pixels wide at least."""
    mask = digit > 0.3
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))
    width = 4 * float(depth[depth > 0].mean()) - 1  # in a band of this width the edge is on average a fourth of it away
    lacking = (pen - width) / 2
    if lacking < 0.5:
        return digit
    away = ndimage.distance_transform_edt(~np.pad(mask, int(np.ceil(lacking)) + 1))
    return _cropped(np.clip(lacking + 0.5 - away, 0, 1))


def _cropped(ink: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
