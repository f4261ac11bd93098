"""The CSV files of Kaggle's digit-recognizer: label,pixel0..pixel783 for training, pixel0..pixel783 to predict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mlp_study.errors import UserError

NUM_PIXELS = 784
PIXELS = [f"pixel{i}" for i in range(NUM_PIXELS)]


def read(path: str | Path, labelled: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Images (N, 784) uint8 and, if `labelled`, labels (N,) int64.

    Raises:
        UserError: the file is missing or no CSV, lacks a column, or holds something that is no pixel or digit.
    """
    try:
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(f"{path}: not a readable CSV file ({str(error).strip().splitlines()[0]})") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes what is too many for names of rows, and shifts all
        raise UserError(f"{path}: its rows have more fields than its header; expected as many")
    wanted = (["label"] if labelled else []) + PIXELS
    missing = [column for column in wanted if column not in table.columns]
    if missing:
        raise UserError(
            f"{path}: lacks the column {missing[0]}"
            + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
            + f"; expected {'label,' if labelled else ''}pixel0..pixel783"
        )
    if table.empty:
        raise UserError(f"{path}: holds no image")
    pixels = _whole_numbers(path, table[PIXELS], 255)
    labels = _whole_numbers(path, table[["label"]], 9)[:, 0].astype(np.int64) if labelled else None
    return pixels.astype(np.uint8), labels


def has_labels(path: str | Path) -> bool:
    """Whether the CSV file has a label column; False for a file that `read` will refuse."""
    try:
        return "label" in pd.read_csv(path, nrows=0).columns
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError):
        return False


def _whole_numbers(path: str | Path, table: pd.DataFrame, most: int) -> np.ndarray:
    """The table as float64, once every entry has been seen to be a whole number from 0 to `most`."""
    values = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.argwhere(~((values >= 0) & (values <= most) & (values == np.floor(values))))
    if len(wrong):
        row, column = (int(i) for i in wrong[0])
        raise UserError(
            f"{path}: line {row + 2}, column {table.columns[column]}: {str(table.iat[row, column])!r} "
            f"is not a whole number from 0 to {most}"
        )
    return values
