"""One run's settings as a whole, and the checks that no setting can make alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mlp_study.choices.choice import choose
from mlp_study.choices.initializers import INITIALIZERS, Initializer, Uniform
from mlp_study.choices.optimizers import OPTIMIZERS, Optimizer
from mlp_study.choices.rules import boolean, integer, one_of, optional, settings, unknown
from mlp_study.choices.schedules import SCHEDULES, Schedule
from mlp_study.config.sections import SOURCES, Callbacks, Data, Kaggle, Logger, Model, Trainer
from mlp_study.errors import UserError
from mlp_study.version import __version__

ENGINES = ("lightning", "stack")
LOSSES = ("cross_entropy", "binary_cross_entropy", "mse")


@dataclass(frozen=True)
class Config:
    """One run's settings, checked and typed.

    Attributes:
        seed: of the initial weights, the order of the batches and the dropout masks.
        loss: what is minimised.
        resume: whether a run that is complete is passed over.
        engine: that trains it; None leaves it to whoever asks: lightning for one run, stack for a grid.
    """

    seed: int
    loss: str
    resume: bool
    engine: str | None
    model: Model
    init: Initializer
    bias_init: Initializer
    optim: Optimizer
    schedule: Schedule
    data: Data
    trainer: Trainer
    logger: Logger
    callbacks: Callbacks

    def as_dict(self) -> dict[str, Any]:
        """The settings as nested plain dicts, ready for YAML or JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: value.as_dict() if hasattr(value, "as_dict") else value for key, value in values.items()}

    def hash(self) -> str:
        """Twelve hex digits, equal for two runs of this version when all that a number of theirs depends on is equal.

        What only watches a run (logger, progress bar), changes its speed or decides where it runs is left out, and one
        value for all layers is the same as a list of it.
        """
        what = self.as_dict()
        del what["logger"], what["resume"], what["engine"]
        for key in Trainer.WATCHES_ONLY:
            del what["trainer"][key]
        what["model"] |= {"activation": self.model.activations, "dropout": self.model.rates}
        canonical = json.dumps([__version__, what], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def check(values: Mapping[str, Any]) -> Config:
    """Turn a composed configuration (plain containers) into a `Config`.

    Raises:
        UserError: one line for the first thing that is wrong.
    """
    alone = {
        "seed": integer(least=0, most=2**32 - 1),
        "loss": one_of(*LOSSES),
        "resume": boolean,
        "engine": optional(one_of(*ENGINES)),
    }
    sections = {field.name: lambda value: value for field in fields(Config) if field.name not in alone}
    top = settings("", {"engine": None, **values}, {**alone, **sections})  # which older runs did not say
    config = Config(
        seed=top["seed"],
        loss=top["loss"],
        resume=top["resume"],
        engine=top["engine"],
        model=Model.read("model", top["model"]),
        init=choose("init", top["init"], INITIALIZERS),
        bias_init=choose("bias_init", top["bias_init"], INITIALIZERS),
        optim=choose("optim", top["optim"], OPTIMIZERS),
        schedule=choose("schedule", top["schedule"], SCHEDULES),
        data=choose("data", top["data"], SOURCES, key="source"),
        trainer=Trainer.read("trainer", top["trainer"]),
        logger=Logger.read("logger", top["logger"]),
        callbacks=_callbacks(top["callbacks"]),
    )
    for check_one in (_check_layers, _check_outputs, _check_initializers, _check_monitors, _check_data):
        check_one(config)
    return config


def _callbacks(values: Any) -> Callbacks:
    known = Callbacks.KINDS
    if not isinstance(values, Mapping):
        raise UserError(f"callbacks={values}: expected a group of settings: {', '.join(known)}")
    for name in values:
        if name not in known:
            raise UserError(unknown(f"callbacks.{name}", str(name), known, what="callback"))
    asked = {name: value for name, value in values.items() if value is not None}
    return Callbacks(**{name: known[name].read(f"callbacks.{name}", value) for name, value in asked.items()})  # type: ignore[arg-type]


def _check_layers(config: Config) -> None:
    model, num_hidden = config.model, len(config.model.hidden)
    hidden = list(model.hidden)
    for key in ("activation", "dropout"):
        value = getattr(model, key)
        if isinstance(value, tuple) and len(value) != num_hidden:
            raise UserError(
                f"model.{key}={list(value)}: {len(value)} entries for {num_hidden} hidden layers "
                f"(model.hidden={hidden}); give one value for all or a list of {num_hidden}"
            )
    names = list(model.names or [])
    if model.names is not None and len(names) != num_hidden + 1:
        raise UserError(
            f"model.names={names}: {len(names)} names for {num_hidden + 1} layers "
            f"({num_hidden} hidden and the output); give {num_hidden + 1}"
        )
    taken = {"input_dropout", *(f"{kind}_{i + 1}" for kind in ("dropout", "batch_norm") for i in range(num_hidden))}
    for name in names:
        if name in taken:
            raise UserError(f"model.names={names}: {name} is what another layer is called; expected another")


def _check_outputs(config: Config) -> None:
    own_output, asked = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}, config.model.output_activation
    if config.loss in own_output and asked not in ("auto", own_output[config.loss]):
        raise UserError(
            f"model.output_activation={asked}: loss={config.loss} works on {own_output[config.loss]} outputs; "
            f"expected auto or {own_output[config.loss]} (mse takes any)"
        )


def _check_initializers(config: Config) -> None:
    for section, init in (("init", config.init), ("bias_init", config.bias_init)):
        if isinstance(init, Uniform) and init.low > init.high:
            raise UserError(f"{section}.low={init.low}: above {section}.high={init.high}; expected low <= high")
    if config.bias_init.NEEDS_MATRIX:
        others = ", ".join(name for name, kind in INITIALIZERS.items() if not kind.NEEDS_MATRIX)
        name = config.bias_init.name
        raise UserError(f"bias_init.name='{name}': a bias is a vector, no matrix; expected one of {others}")


def _check_monitors(config: Config) -> None:
    for name, callback in config.callbacks.as_dict().items():
        monitor = callback["monitor"]
        if monitor is not None and monitor.startswith("val_") and not config.data.has_validation:
            raise UserError(
                f"callbacks.{name}.monitor='{monitor}': nothing is held out (data.val_fraction=0); "
                "expected train_loss or train_acc, or a data.val_fraction above 0"
            )


def _check_data(config: Config) -> None:
    data = config.data
    if data.validate_on == "test" and isinstance(data, Kaggle):
        raise UserError(
            "data.validate_on='test': Kaggle's test images have no labels; expected held_out, or another data source"
        )
    if data.split == "last" and data.stratify:
        raise UserError(
            "data.stratify=true: the last fraction is taken as it is; expected data.split=random or data.stratify=false"
        )
