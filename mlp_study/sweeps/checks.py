"""Where Hydra meets the typed configuration: check every run before any starts, and say in one line what is wrong.

Nothing here imports torch.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mlp_study.config import Config, check
from mlp_study.config.memory import check_fits
from mlp_study.config.sections import Arrays, Data
from mlp_study.data import sources, split
from mlp_study.errors import UserError, fail
from mlp_study.files import claimed, remove_links
from mlp_study.machine import cuda_memory
from mlp_study.runs.run import Run
from mlp_study.sweeps.explain import explain
from mlp_study.sweeps.grammar import check_words


def _by_name(name: str, numbers: DictConfig) -> Any:
    """`${by_name:NAME,{NAME:NUMBER,...}}`: a number for each option of a group, in an experiment that sweeps them."""
    if name not in numbers:
        raise ValueError(f"given for {', '.join(map(str, numbers))} alone; with {name}, expected a value of your own")
    return numbers[name]


OmegaConf.register_new_resolver("by_name", _by_name, replace=True)


class CheckFirst(Callback):
    """Hydra calls this before it creates a directory; the runs of a grid are checked by the sweeper, if it is ours."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the words that choose the sweeper."""
        try:
            check_words(OmegaConf.to_container(config.hydra.overrides.hydra, resolve=False))  # type: ignore[arg-type]
        except UserError as error:
            fail(str(error))

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the composed config; end the program if it is wrong (Hydra would swallow an ordinary exception)."""
        try:
            check_words(OmegaConf.to_container(config.hydra.overrides.task, resolve=False))  # type: ignore[arg-type]
            check_hydra(config.hydra)
            folder = Path(str(config.hydra.run.dir))
            Run(check_run(config), folder).is_complete()
            _prepare(folder, config.hydra)
        except UserError as error:
            fail(str(error), error.exit_code)
        except OmegaConfBaseException as error:  # an interpolation in Hydra's own part that leads nowhere
            fail(explain(error))


def _prepare(folder: Path, hydra: DictConfig) -> None:
    """See that a run's directory can be written and is nobody's: Hydra will write there, and follow links, at once.

    Raises:
        UserError: it cannot, or another process trains there.
    """
    with claimed(folder):
        ours = folder / hydra.output_subdir if hydra.output_subdir is not None else folder / ".hydra"
        remove_links([ours, *ours.glob("*"), folder / f"{hydra.job.name}.log"])


def check_hydra(hydra: DictConfig) -> None:
    """See that the names that Hydra itself makes files of are names, and its directories directories.

    Raises:
        UserError: one is not.
    """
    for key, kind in (("job.name", "a name"), ("output_subdir", "null or a name")):
        value = OmegaConf.select(hydra, key)
        if value is not None and not is_file_name(value):
            raise UserError(f"hydra.{key}='{value}': expected {kind}, not a path")
    _check_logging(hydra)
    for key in ("run", "sweep"):
        if not OmegaConf.to_container(hydra[key], resolve=False)["dir"]:  # type: ignore[call-overload,index]
            raise UserError(f"hydra.{key}.dir='': expected a directory")


def check_workers(name: str, asked: Any) -> None:
    """See that `asked` is "auto" or a number of workers; `name` is what it is called.

    Raises:
        UserError: it is not.
    """
    if asked != "auto" and (type(asked) is not int or asked < 1):
        raise UserError(f"{name}={asked}: expected auto or a whole number >= 1")


def _check_logging(hydra: DictConfig) -> None:
    logging: Any = OmegaConf.to_container(hydra.job_logging, resolve=False) or {}
    known = logging.get("handlers") or {}
    for name in (logging.get("root") or {}).get("handlers") or []:
        if name not in known:
            chosen = hydra.runtime.choices["hydra/job_logging"]
            raise UserError(
                f"hydra/job_logging={chosen}: has no handler {name}, to which train.log goes; expected default"
            )


def is_file_name(name: str) -> bool:
    """Whether a file or directory can have this name, in whatever directory."""
    return 0 < len(name.encode()) <= 240 and "/" not in name and name not in (".", "..")


def check_run(composed: DictConfig) -> Config:
    """The typed config of one run, ready to start.

    Raises:
        UserError: one line for the first thing that is wrong.
    """
    config = typed(composed)
    check_ready(config)
    return config


def check_ready(config: Config, is_here: bool = True) -> None:
    """See that a run's data files and its device are there, and memory enough for its network.

    Args:
        config: of the run.
        is_here: whether this machine trains it; another one may have other devices.

    Raises:
        UserError: they are not, or are damaged.
    """
    _, in_size, num_classes = data_sizes(config)
    check_fits(config, in_size, num_classes)
    if is_here and config.trainer.accelerator == "cuda" and sys.platform == "linux" and not cuda_memory():
        raise UserError("trainer.accelerator='cuda': no CUDA device was found; expected auto or cpu")


def data_sizes(config: Config) -> tuple[int, int, int]:
    """The numbers of training images, of pixels and of classes of a run.

    Raises:
        UserError: its data files are not there, or are damaged, or not fit for it.
    """
    return _check_data(config.data, sources.fingerprint(config.data), config.model.batch_norm)


def typed(composed: DictConfig) -> Config:
    """What Hydra composed, as a `Config`."""
    try:
        values = {}
        for key in composed:
            if key != "hydra":
                value = composed[key]
                is_node = isinstance(value, (DictConfig, ListConfig))
                values[str(key)] = OmegaConf.to_container(value, resolve=True) if is_node else value
        return check(values)
    except OmegaConfBaseException as error:  # an interpolation that leads nowhere, a missing value
        raise UserError(explain(error)) from None


@cache  # the runs of a grid share few kinds of data
def _check_data(data: Data, fingerprint: Any, batch_norm: bool) -> tuple[int, int, int]:
    """See `data_sizes`, once the data are seen to be fit for a run."""
    found = sources.survey(data)
    num_train, _ = split.split_sizes(data, found.num_images)
    if found.labels is not None:
        split.check_stratified(data, found.labels, found.classes)
    if batch_norm and num_train % data.batch_size == 1:
        raise UserError(
            f"data.batch_size={data.batch_size}: leaves a last mini-batch of a single image of {num_train}, "
            "which model.batch_norm=true cannot normalize; expected another batch size"
        )
    if data.validate_on == "test" and isinstance(data, Arrays) and not found.has_test:
        raise UserError(f"data.validate_on='test': {data.file} has no X_test; expected held_out, or one that has it")
    return num_train, found.in_size, len(found.classes)
