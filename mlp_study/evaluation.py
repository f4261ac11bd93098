"""How good predictions are: accuracy, loss, confusion matrix, precision and recall per class, the surest mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torchmetrics.functional.classification import (
    multiclass_confusion_matrix,
    multiclass_precision,
    multiclass_recall,
)

from mlp_study.events import mistakes_picture
from mlp_study.files import write_json, write_text

NUM_MISTAKES = 30


def evaluate(folder: Path, pixels: np.ndarray, outputs: np.ndarray, labels: np.ndarray, loss: float | None) -> None:
    """Print how good `outputs` (N, classes) are for `labels` (N,), and write it to `folder`.

    evaluation.json holds the numbers, confusion.csv the matrix (a row per true class), mistakes.png the images
    (N, pixels) that were misclassified with the most confidence.
    """
    num_classes = outputs.shape[1]
    predicted = outputs.argmax(1)
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
    frame = pd.DataFrame(confusion, index=pd.RangeIndex(num_classes, name="true"))
    write_text(folder / "confusion.csv", frame.to_csv(lineterminator="\n"))
    side = round(pixels.shape[1] ** 0.5)
    wrong = np.flatnonzero(predicted != labels)
    surest = wrong[np.argsort(-outputs[wrong, predicted[wrong]], kind="stable")][:NUM_MISTAKES]
    picture = mistakes_picture(pixels[surest], (side, side), predicted[surest], labels[surest])
    picture.save(folder / "mistakes.png")

    table = Table(
        title="rows: true digit; columns: predicted", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for heading in ("", *map(str, range(num_classes)), "precision", "recall"):
        table.add_column(heading, justify="right")
    for digit in range(num_classes):
        counts = (str(n) if n else "." for n in confusion[digit])
        table.add_row(str(digit), *counts, f"{precision[digit]:.4f}", f"{recall[digit]:.4f}")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    console.print(table)
    print(f"test_acc {acc}  loss {loss}  ({len(wrong)} of {len(labels)} wrong)")
    print(f"results: {folder}")
