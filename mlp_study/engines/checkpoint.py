"""Checkpoints: one format for both engines, which Lightning's own `Trainer.fit(ckpt_path=...)` resumes.

Read as plain tensors and numbers; nothing in a file is executed.
"""

from __future__ import annotations

import copy
import io
import os
import sys
import warnings
import zipfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mlp_study.engines.later import defer
from mlp_study.engines.learner import Learner
from mlp_study.engines.quiet import quiet_lightning
from mlp_study.errors import UserError
from mlp_study.files import make_folder, replaced
from mlp_study.reading import check_archive, check_regular


def content(
    module: Learner,
    optimizer: dict[str, Any],
    scheduler: dict[str, Any] | None,
    num_epochs: int,
    num_blocks: int,
    order: dict[str, Any],
    part: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What a checkpoint holds.

    Args:
        module: the network.
        optimizer: its optimizer's `state_dict`.
        scheduler: its schedule's, or None.
        num_epochs: finished.
        num_blocks: batches of Lightning's in an epoch, of several mini-batches each.
        order: the data module's `state_dict`.
        part: inside an epoch what the steps of it have come to, see `mlp_study.engines.part.Part.states`; only
            snapshots hold that.
    """
    result = {
        "epoch": num_epochs - 1,
        "global_step": module.num_steps,
        "pytorch-lightning_version": version("lightning"),
        "state_dict": module.state_dict(),
        "loops": _loops(num_epochs, num_blocks, module.num_steps),
        "callbacks": {},
        "optimizer_states": [{**optimizer, "param_groups": list(map(_ordered, optimizer["param_groups"]))}],
        "lr_schedulers": [] if scheduler is None else [scheduler],
        "hparams_name": "kwargs",
        "hyper_parameters": dict(module.arguments),
        "ImageDataModule": order,
    }
    if part is not None:
        result["part"] = part
    module.on_save_checkpoint(result)
    return _own(result)


def _ordered(group: dict[str, Any]) -> dict[str, Any]:
    """With what a schedule adds at the end, where it stands in an optimizer that was never read back."""
    return dict(sorted(group.items(), key=lambda item: item[0] == "initial_lr"))


def _own(value: Any) -> Any:
    """A copy on the CPU that shares nothing but equal texts, so that equal contents become equal bytes.

    torch would save a view of a stack's weights with the weights of the whole stack, and pickle tells objects that are
    one from those that are equal.
    """
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, dict):
        return {_own(key): _own(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_own, value))
    return sys.intern(value) if type(value) is str else value


def _loops(num_epochs: int, num_blocks: int, num_steps: int) -> dict[str, Any]:
    """Where Lightning's loops are at the end of an epoch, when it would save a checkpoint, or before the first."""
    loops = copy.deepcopy(_fresh_loops())
    if not num_epochs:
        return loops
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
    """The state of a trainer's loops before anything; its keys are Lightning's own, of the version installed.

    Who saves nothing does without Lightning.
    """
    defer()
    import lightning as L

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


def load(path: Path, fresh: Learner) -> Learner:
    """`fresh` with the weights of a checkpoint file, read as plain tensors and numbers: code in it is refused.

    Nothing is built from what the file says: it must say what `fresh` was built from, and hold its weights, one by one
    of the same shape and type.

    Raises:
        UserError: the file is missing, damaged, no checkpoint of ours, or of another run.
    """
    if not os.path.lexists(path):
        raise UserError(f"{path}: no such checkpoint; train the run with callbacks=checkpoint to get one")
    # torch's own words advise to load it all the same, with code and all.
    said = "not a checkpoint: damaged, of another kind, or with code in it; none of it was executed"
    found = read_plain(path, said)
    if not isinstance(found, dict) or not {"state_dict", "hyper_parameters"} <= found.keys():
        raise UserError(f"{path}: not a checkpoint of mlp_study: it lacks state_dict and hyper_parameters")
    said = f"{path}: of another run, or damaged"
    if not _same(found["hyper_parameters"], fresh.arguments):
        raise UserError(f"{said}: its settings are not those of the run's config.yaml")
    weights, expected = found["state_dict"], fresh.state_dict()
    if not isinstance(weights, dict) or weights.keys() != expected.keys():
        raise UserError(f"{said}: it does not hold the weights {', '.join(expected)}")
    for name, tensor in expected.items():
        theirs = weights[name]
        if not isinstance(theirs, Tensor) or _kind(theirs) != _kind(tensor):
            raise UserError(f"{said}: {name} is not {_words(tensor)}")
    fresh.load_state_dict(weights)
    return fresh


def read_plain(path: Path, said: str) -> Any:
    """What torch.save has written to `path`, if it is plain containers of numbers, texts and tensors.

    Raises:
        UserError: it is not; the line says so with `said`.
    """
    size = check_regular(path)
    try:
        with warnings.catch_warnings(action="ignore"):
            with zipfile.ZipFile(path) as archive:
                check_archive(archive, size, is_stored=True)
                if (altered := archive.testzip()) is not None:  # torch's reader does not look at checksums
                    raise ValueError(altered)
            # Mapped: so a tensor that claims to be larger than its file is refused, and takes no memory.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # whatever the unpickler stumbles over
        raise UserError(f"{path}: {said}") from None


def _same(found: Any, expected: Any) -> bool:
    """Whether two nested containers of plain values are equal; what else may be in `found` is compared with nothing."""
    if type(found) is not type(expected):
        return False
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(_same(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(_same, found, expected))
    return bool(found == expected)


def _kind(tensor: Tensor) -> tuple[Any, ...]:
    """What two tensors must have in common for one to be copied into the other as it is."""
    return tensor.shape, tensor.dtype, tensor.layout, tensor.device, tensor.is_quantized


def _words(tensor: Tensor) -> str:
    return f"{' x '.join(map(str, tensor.shape)) or 'one number'}, {str(tensor.dtype).removeprefix('torch.')}"
