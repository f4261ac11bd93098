"""Checkpoints: one format for both engines, which Lightning's own `Trainer.fit(ckpt_path=...)` resumes.

Read as plain tensors and numbers; nothing in a file is executed.
"""

from __future__ import annotations

import copy
import io
import pickle
import warnings
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from mlp_study.choices.rules import layer_names
from mlp_study.engines.lit import LitMLP
from mlp_study.engines.quiet import quiet_lightning
from mlp_study.errors import UserError
from mlp_study.files import make_folder, replaced


def content(
    module: LitMLP,
    optimizer: dict[str, Any],
    scheduler: dict[str, Any] | None,
    num_epochs: int,
    num_blocks: int,
    order: dict[str, Any],
) -> dict[str, Any]:
    """What a checkpoint holds.

    Args:
        module: the network, at the end of an epoch.
        optimizer: its optimizer's `state_dict`.
        scheduler: its schedule's, or None.
        num_epochs: finished.
        num_blocks: batches of Lightning's in an epoch, of several mini-batches each.
        order: the data module's `state_dict`.
    """
    result = {
        "epoch": num_epochs - 1,
        "global_step": module.num_steps,
        "pytorch-lightning_version": L.__version__,
        "state_dict": _own(module.state_dict()),
        "loops": _loops(num_epochs, num_blocks, module.num_steps),
        "callbacks": {},
        "optimizer_states": [_own(optimizer)],
        "lr_schedulers": [] if scheduler is None else [scheduler],
        "hparams_name": "kwargs",
        "hyper_parameters": dict(module.hparams),
        "ImageDataModule": order,
    }
    module.on_save_checkpoint(result)
    return result


def _own(value: Any) -> Any:
    """Tensors as copies on the CPU: torch saves a view of a stack's weights with the weights of the whole stack."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, dict):
        return {key: _own(item) for key, item in value.items()}
    return value


def _loops(num_epochs: int, num_blocks: int, num_steps: int) -> dict[str, Any]:
    """Where Lightning's loops are at the end of an epoch, when it would save a checkpoint itself."""
    loops = copy.deepcopy(_fresh_loops())
    fit = loops["fit_loop"]
    done = {"ready": num_epochs, "started": num_epochs, "processed": num_epochs, "completed": num_epochs - 1}
    fit["epoch_progress"] = {"total": dict(done), "current": dict(done)}
    kinds = ("ready", "started", "processed", "completed")
    fit["epoch_loop.batch_progress"] = {
        "total": dict.fromkeys(kinds, num_epochs * num_blocks),
        "current": dict.fromkeys(kinds, num_blocks),
        "is_last_batch": True,
    }
    fit["epoch_loop.state_dict"] = {"_batches_that_stepped": num_epochs * num_blocks}
    stepped = {"ready": num_steps, "completed": num_steps}
    fit["epoch_loop.manual_optimization.optim_step_progress"] = {"total": dict(stepped), "current": dict(stepped)}
    return loops


@cache
def _fresh_loops() -> dict[str, Any]:
    """The state of a trainer's loops before anything; its keys are Lightning's own, of the version installed."""
    with quiet_lightning():
        trainer = L.Trainer(
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    return {"fit_loop": trainer.fit_loop.state_dict()}


def save(path: Path, checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint in one step."""
    # Through memory: torch's own writer of files says of a full disk neither that it is full nor which file it was.
    content = io.BytesIO()
    torch.save(checkpoint, content)
    make_folder(path.parent)
    with replaced(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def load(path: Path) -> LitMLP:
    """The module in a checkpoint file, read as plain tensors and numbers: a pickle that wants to run code is refused.

    Raises:
        UserError: the file is missing, damaged, no checkpoint of ours, or its weights do not fit its settings.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; train the run with callbacks=checkpoint to get one")
    try:
        with warnings.catch_warnings(action="ignore"):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError, zipfile.BadZipFile):
        # torch's own words advise to load it all the same, with code and all.
        raise UserError(
            f"{path}: not a checkpoint: damaged, of another kind, or with code in it; none of it was executed"
        ) from None
    if not isinstance(found, dict) or not {"state_dict", "hyper_parameters"} <= found.keys():
        raise UserError(f"{path}: not a checkpoint of mlp_study: it lacks state_dict and hyper_parameters")
    try:
        module = LitMLP(**found["hyper_parameters"])
        layer_names(module.mlp.names)  # they become names of files
        module.load_state_dict(found["state_dict"])
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise UserError(f"{path}: its weights do not fit its settings ({str(error).strip().splitlines()[0]})") from None
    return module
