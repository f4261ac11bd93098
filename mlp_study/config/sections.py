"""The sections of a run's configuration: one frozen dataclass each, every field with the rule that checks it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from mlp_study.choices.choice import Choice, Section, by_name, setting
from mlp_study.choices.rules import (
    boolean,
    integer,
    layer_names,
    list_of,
    number,
    one_of,
    one_or_list_of,
    optional,
    text,
)

ACTIVATIONS = ("sigmoid", "tanh", "relu", "softplus", "elu", "selu", "gelu", "silu", "leaky_relu", "softsign", "linear")
MONITORS = ("val_loss", "val_acc", "train_loss", "train_acc")

_rate = number(least=0, below=1)
_limit = optional(integer(least=1))


@dataclass(frozen=True)
class Model(Section):
    """The network; see `mlp_study.nets.mlp.MLP`. A value for all hidden layers, or a tuple with one for each."""

    hidden: tuple[int, ...] = setting(list_of(integer(least=1)))
    activation: str | tuple[str, ...] = setting(one_or_list_of(one_of(*ACTIVATIONS)))
    dropout: float | tuple[float, ...] = setting(one_or_list_of(_rate))
    input_dropout: float = setting(_rate)
    batch_norm: bool = setting(boolean)
    bias: bool = setting(boolean)
    names: tuple[str, ...] | None = setting(optional(layer_names))
    output_activation: str = setting(one_of("auto", "softmax", "sigmoid", "linear"))
    l2: float = setting(number(least=0))

    @property
    def activations(self) -> tuple[str, ...]:
        """Of each hidden layer."""
        return (self.activation,) * len(self.hidden) if isinstance(self.activation, str) else self.activation

    @property
    def rates(self) -> tuple[float, ...]:
        """Dropout after each hidden layer."""
        return self.dropout if isinstance(self.dropout, tuple) else (self.dropout,) * len(self.hidden)


@dataclass(frozen=True, kw_only=True)
class Data(Choice):
    """Where the images come from, and how they are split and scaled."""

    KEY = "source"
    batch_size: int = setting(integer(least=1), 32)
    scaling: str = setting(one_of("standard", "minmax", "none"), "standard")
    val_fraction: float = setting(_rate, 0.1)
    split: str = setting(one_of("random", "last"), "random")
    stratify: bool = setting(boolean, False)
    split_seed: int = setting(integer(least=0, most=2**32 - 1), 0)
    validate_on: str = setting(one_of("held_out", "test"), "held_out")

    def as_dict(self) -> dict[str, Any]:
        """The settings as a plain dict: the source, what it alone has, what all have."""
        common = [field.name for field in fields(Data)]
        values = super().as_dict()
        own = [key for key in values if key not in common]
        return {key: values[key] for key in [*own, *common]}

    @property
    def has_validation(self) -> bool:
        """Whether there are images to validate on."""
        return self.val_fraction > 0 or self.validate_on == "test"


@dataclass(frozen=True, kw_only=True)
class Mnist(Data):
    """The shipped MNIST, or four IDX files in the directory `root`."""

    name = "mnist"
    root: str | None = setting(optional(text), None)


@dataclass(frozen=True, kw_only=True)
class Torchvision(Data):
    """A dataset that torchvision can download."""

    name = "torchvision"
    dataset: str = setting(one_of("MNIST", "FashionMNIST", "KMNIST"))
    root: str = setting(text, "datasets")
    download: bool = setting(boolean, False)


@dataclass(frozen=True, kw_only=True)
class Kaggle(Data):
    """Kaggle's CSV files."""

    name = "kaggle"
    train_csv: str = setting(text)
    test_csv: str | None = setting(optional(text), None)


@dataclass(frozen=True, kw_only=True)
class Digits(Data):
    """scikit-learn's digits."""

    name = "digits"


@dataclass(frozen=True, kw_only=True)
class Arrays(Data):
    """X and y, and perhaps X_test and y_test, of an .npz file."""

    name = "arrays"
    file: str = setting(text)


SOURCES: dict[str, type[Data]] = by_name(Mnist, Torchvision, Kaggle, Digits, Arrays)


@dataclass(frozen=True)
class Trainer(Section):
    """How long, on what and how precisely a run is trained."""

    accelerator: str = setting(one_of("auto", "cpu", "cuda"))
    max_epochs: int = setting(integer(least=1))
    precision: str = setting(one_of("32-true", "64-true", "bf16-mixed"))
    deterministic: bool = setting(boolean)
    steps_per_execution: int = setting(integer(least=1))
    gradient_clip_val: float | None = setting(optional(number(above=0)))
    gradient_clip_algorithm: str = setting(one_of("norm", "value"))
    limit_train_batches: int | None = setting(_limit)
    limit_val_batches: int | None = setting(_limit)
    limit_test_batches: int | None = setting(_limit)
    progress_bar: bool = setting(boolean)
    snapshot_seconds: float | None = setting(optional(number(least=0)))

    # What changes the speed or the screen and no number of a run's record.
    WATCHES_ONLY: ClassVar = ("accelerator", "steps_per_execution", "progress_bar", "snapshot_seconds")


@dataclass(frozen=True)
class Logger(Section):
    """What goes to TensorBoard."""

    tensorboard: bool = setting(boolean)
    histograms: bool = setting(boolean)
    images: int = setting(integer(least=0, most=100))
    graph: bool = setting(boolean)


@dataclass(frozen=True)
class EarlyStopping(Section):
    """When a run ends before its last epoch."""

    monitor: str = setting(one_of(*MONITORS))
    patience: int = setting(integer(least=0))
    min_delta: float = setting(number(least=0))


@dataclass(frozen=True)
class Checkpoint(Section):
    """Which networks of a run are saved."""

    monitor: str | None = setting(optional(one_of(*MONITORS)))
    save_best: bool = setting(boolean)
    save_last: bool = setting(boolean)


@dataclass(frozen=True)
class Callbacks:
    """What else is done at the end of an epoch; None where it is not asked for."""

    early_stopping: EarlyStopping | None = None
    checkpoint: Checkpoint | None = None

    KINDS: ClassVar[dict[str, type[Section]]] = {"early_stopping": EarlyStopping, "checkpoint": Checkpoint}

    def as_dict(self) -> dict[str, Any]:
        """Those that are asked for, as plain dicts."""
        asked = {name: getattr(self, name) for name in self.KINDS}
        return {name: section.as_dict() for name, section in asked.items() if section is not None}
