"""Numbers of your own: X (N, features) and y (N,) of an .npz file, and perhaps X_test and y_test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mlp_study import reading
from mlp_study.errors import UserError
from mlp_study.reading import check_regular, decoding

DAMAGED = "not a readable .npz file of plain arrays"
MOST = 1e100  # squares of what is larger may not be finite
EXPECTED = "expected X (N, features), y (N,), and optionally X_test and y_test"


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file, checked: X and X_test of real numbers, finite, y and y_test as they come.

    Raises:
        UserError: the file is missing or damaged, lacks an array, or holds something that cannot be trained on.
    """
    arrays = _load(path)
    check(str(path), arrays)
    return arrays


def read_to_predict(path: str | Path, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """X of a file, and where it has y the labels: positions in `classes`.

    Raises:
        UserError: as `read`, or y has a class that is not among them.
    """
    arrays = _load(path)
    if arrays.keys() not in ({"X"}, {"X", "y"}):
        raise UserError(f"{path}: has {', '.join(arrays) or 'no array'}; expected X, with or without y")
    x, y = arrays["X"], arrays.get("y")
    _check_part(str(path), "X", x, "y", np.zeros(len(x), int) if y is None else y)
    if y is None:
        return x, None
    y = plain_classes(y)
    if (y.dtype.kind == "U") != (classes.dtype.kind == "U"):
        raise UserError(f"{path}: y has the class {y[0]}; the run knows {', '.join(map(str, classes))}")
    strange = np.setdiff1d(y, classes)
    if len(strange):
        raise UserError(f"{path}: y has the class {strange[0]}; the run knows {', '.join(map(str, classes))}")
    order = np.argsort(classes)
    return x, order[np.searchsorted(classes, y, sorter=order)]


def plain_classes(y: np.ndarray) -> np.ndarray:
    """Classes that have been checked, as whole numbers or texts: no floating numbers, no bytes."""
    return y.astype(np.int64) if y.dtype.kind == "f" else np.char.decode(y, "utf-8") if y.dtype.kind == "S" else y


def _load(path: str | Path) -> dict[str, np.ndarray]:
    check_regular(path)
    with decoding(path, DAMAGED), Path(path).open("rb") as file:
        if file.read(6) == b"\x93NUMPY":
            raise UserError(f"{path}: a single array; {EXPECTED}, as numpy.savez writes them")
    return reading.arrays(path, DAMAGED, is_stored=False)


def check(what: str, arrays: dict[str, np.ndarray]) -> None:
    """See that `arrays` can be trained on; `what` is how an error calls them.

    Raises:
        UserError: they cannot.
    """
    wrong = arrays.keys() ^ ({"X", "y"} if arrays.keys() <= {"X", "y"} else {"X", "y", "X_test", "y_test"})
    if wrong:
        raise UserError(f"{what}: has {', '.join(arrays) or 'no array'}; {EXPECTED}")
    for part in ("", "_test"):
        if f"X{part}" in arrays:
            _check_part(what, f"X{part}", arrays[f"X{part}"], f"y{part}", arrays[f"y{part}"])
    if "X_test" in arrays:
        if arrays["X"].shape[1:] != arrays["X_test"].shape[1:]:
            raise UserError(f"{what}: X has shape {arrays['X'].shape}, X_test {arrays['X_test'].shape}; expected alike")
        strange = np.setdiff1d(arrays["y_test"], arrays["y"])
        if len(strange):
            raise UserError(f"{what}: y_test has the class {strange[0]}, which y has not")
    if len(np.unique(arrays["y"])) < 2:
        raise UserError(f"{what}: y has one class alone; expected at least two")


def _check_part(what: str, x_name: str, x: np.ndarray, y_name: str, y: np.ndarray) -> None:
    if x.ndim < 2 or 0 in x.shape:
        raise UserError(f"{what}: {x_name} has shape {x.shape}; expected (N, features), not empty")
    if x.dtype.kind not in "buif":
        raise UserError(f"{what}: {x_name} holds {x.dtype}; expected real numbers")
    if not np.isfinite(x).all():
        raise UserError(f"{what}: {x_name} holds numbers that are not finite")
    if x.dtype.kind == "f" and (largest := float(np.abs(x).max())) > MOST:
        raise UserError(f"{what}: {x_name} holds {largest:g}; expected numbers up to {MOST:g}")
    if y.shape != x.shape[:1]:
        raise UserError(f"{what}: {y_name} has shape {y.shape}; expected ({len(x)},), a class for each row of {x_name}")
    is_whole = y.dtype.kind == "f" and (np.abs(y) <= 2**53).all() and (y == np.floor(y)).all()
    if y.dtype.kind not in "buiUS" and not is_whole:
        raise UserError(f"{what}: {y_name} holds {y.dtype}; expected classes: whole numbers or texts")
    if y.dtype.kind in "US":
        with decoding(what, f"{y_name} holds texts that cannot be written"):
            for name in np.unique(y).tolist():
                name.encode("utf-8") if isinstance(name, str) else name.decode("utf-8")
