"""Photographs of digits, with shadows and thin pens: what they are read as, and what is said of other pictures."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
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


def test_a_picture_that_is_no_digit_is_doubted(trained, digits):
    images, labels = digits
    block = Image.new("L", (300, 300), 255)
    block.paste(0, (80, 60, 220, 240))
    sheet = Image.new("L", (500, 500), 30)  # a photograph of a whole sheet, with the table around it
    sheet.paste(Image.fromarray(photograph(images[0], "lamp", np.random.default_rng(0), pen=0.02)), (90, 50))
    number = Image.new("L", (400, 120), 255)
    for i in range(5):
        number.paste(Image.fromarray(255 - images[i]), (20 + i * 60, 40))
    names = ["block.png", "sheet.png", "number.png", *(f"as_it_is_{i}.png" for i in range(40))]
    for name, picture in zip(names, [block, sheet, number, *map(Image.fromarray, images)], strict=False):
        picture.save(trained / name)
    done = run_command("run", "--images", *names, "--out", "doubted", cwd=trained, module="mlp_study.predict")
    assert done.code == 0, done.err
    read = dict(line.split(": ", 1) for line in done.out.splitlines())
    doubted = [name for name in names if "but it does not look like the images that the run was trained" in read[name]]
    assert doubted[:3] == names[:3]
    assert len(doubted) <= 3 + 2
    assert "pixels wide, where theirs are" in read["block.png"]
    assert "likeness" in read["number.png"]
    table = pd.read_csv(trained / "doubted" / "pictures.csv", keep_default_na=False)
    assert list(table["picture"]) == names
    assert list(table.loc[table["strange"] != "", "picture"]) == doubted
    for name, row in zip(names, table.itertuples(), strict=True):
        assert read[name].startswith(f"{row[2]} ({row.output:.1%})")
    assert (table["class"][3:] == labels[:40]).mean() > 0.8
    assert read["predictions"] == "doubted/pictures.csv"


def test_without_training_images_nothing_is_known_of_likeness(trained, digits):
    run = trained / "moved"
    shutil.copytree(trained / "run", run)
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("root: mnist", "root: nowhere"))
    Image.fromarray(digits[0][0]).save(trained / "seven.png")
    done = run_command("moved", "--images", "seven.png", cwd=trained, module="mlp_study.predict")
    assert done.code == 0, done.err
    assert (
        "whether pictures look like those that the run was trained on is not known: data.root='nowhere': no" in done.out
    )
    assert "seven.png: 7 (" in done.out
