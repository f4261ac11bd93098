"""Columns of TensorBoard's HParams tab: what a study sweeps, and of a run alone what it is best known by.

TensorBoard takes the columns from whichever run it reads first, and its parallel coordinates show only runs that have a
value in each. So every run of a study announces the same columns, and has a value for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlp_study.runs.asked import as_number, differing_keys, pairs
from mlp_study.runs.run import Run, setting_of

ALONE = ("optim", "optim.lr", "init", "model.hidden", "seed")  # of a run that belongs to no sweep


def with_columns(runs: Sequence[Run], swept: Sequence[str] = ()) -> list[Run]:
    """The same runs, which know the columns that they share: settings in which they differ, and those of `swept`."""
    keys = dict.fromkeys([*swept, *differing_keys([run.overrides for run in runs])])
    columns = tuple((key, all(as_number(value_of(run, key)) is not None for run in runs)) for key in keys)
    return [replace(run, columns=columns) for run in runs]


def hparams_of(run: Run) -> dict[str, str | float]:
    """The columns that a run announces, and its value in each: a number, or the text that was typed."""
    columns = run.columns
    if not columns:
        keys = dict.fromkeys([*ALONE, *(key for key in pairs(run.overrides) if "/" not in key and key != "hydra")])
        columns = tuple((key, as_number(value_of(run, key)) is not None) for key in keys if value_of(run, key))
    values = ((key, value_of(run, key), is_number) for key, is_number in columns)
    return {key: float(value) if is_number else value for key, value, is_number in values}


def value_of(run: Run, key: str) -> str:
    """A setting as it was typed, or as the run has it; empty where it has none."""
    typed = pairs(run.overrides).get(key)
    return setting_of(run.config, key) if typed is None else typed
