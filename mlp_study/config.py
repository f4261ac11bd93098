"""The typed configuration: every setting, its type and its bounds, and the checks that involve several at once.

Hydra composes `conf/`; `check` turns the result into a `Config` or raises one line of text. The YAML files hold the
defaults, this file holds the types: a test keeps the two in step. Nothing here imports torch.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlp_study import __version__
from mlp_study.errors import UserError
from mlp_study.rules import (
    Rule,
    boolean,
    integer,
    layer_names,
    list_of,
    number,
    one_of,
    one_or_list_of,
    optional,
    settings,
    text,
    unknown,
)

ACTIVATIONS = ("sigmoid", "tanh", "relu", "softplus", "elu", "selu", "gelu", "silu", "leaky_relu", "softsign", "linear")
LOSSES = ("cross_entropy", "binary_cross_entropy", "mse")
SCALINGS = ("standard", "minmax", "none")
SPLITS = ("random", "last")
VALIDATION_PARTS = ("held_out", "test")
MONITORS = ("val_loss", "val_acc", "train_loss", "train_acc")

_std, _rate = number(least=0), number(least=0, below=1)
_moment = number(least=0, below=1)

# Initializers and their numbers (mlp_study.initializers).
INITIALIZERS: dict[str, dict[str, Rule]] = {
    "zeros": {},
    "ones": {},
    "constant": {"value": number()},
    "uniform": {"low": number(), "high": number()},
    "normal": {"mean": number(), "std": _std},
    "truncated_normal": {"mean": number(), "std": _std},
    "glorot_uniform": {},
    "glorot_normal": {},
    "he_uniform": {},
    "he_normal": {},
    "lecun_uniform": {},
    "lecun_normal": {},
    "orthogonal": {"gain": number()},
    "variance_scaling": {
        "scale": number(above=0),
        "mode": one_of("fan_in", "fan_out", "fan_avg"),
        "distribution": one_of("uniform", "normal", "truncated_normal"),
    },
}

_lr, _eps = number(above=0), number(least=0)
_adam = {"lr": _lr, "beta1": _moment, "beta2": _moment, "eps": _eps}
# Optimizers and their numbers (mlp_study.optimizers).
OPTIMIZERS: dict[str, dict[str, Rule]] = {
    "sgd": {"lr": _lr},
    "momentum": {"lr": _lr, "momentum": _moment},
    "nesterov": {"lr": _lr, "momentum": number(above=0, below=1)},
    "adam": _adam,
    "adamw": {**_adam, "weight_decay": number(least=0)},
    "adamax": _adam,
    "nadam": {**_adam, "momentum_decay": number(least=0)},
    "rmsprop": {"lr": _lr, "rho": _moment, "eps": _eps},
    "adagrad": {"lr": _lr, "initial_accumulator": number(least=0), "eps": _eps},
    "adadelta": {"lr": _lr, "rho": _moment, "eps": _eps},
}

# Learning-rate schedules and their numbers (mlp_study.schedules).
SCHEDULES: dict[str, dict[str, Rule]] = {
    "constant": {},
    "step": {"step_epochs": integer(least=1), "gamma": number(above=0)},
    "exponential": {"gamma": number(above=0)},
    "cosine": {"final_fraction": number(least=0, most=1)},
    "one_cycle": {
        "start_fraction": number(above=0, most=1),
        "rise_fraction": number(above=0, below=1),
        "final_fraction": number(least=0, most=1),
    },
    "warmup": {"warmup_epochs": number(above=0)},
}

_data: dict[str, Rule] = {
    "batch_size": integer(least=1),
    "scaling": one_of(*SCALINGS),
    "val_fraction": _rate,
    "split": one_of(*SPLITS),
    "stratify": boolean,
    "split_seed": integer(least=0, most=2**32 - 1),
    "validate_on": one_of(*VALIDATION_PARTS),
}
# Data sources and their settings (mlp_study.data).
SOURCES: dict[str, dict[str, Rule]] = {
    "mnist": {"root": optional(text), **_data},
    "torchvision": {"dataset": one_of("MNIST", "FashionMNIST", "KMNIST"), "root": text, "download": boolean, **_data},
    "kaggle": {"train_csv": text, "test_csv": optional(text), **_data},
    "digits": {**_data},
}

MODEL: dict[str, Rule] = {
    "hidden": list_of(integer(least=1)),
    "activation": one_or_list_of(one_of(*ACTIVATIONS)),
    "dropout": one_or_list_of(_rate),
    "input_dropout": _rate,
    "batch_norm": boolean,
    "bias": boolean,
    "names": optional(layer_names),
    "output_activation": one_of("auto", "softmax", "sigmoid", "linear"),
    "l2": number(least=0),
}

_limit = optional(integer(least=1))
TRAINER: dict[str, Rule] = {
    "accelerator": one_of("auto", "cpu", "cuda"),
    "max_epochs": integer(least=1),
    "precision": one_of("32-true", "64-true", "bf16-mixed"),
    "deterministic": boolean,
    "steps_per_execution": integer(least=1),
    "gradient_clip_val": optional(number(above=0)),
    "gradient_clip_algorithm": one_of("norm", "value"),
    "limit_train_batches": _limit,
    "limit_val_batches": _limit,
    "limit_test_batches": _limit,
    "progress_bar": boolean,
}

_LOGGER: dict[str, Rule] = {
    "tensorboard": boolean,
    "histograms": boolean,
    "images": integer(least=0, most=100),
    "graph": boolean,
}

_EARLY_STOPPING: dict[str, Rule] = {
    "monitor": one_of(*MONITORS),
    "patience": integer(least=0),
    "min_delta": number(least=0),
}
_CHECKPOINT: dict[str, Rule] = {
    "monitor": optional(one_of(*MONITORS)),
    "save_best": boolean,
    "save_last": boolean,
}


@dataclass(frozen=True)
class Config:
    """One run's settings, checked and typed. Each section is a plain dict whose keys are those of the YAML files."""

    seed: int
    loss: str
    resume: bool
    model: dict[str, Any]
    init: dict[str, Any]
    bias_init: dict[str, Any]
    optim: dict[str, Any]
    schedule: dict[str, Any]
    data: dict[str, Any]
    trainer: dict[str, Any]
    logger: dict[str, Any]
    callbacks: dict[str, dict[str, Any]]

    @property
    def num_hidden(self) -> int:
        """Number of hidden layers."""
        return len(self.model["hidden"])

    @property
    def has_validation(self) -> bool:
        """Whether there are images to validate on."""
        return bool(self.data["val_fraction"] > 0 or self.data["validate_on"] == "test")

    def as_dict(self) -> dict[str, Any]:
        """The settings as nested plain dicts, ready for YAML or JSON."""
        return dataclasses.asdict(self)

    def hash(self) -> str:
        """Twelve hex digits that are equal for two runs of this version exactly when they compute the same thing.

        What only watches a run (logger, progress bar) or decides where it runs is left out.
        """
        what = self.as_dict()
        del what["logger"], what["resume"]
        for key in ("accelerator", "progress_bar"):
            del what["trainer"][key]
        canonical = json.dumps([__version__, what], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def check(values: Mapping[str, Any]) -> Config:
    """Turn a composed configuration (plain containers) into a `Config`.

    Raises:
        UserError: one line for the first thing that is wrong.
    """
    top = settings(
        "",
        values,
        {
            "seed": integer(least=0, most=2**32 - 1),
            "loss": one_of(*LOSSES),
            "resume": boolean,
            **{
                section: lambda value: value
                for section in ("model", "init", "bias_init", "optim", "schedule", "data", "trainer", "logger")
            },
            "callbacks": lambda value: value,
        },
    )
    config = Config(
        seed=top["seed"],
        loss=top["loss"],
        resume=top["resume"],
        model=settings("model", top["model"], MODEL),
        init=_named("init", top["init"], INITIALIZERS),
        bias_init=_named("bias_init", top["bias_init"], INITIALIZERS),
        optim=_named("optim", top["optim"], OPTIMIZERS),
        schedule=_named("schedule", top["schedule"], SCHEDULES),
        data=_named("data", top["data"], SOURCES, key="source"),
        trainer=settings("trainer", top["trainer"], TRAINER),
        logger=settings("logger", top["logger"], _LOGGER),
        callbacks=_callbacks(top["callbacks"]),
    )
    _check_together(config)
    return config


def _named(section: str, values: Any, known: dict[str, dict[str, Rule]], key: str = "name") -> dict[str, Any]:
    """A section whose `key` says which other settings it has."""
    name = values.get(key) if isinstance(values, Mapping) else values
    if not isinstance(name, str) or name not in known:
        raise UserError(unknown(f"{section}.{key}={name}", str(name), known, what=key))
    return settings(section, values, {key: text, **known[name]})


def _callbacks(values: Any) -> dict[str, dict[str, Any]]:
    known = {"early_stopping": _EARLY_STOPPING, "checkpoint": _CHECKPOINT}
    if not isinstance(values, Mapping):
        raise UserError(f"callbacks={values}: expected a group of settings: {', '.join(known)}")
    for name in values:
        if name not in known:
            raise UserError(unknown(f"callbacks.{name}", str(name), known, what="callback"))
    return {
        name: settings(f"callbacks.{name}", value, known[name]) for name, value in values.items() if value is not None
    }


def _check_together(config: Config) -> None:
    """What no setting can decide alone."""
    model, num_hidden = config.model, config.num_hidden
    for key in ("activation", "dropout"):
        if isinstance(model[key], list) and len(model[key]) != num_hidden:
            raise UserError(
                f"model.{key}={model[key]}: {len(model[key])} entries for {num_hidden} hidden layers "
                f"(model.hidden={model['hidden']}); give one value for all or a list of {num_hidden}"
            )
    if model["names"] is not None and len(model["names"]) != num_hidden + 1:
        raise UserError(
            f"model.names={model['names']}: {len(model['names'])} names for {num_hidden + 1} layers "
            f"({num_hidden} hidden and the output); give {num_hidden + 1}"
        )
    taken = {"input_dropout", *(f"{kind}_{i + 1}" for kind in ("dropout", "batch_norm") for i in range(num_hidden))}
    for name in model["names"] or []:
        if name in taken:
            raise UserError(f"model.names={model['names']}: {name} is what another layer is called; expected another")
    own_output = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}
    if config.loss in own_output and model["output_activation"] not in ("auto", own_output[config.loss]):
        raise UserError(
            f"model.output_activation={model['output_activation']}: loss={config.loss} works on "
            f"{own_output[config.loss]} outputs; expected auto or {own_output[config.loss]} (mse takes any)"
        )
    for section, init in (("init", config.init), ("bias_init", config.bias_init)):
        if init["name"] == "uniform" and init["low"] > init["high"]:
            raise UserError(f"{section}.low={init['low']}: above {section}.high={init['high']}; expected low <= high")
    if config.bias_init["name"] == "orthogonal":
        others = ", ".join(name for name in INITIALIZERS if name != "orthogonal")
        raise UserError(f"bias_init.name='orthogonal': a bias is a vector, no matrix; expected one of {others}")
    for name, callback in config.callbacks.items():
        monitor = callback["monitor"]
        if monitor is not None and monitor.startswith("val_") and not config.has_validation:
            raise UserError(
                f"callbacks.{name}.monitor='{monitor}': nothing is held out (data.val_fraction=0); "
                "expected train_loss or train_acc, or a data.val_fraction above 0"
            )
    if config.data["validate_on"] == "test" and config.data["source"] == "kaggle":
        raise UserError(
            "data.validate_on='test': Kaggle's test images have no labels; expected held_out, or another data source"
        )
    if config.data["split"] == "last" and config.data["stratify"]:
        raise UserError(
            "data.stratify=true: the last fraction is taken as it is; expected data.split=random or data.stratify=false"
        )
