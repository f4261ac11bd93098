"""Predict with a trained run, and judge it.

    python -m mlp_study.predict RUN                        the test images of its data source
    python -m mlp_study.predict RUN --csv test.csv         Kaggle's CSV: writes submission.csv
    python -m mlp_study.predict RUN --images 4.png 7.jpg   pictures of single digits
    python -m mlp_study.predict RUN --arrays mine.npz      rows of numbers, for a run with data=arrays

RUN is a run's directory, trained with `callbacks=checkpoint`. Results go to RUN/predictions, or to --out. Exit codes as
in `mlp_study.train`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlp_study.errors import UserError
from mlp_study.program import Arguments, program
from mlp_study.showing import printable

if TYPE_CHECKING:
    import numpy as np

    from mlp_study.data.scaling import Scaler
    from mlp_study.engines.trained import TrainedRun


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; `argv` stands in for sys.argv[1:]."""
    parser = Arguments(
        prog="python -m mlp_study.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="a run's directory")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--csv", type=Path, help="pixel0..pixel783, with or without label")
    what.add_argument(
        "--images",
        type=Path,
        nargs="+",
        help="pictures of single digits: PNG, JPEG, GIF, BMP, TIFF, WebP or PPM, of any size",
    )
    what.add_argument("--arrays", type=Path, help="an .npz file with X (N, features), with or without y")
    parser.add_argument("--checkpoint", choices=["last", "best"], default="last", help="which of the run's (last)")
    parser.add_argument(
        "--scaling", choices=["run", "minmax", "none"], default="run", help="scale otherwise than in training (run)"
    )
    parser.add_argument("--out", type=Path, help="where results go (RUN/predictions)")
    arguments = parser.parse_args(argv)
    with program():
        predict(arguments)


def predict(arguments: argparse.Namespace) -> None:
    """Do what the command line asks.

    Raises:
        UserError: a file is missing, damaged, or does not fit the run.
    """
    from mlp_study.data.scaling import Scaler
    from mlp_study.engines.trained import open_run
    from mlp_study.files import claimed

    run = open_run(arguments.run, arguments.checkpoint)
    if not run.is_finite():
        print(f"{arguments.run}: some of its weights are not finite (it diverged): its predictions mean nothing")
    images = _images(arguments, run)
    scaler = None if arguments.scaling == "run" else Scaler.fit(arguments.scaling, images.pixels, images.largest)
    outputs = run.outputs(images.pixels, scaler)
    folder = arguments.out or arguments.run / "predictions"
    with claimed(folder):
        _write(folder, arguments, run, images, outputs, scaler)


def _write(
    folder: Path,
    arguments: argparse.Namespace,
    run: TrainedRun,
    images: Images,
    outputs: np.ndarray,
    scaler: Scaler | None,
) -> None:
    predicted = outputs.argmax(1)
    if arguments.csv is not None:
        _write_table(folder / "submission.csv", "submission", "ImageId,Label", run.classes[predicted], first=1)
    if arguments.arrays is not None:
        _write_table(folder / "predictions.csv", "predictions", "row,class", run.classes[predicted], first=0)
    if arguments.images is not None:
        for path, i, row in zip(arguments.images, predicted, outputs, strict=True):
            print(printable(f"{path}: {run.classes[i]} ({row[i]:.1%})"))
    if images.labels is not None:
        from mlp_study.inspection import confusion

        loss = float(run.evaluate(images.pixels, images.labels, scaler).loss)
        confusion.write(folder, images.pixels, images.shape, run.classes, outputs, images.labels, loss)


class Images(NamedTuple):
    """Unscaled `pixels` (N, pixels), `labels` (N,) from 0 where they are known, the images' height and width where
    they are images, and the largest value that their format can hold."""

    pixels: np.ndarray
    labels: np.ndarray | None
    shape: tuple[int, int] | None
    largest: float | None = 255.0


def _images(arguments: argparse.Namespace, run: TrainedRun) -> Images:
    if arguments.csv is not None:
        from mlp_study.data import kaggle

        _check_size("--csv", kaggle.NUM_PIXELS, arguments.run, run)
        pixels, labels = kaggle.read(arguments.csv, labelled=None)
        if labels is not None and run.classes.tolist() != list(range(10)):
            raise UserError(f"{arguments.csv}: its labels are digits; the run knows {', '.join(map(str, run.classes))}")
        return Images(pixels, labels, (28, 28))
    if arguments.images is not None:
        from mlp_study.data import image_files, kaggle

        _check_size("--images", kaggle.NUM_PIXELS, arguments.run, run)
        return Images(image_files.read(arguments.images), None, (28, 28))
    if arguments.arrays is not None:
        from mlp_study.data import arrays

        x, y = arrays.read_to_predict(arguments.arrays, run.classes)
        return Images(x.reshape(len(x), -1), y, x.shape[1:] if x.ndim == 3 else None, None)
    from mlp_study.data import sources

    raw = sources.load(run.config.data)
    if raw.test_images is None:
        raise UserError(
            f"{arguments.run}: its data source has no labelled test images; give --csv, --images or --arrays"
        )
    if raw.classes.tolist() != run.classes.tolist():
        raise UserError(f"{arguments.run}: its data source has other classes than when it was trained")
    return Images(raw.test_images, raw.test_labels, raw.image_shape, raw.largest)


def _check_size(option: str, num_pixels: int, folder: Path, run: TrainedRun) -> None:
    if run.module.mlp.in_size != num_pixels:
        raise UserError(
            f"{option}: {folder} takes {run.module.mlp.in_size} numbers an image; expected a run on images of 28 x 28"
        )


def _write_table(path: Path, what: str, header: str, classes: np.ndarray, first: int) -> None:
    """A line for each image, numbered from `first`, with the class it was taken for."""
    from mlp_study.files import write_text

    lines = [header, *(f"{i},{label}" for i, label in enumerate(classes, start=first))]
    write_text(path, "\n".join(lines) + "\n")
    print(f"{what}: {path}")
