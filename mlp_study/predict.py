"""Predict with a trained run, and judge it.

    python -m mlp_study.predict RUN                        the test images of its data source
    python -m mlp_study.predict RUN --csv test.csv         Kaggle's CSV: writes submission.csv
    python -m mlp_study.predict RUN --images 4.png 7.jpg   pictures of single digits

RUN is a run's directory, trained with `callbacks=checkpoint`. Results go to RUN/predictions, or to --out. Exit codes as
in `mlp_study.train`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlp_study.errors import UserError
from mlp_study.hydra_checks import fail

if TYPE_CHECKING:
    import numpy as np

    from mlp_study.checkpoint import TrainedRun


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; `argv` stands in for sys.argv[1:]."""
    parser = argparse.ArgumentParser(
        prog="python -m mlp_study.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="a run's directory")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--csv", type=Path, help="pixel0..pixel783, with or without label")
    what.add_argument("--images", type=Path, nargs="+", help="pictures of single digits, PNG or JPEG, of any size")
    parser.add_argument("--checkpoint", choices=["last", "best"], default="last", help="which of the run's (last)")
    parser.add_argument(
        "--scaling", choices=["run", "minmax", "none"], default="run", help="scale otherwise than in training (run)"
    )
    parser.add_argument("--out", type=Path, help="where results go (RUN/predictions)")
    arguments = parser.parse_args(argv)
    try:
        predict(arguments)
    except UserError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")


def predict(arguments: argparse.Namespace) -> None:
    """Do what the command line asks.

    Raises:
        UserError: a file is missing, damaged, or does not fit the run.
    """
    from mlp_study.checkpoint import open_run

    run = open_run(arguments.run, arguments.checkpoint)
    folder = arguments.out or arguments.run / "predictions"
    pixels, labels = _images(arguments, run)
    if pixels.shape[1] != run.module.mlp.in_size:
        raise UserError(f"{arguments.run}: takes {run.module.mlp.in_size} pixels; these images have {pixels.shape[1]}")
    folder.mkdir(parents=True, exist_ok=True)
    outputs, loss = _outputs(run, pixels, labels, arguments.scaling)
    predicted = outputs.argmax(1)
    if arguments.csv is not None:
        _write_submission(folder / "submission.csv", predicted)
    if arguments.images is not None:
        for path, digit, row in zip(arguments.images, predicted, outputs, strict=True):
            print(f"{path}: {digit} ({row[digit]:.1%})")
    if labels is not None:
        from mlp_study.evaluation import evaluate

        evaluate(folder, pixels, outputs, labels, loss)


def _images(arguments: argparse.Namespace, run: TrainedRun) -> tuple[np.ndarray, np.ndarray | None]:
    """Unscaled pixels (N, pixels) and, where they are known, labels (N,)."""
    if arguments.csv is not None:
        from mlp_study.data import kaggle

        return kaggle.read(arguments.csv, labelled=kaggle.has_labels(arguments.csv))
    if arguments.images is not None:
        from mlp_study.data import pictures

        return pictures.read(arguments.images), None
    from mlp_study.data import sources

    raw = sources.load(run.config.data)
    if raw.test_images is None:
        raise UserError(f"{arguments.run}: its data source has no labelled test images; give --csv or --images")
    return raw.test_images, raw.test_labels


def _outputs(
    run: TrainedRun, pixels: np.ndarray, labels: np.ndarray | None, scaling: str
) -> tuple[np.ndarray, float | None]:
    """The network's outputs (N, classes) and, with labels, the mean loss without the L2 penalty."""
    import numpy as np
    import torch

    from mlp_study.data.datamodule import EVAL_BATCH
    from mlp_study.data.scaling import Scaler
    from mlp_study.losses import outputs, sample_losses

    module = run.module
    scaler = run.scaler if scaling == "run" else Scaler.fit(scaling, pixels)
    is_double = next(module.parameters()).dtype == torch.float64
    scaled = torch.from_numpy(scaler.transform(pixels, np.float64 if is_double else np.float32))
    with torch.no_grad():
        logits = torch.cat([module.mlp(x) for x in scaled.split(EVAL_BATCH)])
        predicted = outputs(module.loss, logits, module.output_activation).numpy()
        if labels is None:
            return predicted, None
        losses = sample_losses(module.loss, logits, torch.from_numpy(labels), module.output_activation)
    return predicted, float(losses.double().mean())


def _write_submission(path: Path, predicted: np.ndarray) -> None:
    """Kaggle's format: ImageId from 1, Label."""
    from mlp_study.files import write_text

    lines = ["ImageId,Label", *(f"{i + 1},{digit}" for i, digit in enumerate(predicted))]
    write_text(path, "\n".join(lines) + "\n")
    print(f"submission: {path}")


if __name__ == "__main__":
    main()
