"""The weights of a network in numbers: as they were at initialization, and as they are after training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlp_study.files import write_text
from mlp_study.nets.mlp import MLP
from mlp_study.nets.parameters import tensors
from mlp_study.showing import Columns, console

NUMBERS = ("mean", "std", "min", "max")


def statistics(networks: Mapping[str, MLP]) -> pd.DataFrame:
    """A row for each layer, parameter and network: layer, parameter, when, shape, mean, std, min, max.

    `networks`: by what "when" is to say. std is the population's standard deviation; kernels are (out, in).
    """
    return pd.DataFrame(
        [
            {"layer": name, "parameter": parameter, "when": when, "shape": "x".join(map(str, tensor.shape))}
            | _numbers(tensor.cpu().numpy())
            for name in next(iter(networks.values())).names
            for when, mlp in networks.items()
            for parameter, tensor in tensors(mlp.layers[mlp.names.index(name)]).items()
        ],
        columns=["layer", "parameter", "when", "shape", *NUMBERS],
    ).sort_values(["layer", "parameter"], key=lambda column: pd.factorize(column)[0], kind="stable", ignore_index=True)


def _numbers(values: np.ndarray) -> dict[str, float]:
    values = values.astype(np.float64)
    with np.errstate(all="ignore"):  # of a run that diverged
        found = (values.mean(), values.std(), values.min(), values.max())
    return dict(zip(NUMBERS, map(float, found), strict=True))


def write(path: Path, table: pd.DataFrame) -> None:
    """As CSV, every number in full."""
    write_text(path, table.to_csv(index=False, lineterminator="\n", na_rep="nan"))


def show(table: pd.DataFrame) -> None:
    """Print the table."""
    shown = Columns("weights: kernels are (out, in), std is the population's")
    for heading in table.columns:
        shown.column(heading, heading in NUMBERS)
    before: Mapping[Any, Any] = {}
    for row in table.to_dict("records"):
        texts = [f"{row[key]:.4g}" if key in NUMBERS else str(row[key]) for key in table.columns]
        same = row["layer"] == before.get("layer"), row["parameter"] == before.get("parameter")
        texts[0] = "" if same[0] else texts[0]
        texts[1] = "" if all(same) else texts[1]
        shown.row(*texts)
        before = row
    console(width=120).print(shown.table)  # a narrow terminal breaks lines, it does not lose digits


def configuration_line(layer: Mapping[str, Any]) -> str:
    """A layer's settings in one line."""
    return f"{layer['name']}: " + "  ".join(f"{key}={_value(value)}" for key, value in layer.items() if key != "name")


def _value(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    numbers = ", ".join(f"{key}={number}" for key, number in value.items() if key != "name")
    return f"{value['name']}({numbers})"
