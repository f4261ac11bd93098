"""Predict with a trained run, and judge it.

    python -m mlp_study.predict RUN                        the test images of its data source
    python -m mlp_study.predict RUN --held-out             the labelled images that it was not trained on
    python -m mlp_study.predict RUN --csv test.csv         Kaggle's CSV: writes submission.csv
    python -m mlp_study.predict RUN --images 4.png 7.jpg   pictures of single digits, drawn or photographed
    python -m mlp_study.predict RUN --arrays mine.npz      rows of numbers, for a run with data=arrays

RUN is a run's directory, trained with `callbacks=checkpoint`. Results go to --out, or to RUN/predictions: of the test
images there, and what else is judged, or judged otherwise, to a directory of its own in it: held_out, csv, arrays,
scaling_none, best, csv-scaling_none, ... What pictures are taken for is in pictures.csv. Exit codes as in
`mlp_study.train`.
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
    what.add_argument(
        "--held-out",
        action="store_true",
        help="the part of the labelled images that was not trained on, also of a run without test images",
    )
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
    folder = arguments.out or _own_folder(arguments, images)
    with claimed(folder):
        _write(folder, arguments, run, images, outputs, scaler)


def _own_folder(arguments: argparse.Namespace, images: Images) -> Path:
    """So that no evaluation takes the place of another one, the test images' least of all."""
    folder = arguments.run / "predictions"
    judged = "held_out" if arguments.held_out else "csv" if arguments.csv else "arrays" if arguments.arrays else ""
    parts = [
        judged if images.labels is not None else "",
        "" if arguments.checkpoint == "last" else arguments.checkpoint,
        "" if arguments.scaling == "run" else f"scaling_{arguments.scaling}",
    ]
    name = "-".join(filter(None, parts))
    return folder / name if name else folder


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
        _write_pictures(folder / "pictures.csv", arguments.images, run, images.pixels, outputs)
    if images.labels is not None:
        from mlp_study.inspection import confusion

        loss = float(run.evaluate(images.pixels, images.labels, scaler).loss)
        metric = "held_out_acc" if arguments.held_out else "test_acc" if images.is_own else "acc"
        said, num_trained_on = (images.what, 0) if images.is_own else _known(arguments.run, run, images)
        print(printable(f"judged on {said}"))
        about = {"images": images.what, "num_trained_on": num_trained_on}
        confusion.write(folder, images.pixels, images.shape, run.classes, outputs, images.labels, loss, metric, about)


def _known(folder: Path, run: TrainedRun, images: Images) -> tuple[str, int | None]:
    """What `images` are, with how many of them the run was trained on, and that number; None where it is not known."""
    from mlp_study.data import overlap

    try:
        num = overlap.num_trained_on(run.config.data, images.pixels)
    except UserError as error:
        return f"{images.what}; whether {folder} was trained on them is not known ({error})", None
    if num == 0:
        return f"{images.what}; {folder} was trained on none of them", 0
    those = "these very images" if num == len(images.pixels) else f"{num} of these images"
    return (
        f"{images.what}; {folder} was trained on {those}, so that this says little of others "
        "(--held-out judges it on those it was not trained on)",
        num,
    )


class Images(NamedTuple):
    """Unscaled `pixels` (N, pixels), `labels` (N,) from 0 where they are known, the images' height and width where
    they are images, what they are called, the largest value that their format can hold, and whether they are a part of
    the run's own that it was not trained on."""

    pixels: np.ndarray
    labels: np.ndarray | None
    shape: tuple[int, int] | None
    what: str
    largest: float | None = 255.0
    is_own: bool = False


def _images(arguments: argparse.Namespace, run: TrainedRun) -> Images:
    if arguments.csv is not None:
        from mlp_study.data import kaggle

        _check_size("--csv", kaggle.NUM_PIXELS, arguments.run, run)
        pixels, labels = kaggle.read(arguments.csv, labelled=None)
        if labels is not None and run.classes.tolist() != list(range(10)):
            raise UserError(f"{arguments.csv}: its labels are digits; the run knows {', '.join(map(str, run.classes))}")
        return Images(pixels, labels, (28, 28), f"the {len(pixels)} images of {arguments.csv}")
    if arguments.images is not None:
        from mlp_study.data import image_files

        _check_size("--images", image_files.NUM_PIXELS, arguments.run, run)
        return Images(image_files.read(arguments.images), None, (28, 28), "pictures")
    if arguments.arrays is not None:
        from mlp_study.data import arrays

        x, y = arrays.read_to_predict(arguments.arrays, run.classes)
        shape = x.shape[1:] if x.ndim == 3 else None
        return Images(x.reshape(len(x), -1), y, shape, f"the {len(x)} rows of {arguments.arrays}", None)
    return _own_images(arguments, run)


def _own_images(arguments: argparse.Namespace, run: TrainedRun) -> Images:
    """The test images of the run's data source, or those that its split held out."""
    from mlp_study.data import sources
    from mlp_study.data.split import split_indices

    data = run.config.data
    raw = sources.load(data)
    if raw.classes.tolist() != run.classes.tolist():
        raise UserError(f"{arguments.run}: its data source has other classes than when it was trained")
    if arguments.held_out:
        rows = split_indices(data, raw.labels)[1]
        if not len(rows):
            raise UserError(f"--held-out: {arguments.run} was trained on all labelled images (data.val_fraction=0)")
        what = f"the {len(rows)} of {len(raw.labels)} labelled images that were held out of training"
        return Images(raw.images[rows], raw.labels[rows], raw.image_shape, what, raw.largest, is_own=True)
    if raw.test_images is None:
        raise UserError(
            f"{arguments.run}: its data source has no labelled test images; "
            "give --held-out, --csv, --images or --arrays"
        )
    what = f"the {len(raw.test_images)} test images of the run's data"
    return Images(raw.test_images, raw.test_labels, raw.image_shape, what, raw.largest, is_own=True)


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


def _write_pictures(
    path: Path, pictures: Sequence[Path], run: TrainedRun, pixels: np.ndarray, outputs: np.ndarray
) -> None:
    """A line for each picture: what it was taken for, how surely, and what is strange about it. Printed, too."""
    import csv
    import io

    from mlp_study.files import write_text

    table = io.StringIO()
    lines = csv.writer(table, lineterminator="\n")
    lines.writerow(["picture", "class", "output", "strange"])
    for picture, row, reason in zip(pictures, outputs, _strange(run, pixels), strict=True):
        name, surely = run.classes[row.argmax()], float(row.max())
        doubt = f", but it does not look like the images that the run was trained on: {reason}" if reason else ""
        print(printable(f"{picture}: {name} ({surely:.1%}){doubt}"))
        lines.writerow([printable(picture), name, surely, reason])
    write_text(path, table.getvalue())
    print(printable(f"predictions: {path}"))


def _strange(run: TrainedRun, pixels: np.ndarray) -> list[str]:
    """What is strange about each picture (N, 784), for the run; empty where nothing is, or it is not known."""
    from mlp_study.data import likeness, sources

    try:
        familiar = likeness.Familiar.of(sources.training_pixels(run.config.data)[0], (28, 28))
        reason = "its training images are too few"
    except UserError as error:
        familiar, reason = None, str(error)
    if familiar is None:
        print(printable(f"whether pictures look like those that the run was trained on is not known: {reason}"))
        return [""] * len(pixels)
    return familiar.strange(pixels)
