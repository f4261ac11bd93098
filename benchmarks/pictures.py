"""The README's pictures: train its study, open its page in Chromium, draw a figure of its report.

    python -m benchmarks.pictures [--data mnist] [--epochs 4] [--study outputs/pictures] [--out benchmarks/pictures]

240 networks: 4 optimizers x 4 initializations x 3 learning rates, 5 seeds each (three minutes on two cores).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

import mlp_study as ms
from benchmarks.page import chromium
from mlp_study.figures.saving import save

GRID = ["optim=sgd,momentum,adam,rmsprop", "init=small,glorot,he_normal,large", "optim.lr=0.1,0.01,0.001"]
FIGURE = "learning_rates"
WIDTH, HEIGHT = 1280, 1500  # of the picture of the page
FEW_ROWS = "<style>#scroll { max-height: 330px; }</style></head>"  # so that there is room for what stands below
COLOURS = 255  # of the pictures: enough for what they show, and small


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="The README's pictures.")
    parser.add_argument("--data", default="mnist", help="as in data=...; default %(default)s")
    parser.add_argument("--epochs", type=int, default=4, help="default %(default)s")
    parser.add_argument("--seeds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--study", type=Path, default=Path("outputs/pictures"), help="default %(default)s")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/pictures"), help="default %(default)s")
    arguments = parser.parse_args(argv)
    seeds = f"seed={','.join(map(str, range(arguments.seeds)))}"
    fixed = [f"data={arguments.data}", f"trainer.max_epochs={arguments.epochs}"]
    train("-m", *GRID, seeds, *fixed, f"hydra.sweep.dir={arguments.study}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        page, picture = Path(name) / "page.html", Path(name) / "page.png"
        page.write_text((arguments.study / "study.html").read_text().replace("</head>", FEW_ROWS, 1))
        shot(page, picture)
        with Image.open(picture) as shown:
            small(shown, arguments.out / "page.png")
        save(ms.open(arguments.study).plot(FIGURE)[FIGURE], Path(name), FIGURE, endings=("png",))
        with Image.open(Path(name) / f"{FIGURE}.png") as shown:
            small(shown, arguments.out / f"{FIGURE}.png")
    print(f"{arguments.out / 'page.png'}\n{arguments.out / FIGURE}.png")


def train(*words: str) -> None:
    """`python -m mlp_study.train WORDS`, silent where it does what it should."""
    ended = subprocess.run(
        [sys.executable, "-m", "mlp_study.train", *words], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise SystemExit(ended.stderr)


def shot(page: Path, picture: Path) -> None:
    """Have Chromium open a page and take its picture."""
    browser = chromium()
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
        command += [f"--user-data-dir={profile}", f"--window-size={WIDTH},{HEIGHT}", "--virtual-time-budget=8000"]
        subprocess.run(
            [*command, f"--screenshot={picture}", f"file://{page.resolve()}"], capture_output=True, check=True
        )


def small(picture: Image.Image, path: Path) -> None:
    """Write a picture with few colours."""
    picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
