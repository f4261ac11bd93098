"""How good predictions are: accuracy, loss, confusion matrix, precision and recall per class, the surest mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from torchmetrics.functional.classification import (
    multiclass_confusion_matrix,
    multiclass_precision,
    multiclass_recall,
)

from mlp_study.engines.events import mistakes_picture
from mlp_study.files import write_json, write_text

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
) -> None:
    """Print how good `outputs` (N, classes) are for `labels` (N,), and write it to `folder`.

    evaluation.json holds the numbers, confusion.csv the matrix (a row per true class), mistakes.png the images
    (N, pixels) that were misclassified with the most confidence, where they are images.
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
        {"num_images": len(labels), "acc": acc, "loss": loss, "precision": precision, "recall": recall},
    )
    frame = pd.DataFrame(confusion, index=pd.Index(classes, name="true"), columns=classes)
    write_text(folder / "confusion.csv", frame.to_csv(lineterminator="\n"))
    wrong = np.flatnonzero(predicted != labels)
    if image_shape is not None:
        surest = wrong[np.argsort(-outputs[wrong, predicted[wrong]], kind="stable")][:NUM_MISTAKES]
        names = classes[predicted[surest]], classes[labels[surest]]
        mistakes_picture(pixels[surest], image_shape, *names).save(folder / "mistakes.png")
    if num_classes <= MOST_SHOWN:
        _show(confusion, classes, precision, recall)
    print(f"test_acc {acc}  loss {loss}  ({len(wrong)} of {len(labels)} wrong)")
    print(f"results: {folder}")


def _show(confusion: np.ndarray, classes: np.ndarray, precision: list[float], recall: list[float]) -> None:
    table = Table(
        title="rows: true class; columns: predicted", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for heading in ("", *map(escape, map(str, classes)), "precision", "recall"):
        table.add_column(heading, justify="right")
    for i, name in enumerate(classes):
        counts = (str(n) if n else "." for n in confusion[i])
        table.add_row(escape(str(name)), *counts, f"{precision[i]:.4f}", f"{recall[i]:.4f}")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    console.print(table)
