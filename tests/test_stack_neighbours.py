"""Members of equal settings are updated at once, and plain SGD moves weights in the product: no last bit may tell."""

import itertools
from dataclasses import replace

import pytest
from mnist_part import idx_folder
from stacks import base, option
from test_one_path import histories

from mlp_study.config import check
from mlp_study.engines import device
from mlp_study.execution.carry_out import carry_out
from mlp_study.runs.listener import Listener
from mlp_study.runs.run import Run

PLACES = {
    "digits": ["data=digits", "model.hidden=[33]"],  # nothing fills whole 64 bytes but one kernel
    "double": ["data=digits", "model.hidden=[33,10]", "trainer.precision=64-true", "loss=binary_cross_entropy"],
    "mnist": ["model.hidden=[20]"],  # plain SGD moves the large kernel in the product
    # A stack of one has several threads, and sums that they could share.
    "wide": ["model.hidden=[300]", "data.batch_size=128", "loss=mse", "model.output_activation=sigmoid"],
}
OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adadelta", "adam", "adamax", "nadam", "adamw")


def _histories(configs, folder, each):
    """The bytes of each config's history.csv; stacks of at most so many."""
    runs = [Run(config, folder / str(number), name=str(config)) for number, config in enumerate(configs)]
    carry_out(runs, "stack", Listener(), max_members=each)
    return histories(runs)


@pytest.mark.parametrize("name", PLACES)
def test_a_run_leaves_the_same_bits_whoever_else_trains(tmp_path, name, monkeypatch):
    monkeypatch.setattr(device, "_all_threads", lambda: 2)
    words = ["logger=none", "trainer.max_epochs=2", *PLACES[name]]
    if "data=digits" not in words:
        words.append(f"data.root={idx_folder(tmp_path / 'mnist', num_train=700, num_test=200)}")
    values = base(*words)
    configs = []
    optimizers = OPTIMIZERS[::9] if name in ("double", "wide") else OPTIMIZERS
    for optim, (seed, schedule) in itertools.product(optimizers, ((0, "constant"), (1, "constant"), (1, "cosine"))):
        cell = {**values, "optim": option("optim", optim), "seed": seed, "schedule": option("schedule", schedule)}
        configs.append(check(cell))
    sgd = configs[0]
    configs += [
        replace(sgd, optim=replace(sgd.optim, lr=0.2)),
        replace(sgd, model=replace(sgd.model, l2=0.01)),
        replace(sgd, trainer=replace(sgd.trainer, gradient_clip_val=0.5)),
    ]
    together = _histories(configs, tmp_path / "together", len(configs))
    assert len(together) == len(configs)
    assert _histories(configs[::-1], tmp_path / "backwards", 7) == together
    assert _histories(configs, tmp_path / "alone", 1) == together
