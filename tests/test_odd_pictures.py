"""Pictures to predict, in every mode that a file can have, and files that are none: one line, or the digit."""

import io
import struct
import zlib

import numpy as np
import pytest
from damaged import bounded, not_files, refused
from PIL import Image

from mlp_study.config.sections import Digits
from mlp_study.data import image_files, sources


def digit(side=96):
    """A seven, dark on light, (side, side) uint8, in shades: what clips it to white or black loses it."""
    raw = sources.load(Digits())
    grey = raw.images[7].reshape(8, 8) * 15
    picture = Image.fromarray(grey.astype(np.uint8)).resize((side * 3 // 5, side * 4 // 5), Image.Resampling.BICUBIC)
    page = Image.new("L", (side, side))
    page.paste(picture, (side // 5, side // 10))
    return 255 - np.asarray(page)


GREY = digit()
SHADES = Image.fromarray(GREY)


def read(path):
    return image_files.read([path])[0].astype(float)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "digit.png"
    SHADES.save(path)
    return read(path)


def transparent():
    alpha = Image.fromarray(255 - GREY)
    picture = Image.new("LA", SHADES.size)
    picture.putalpha(alpha)
    return picture


def rotated():
    picture = SHADES.transpose(Image.Transpose.ROTATE_90)
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    return picture, {"exif": exif}


MODES = {
    "16.png": (Image.fromarray(GREY.astype(np.uint16) * 257), {}),
    "16.tif": (Image.fromarray(GREY.astype(np.uint16) * 257), {}),
    "32.tif": (Image.fromarray(GREY.astype(np.int32) * 100_000 - 7_000_000), {}),
    "floating.tif": (Image.fromarray(GREY.astype(np.float32) / 255), {}),
    "palette.png": (SHADES.convert("P"), {}),
    "colours.png": (SHADES.convert("RGB").quantize(64), {}),
    "rgb.png": (SHADES.convert("RGB"), {}),
    "rgba.png": (transparent().convert("RGBA"), {}),
    "la.png": (transparent(), {}),
    "cmyk.jpg": (SHADES.convert("RGB").convert("CMYK"), {"quality": 95}),
    "rgb.jpg": (SHADES.convert("RGB"), {"quality": 95}),
    "grey.gif": (SHADES, {}),
    "animated.gif": (SHADES, {"save_all": True, "append_images": [SHADES.rotate(90), SHADES.rotate(180)]}),
    "grey.bmp": (SHADES, {}),
    "rgb.bmp": (SHADES.convert("RGB"), {}),
    "grey.webp": (SHADES.convert("RGB"), {"lossless": True}),
    "grey.pgm": (SHADES, {}),
    "rotated.jpg": (rotated()[0], {"quality": 95, **rotated()[1]}),
    "dark.png": (Image.fromarray(255 - GREY), {}),
    "dark16.png": (Image.fromarray((255 - GREY).astype(np.uint16) * 257), {}),
}


@pytest.mark.parametrize("name", MODES)
def test_a_picture_of_any_mode_is_the_same_digit(tmp_path, expected, name):
    picture, options = MODES[name]
    picture.save(tmp_path / name, **options)
    assert np.abs(read(tmp_path / name) - expected).max() < 20
    assert np.corrcoef(read(tmp_path / name), expected)[0, 1] > 0.99


def test_a_picture_of_one_bit_is_the_digit_without_shades(tmp_path, expected):
    for name in ("bit.png", "bit.tif", "bit.gif", "bit.bmp"):
        SHADES.point(lambda value: 255 * (value > 127)).convert("1").save(tmp_path / name)
        assert np.corrcoef(read(tmp_path / name), expected)[0, 1] > 0.9


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16", "F"])
def test_a_large_picture_is_the_same_digit_and_takes_little_memory(tmp_path, expected, mode):
    large = SHADES.resize((2200, 2200))
    if mode in ("L", "RGBA"):
        large = large.convert(mode)
    else:
        large = Image.fromarray(np.asarray(large).astype(np.uint16) * 257 if mode == "I;16" else np.float32(large))
    large.save(tmp_path / "large.tif")
    del large
    with bounded(300):
        assert np.corrcoef(read(tmp_path / "large.tif"), expected)[0, 1] > 0.99


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    for name, said in not_files(tmp_path).items():
        refused(tmp_path / name, said, lambda: image_files.read([tmp_path / name]))  # noqa: B023


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, data, extra=b""):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


ZEROS = zlib.compress(bytes(2**26), 9)


@pytest.mark.parametrize(
    "content",
    [
        png(30_000, 30_000, ZEROS),
        png(10_000, 10_000, ZEROS),
        png(5_000, 5_000, ZEROS),
        png(2**31 - 1, 2**31 - 1, ZEROS),
        png(28, 28, ZEROS, chunk(b"zTXt", b"key\0\0" + ZEROS * 4)),
        png(28, 28, b"no stream"),
        png(28, 28, zlib.compress(bytes(29 * 28)))[:33] + b"\xff\xff\xff\xffIDAT" + zlib.compress(bytes(29 * 28)),
        png(0, 28, ZEROS),
        b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(100),
        b"BM" + bytes(100),
        b"P5 100000 100000 255 ",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        b"",
        b"text",
    ],
)
def test_bombs_and_what_is_no_picture(tmp_path, content):
    path = tmp_path / "digit.png"
    path.write_bytes(content)
    refused(path, "not a readable image|shows no digit", lambda: image_files.read([path]))


@pytest.mark.parametrize(
    "name", ["16.png", "palette.png", "rgb.jpg", "cmyk.jpg", "grey.gif", "rgb.bmp", "floating.tif"]
)
def test_pictures_that_are_cut_off(tmp_path, name):
    picture, options = MODES[name]
    whole = io.BytesIO()
    picture.save(whole, "TIFF" if name.endswith("tif") else Image.registered_extensions()[name[-4:]], **options)
    path = tmp_path / name
    for length in (1, 9, 30, 100, len(whole.getvalue()) // 2):
        path.write_bytes(whole.getvalue()[:length])
        refused(path, "not a readable image|shows no digit", lambda: image_files.read([path]))


@pytest.mark.parametrize("numbers", [np.full((30, 30), np.nan), np.full((30, 30), 0.5), np.diag([1, np.inf] * 15)])
def test_floating_pictures_that_show_nothing(tmp_path, numbers):
    Image.fromarray(numbers.astype(np.float32)).save(tmp_path / "digit.tif")
    refused(tmp_path, "not a readable image.*not finite|shows no digit", lambda: read(tmp_path / "digit.tif"))


def test_dots_far_apart_leave_nothing(tmp_path):
    page = np.full((3000, 3000), 255, np.uint8)
    page[0:2999:2998, 0:2999:2998] = 0
    page[0, 0] = page[-1, -1] = 255
    Image.fromarray(page).save(tmp_path / "dots.png")
    refused(tmp_path, "shows no digit", lambda: read(tmp_path / "dots.png"))
