"""How far the embeddings can be trusted, in a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mlp_study.files import write_text
from mlp_study.inspection.embeddings import Embedding, nearest_neighbor_accuracy
from mlp_study.showing import Columns, console


def scores(
    names: Sequence[str], representations: Sequence[np.ndarray], embeddings: Sequence[Embedding], labels: np.ndarray
) -> pd.DataFrame:
    """A row for each layer and method: layer, method, trustworthiness, neighbor_acc (see `Embedding`).

    Method "none" is the layer itself, all its units; nothing is lost there, so its trustworthiness is left empty.
    """
    rows: list[tuple[str, str, float, float]] = []
    for name, values in zip(names, representations, strict=True):
        rows.append((name, "none", np.nan, nearest_neighbor_accuracy(values.astype(np.float64), labels)))
        rows += [(name, e.method, e.trustworthiness, e.neighbor_acc) for e in embeddings if e.layer == name]
    return pd.DataFrame(rows, columns=["layer", "method", "trustworthiness", "neighbor_acc"])


def report(folder: Path, title: str, table: pd.DataFrame) -> None:
    """Write `table` to scores.csv and print it under `title`."""
    write_text(folder / "scores.csv", table.to_csv(index=False, lineterminator="\n"))
    print(f"\n{title}: trustworthiness (5 nearest neighbours), accuracy of the nearest other image's digit")
    shown = Columns()
    for heading in table.columns:
        shown.column(heading, heading not in ("layer", "method"))
    for row in table.to_dict("records"):
        numbers = ("-" if np.isnan(row[key]) else f"{row[key]:.4f}" for key in ("trustworthiness", "neighbor_acc"))
        shown.row(row["layer"] if row["method"] == "none" else "", row["method"], *numbers)
    console(width=120).print(shown.table)
