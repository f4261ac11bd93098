"""Open a finished run again: its settings, its scaler and its trained network. Nothing in a file is executed."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from mlp_study.config import Config, check
from mlp_study.data.scaling import Scaler
from mlp_study.data.sources import RawImages
from mlp_study.errors import UserError
from mlp_study.lit import LitMLP
from mlp_study.run import untrained

INITIAL = "initial"  # in place of a checkpoint's name: the weights before training


@dataclass(frozen=True)
class TrainedRun:
    """A run's directory, read back. `module` is in evaluation mode, in the precision it was trained in."""

    folder: Path
    config: Config
    scaler: Scaler
    module: LitMLP


def open_run(folder: Path, which: str = "last") -> TrainedRun:
    """Read the run in `folder` with its checkpoint `which`, "last" or "best", or with its "initial" weights.

    Raises:
        UserError: something is missing, damaged, of another kind, or does not fit together.
    """
    config = read_config(folder)
    scaler = Scaler.load(folder / "scaler.npz")
    if which == INITIAL:
        module = untrained(config, len(scaler.mean), RawImages.num_classes)
    else:
        module = load_checkpoint(folder / "checkpoints" / f"{which}.ckpt")
    if len(scaler.mean) != module.mlp.in_size:
        raise UserError(f"{folder}: its scaler has {len(scaler.mean)} pixels, its network {module.mlp.in_size} inputs")
    if config.trainer["precision"] == "64-true":
        module.double()
    return TrainedRun(folder, config, scaler, module.eval())


def read_config(folder: Path) -> Config:
    """The settings of the run in `folder`.

    Raises:
        UserError: there is none, or it is damaged.
    """
    if not (folder / "config.yaml").is_file():
        raise UserError(f"{folder}: not a run: it has no config.yaml")
    try:
        return check(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UserError(f"{folder / 'config.yaml'}: damaged: not YAML") from None


def load_checkpoint(path: Path) -> LitMLP:
    """The module in a checkpoint file, read as plain tensors and numbers: a pickle that wants to run code is refused.

    Raises:
        UserError: the file is missing, damaged, no checkpoint of ours, or its weights do not fit its settings.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; train the run with callbacks=checkpoint to get one")
    try:
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError, zipfile.BadZipFile):
        # torch's own words advise to load it all the same, with code and all.
        raise UserError(
            f"{path}: not a checkpoint: damaged, of another kind, or with code in it; none of it was executed"
        ) from None
    if not isinstance(content, dict) or not {"state_dict", "hyper_parameters"} <= content.keys():
        raise UserError(f"{path}: not a checkpoint of mlp_study: it lacks state_dict and hyper_parameters")
    try:
        module = LitMLP(**content["hyper_parameters"])
        module.load_state_dict(content["state_dict"])
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise UserError(f"{path}: its weights do not fit its settings ({str(error).strip().splitlines()[0]})") from None
    return module
