"""Photographs of digits, with shadows and thin pens: what they are read as, and what is said of other pictures."""

from pathlib import Path

import numpy as np
import pytest
from conftest import run_command
from mnist_part import idx_folder
from photographs import HEIGHT, LIGHTS, WIDTH, light, photograph, written
from PIL import Image

from mlp_study.config.sections import Mnist
from mlp_study.data import image_files, sources

NUM = 72


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A network that is right for about nine of ten of MNIST's test images."""
    folder = tmp_path_factory.mktemp("photographs")
    idx_folder(folder / "mnist", num_train=22_000, num_test=NUM)
    outcome = run_command(
        "data.root=mnist", "trainer.max_epochs=1", "callbacks=checkpoint", "hydra.run.dir=run", cwd=folder
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    return folder


@pytest.fixture(scope="module")
def digits(trained):
    raw = sources.load(Mnist(root=str(trained / "mnist")))
    return raw.test_images.reshape(-1, 28, 28), raw.test_labels


def guesses(folder, names):
    """The digits that `mlp predict` takes pictures for."""
    done = run_command("run", "--images", *names, cwd=folder, module="mlp_study.predict")
    assert done.code == 0, done.err
    read = dict(line.split(": ", 1) for line in done.out.splitlines())
    return np.array([int(read[name][0]) for name in names])


def test_photographs_are_read_as_well_as_the_images_themselves(trained, digits):
    images, labels = digits
    rng = np.random.default_rng(0)
    for i, image in enumerate(images):
        pen = (0.02, 0.03, 0.05, 0.15)[i // 6 % 4]
        page = photograph(image, LIGHTS[i % 3], rng, pen, is_board=i // 3 % 2 == 1)
        Image.fromarray(page).save(trained / f"{i}.jpg", quality=85)
        Image.fromarray(image).save(trained / f"{i}.png")
    as_photographs = guesses(trained, [f"{i}.jpg" for i in range(NUM)]) == labels
    as_they_are = guesses(trained, [f"{i}.png" for i in range(NUM)]) == labels
    assert as_they_are.mean() > 0.85
    assert as_photographs.mean() > as_they_are.mean() - 0.07


@pytest.mark.parametrize("kind", LIGHTS)
def test_ink_in_the_dark_is_ink_and_a_shadow_is_none(tmp_path, kind):
    rng = np.random.default_rng(1)
    digit = np.zeros((28, 28), np.uint8)
    digit[4:24, 8:11] = digit[21:24, 8:20] = 255  # an L, as far into the dark as into the light
    page = np.ones((HEIGHT, WIDTH))
    page[60:340, 10:290] -= 0.6 * written(digit, 280)
    for _ in range(4):
        shadow = light(kind, rng)
        Image.fromarray((230 * page * shadow).astype(np.uint8)).save(tmp_path / "photo.png")
        Image.fromarray((230 * page).astype(np.uint8)).save(tmp_path / "drawing.png")
        photo, drawing = image_files.read([tmp_path / "photo.png", tmp_path / "drawing.png"]).astype(float)
        assert np.corrcoef(photo, drawing)[0, 1] > 0.95


def test_a_thin_pen_is_drawn_as_wide_as_the_thin_ones_of_mnist(tmp_path, digits):
    page = np.full((900, 700), 255, np.uint8)
    page[100:800, :][written(digits[0][0], 700, pen=0.012)] = 30
    Image.fromarray(page).save(tmp_path / "thin.png")
    (image,) = image_files.read([tmp_path / "thin.png"])
    assert np.corrcoef(image, digits[0][0].ravel())[0, 1] > 0.6
    assert 0.05 < (image > 127).mean() < 0.2
    assert image.max() == 255


def test_noise_on_even_paper_moves_no_digit(tmp_path, digits):
    rng = np.random.default_rng(2)
    for i in range(4):
        clean = 255 - np.asarray(Image.fromarray(digits[0][i]).resize((280, 280))) * 0.7
        noisy = (clean - 25 + rng.normal(0, 7, clean.shape)).clip(0, 255).astype(np.uint8)
        noisy[::97, ::89] = 90  # dust
        for name, page in (("clean", clean.astype(np.uint8)), ("noisy", noisy)):
            Image.fromarray(page).save(tmp_path / f"{name}.png")
        clean, noisy = image_files.read([tmp_path / "clean.png", tmp_path / "noisy.png"]).astype(float)
        assert np.corrcoef(clean, noisy)[0, 1] > 0.95


def test_what_hangs_over_the_edge_of_a_photograph_is_not_the_digit(tmp_path, digits):
    page = photograph(digits[0][0], "lamp", np.random.default_rng(3), pen=0.05)
    table = page.copy()
    table[-14:, :] = table[:, :9] = 15
    for name, picture in (("page", page), ("table", table)):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    page, table = image_files.read([tmp_path / "page.png", tmp_path / "table.png"]).astype(float)
    assert np.corrcoef(page, table)[0, 1] > 0.9
