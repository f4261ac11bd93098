"""How good predictions are: accuracy, loss, confusion matrix, precision and recall per class, the surest mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torchmetrics.functional.classification import (
    multiclass_confusion_matrix,
    multiclass_precision,
    multiclass_recall,
)

from mlp_study.engines.events import mistakes_picture
from mlp_study.files import replaced, write_json, write_text
from mlp_study.showing import Columns, console

NUM_MISTAKES = 30
MOST_SHOWN = 26  # classes whose matrix is printed; confusion.csv holds any number


def write(
    folder: Path,
    pixels: np.ndarray,
    image_shape: tuple[int, int] | None,
    classes: np.ndarray,
    outputs: np.ndarray,
    labels: np.ndarray,
    loss: float,
    metric: str,
    about: Mapping[str, Any],
) -> None:
    """Print how good `outputs` (N, classes) are for `labels` (N,), and write it to `folder`.

    evaluation.json holds the numbers, confusion.csv the matrix (a row per true class), mistakes.png the images
    (N, pixels) that were misclassified with the most confidence, where they are images. `metric` is what the accuracy
    is called; evaluation.json also says what there is to say `about` the images.
    """
    predicted, num_classes = outputs.argmax(1), len(classes)
    guesses, truth = torch.from_numpy(predicted), torch.from_numpy(labels)
    precision, recall = (
        metric(guesses, truth, num_classes, average=None).tolist()
        for metric in (multiclass_precision, multiclass_recall)
    )
    confusion = multiclass_confusion_matrix(guesses, truth, num_classes).numpy()
    acc = float((predicted == labels).mean())
    write_json(
        folder / "evaluation.json",
        {
            **about,
            "num_images": len(labels),
            "acc": acc,
            "loss": loss,
            "precision": precision,
            "recall": recall,
        },
    )
    frame = pd.DataFrame(confusion, index=pd.Index(classes, name="true"), columns=classes)
    write_text(folder / "confusion.csv", frame.to_csv(lineterminator="\n"))
    wrong = np.flatnonzero(predicted != labels)
    if image_shape is not None:
        surest = wrong[np.argsort(-outputs[wrong, predicted[wrong]], kind="stable")][:NUM_MISTAKES]
        names = classes[predicted[surest]], classes[labels[surest]]
        with replaced(folder / "mistakes.png") as temporary:
            mistakes_picture(pixels[surest], image_shape, *names).save(temporary, format="PNG")
    if num_classes <= MOST_SHOWN:
        _show(confusion, classes, precision, recall)
    print(f"{metric} {acc}  loss {loss}  ({len(wrong)} of {len(labels)} wrong)")
    print(f"results: {folder}")


def _show(confusion: np.ndarray, classes: np.ndarray, precision: list[float], recall: list[float]) -> None:
    view = Columns("rows: true class; columns: predicted")
    for heading in ("", *classes, "precision", "recall"):
        view.column(heading, is_number=True)
    for i, name in enumerate(classes):
        view.row(name, *(n or "." for n in confusion[i]), f"{precision[i]:.4f}", f"{recall[i]:.4f}")
    console(width=120).print(view.table)
