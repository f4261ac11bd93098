"""A stack's numbers against those of each run alone, by Lightning, which is the oracle."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from mnist_part import idx_folder
from stacks import base, option, serial_and_stacked

from mlp_study.choices.optimizers import OPTIMIZERS
from mlp_study.config import check
from mlp_study.engines.stack.grouping import EVAL_ROWS

SHORT = ["logger=none", "trainer.limit_train_batches=6", "trainer.limit_val_batches=1", "trainer.max_epochs=2"]


@pytest.fixture(scope="module")
def part_of_mnist(tmp_path_factory) -> str:
    return str(idx_folder(tmp_path_factory.mktemp("mnist") / "part", num_train=1000, num_test=200))


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("seeds", ["shared", "different"])
def test_float64_losses_equal_the_serial_runs(tmp_path, part_of_mnist, batch_norm, seeds):
    values = base("model.hidden=[20,10]", "trainer.precision=64-true", f"data.root={part_of_mnist}", *SHORT)
    configs = []
    pairs = itertools.product(OPTIMIZERS, ["glorot", "he_normal", "small", "zeros"])
    for number, (optim, init) in enumerate(pairs):
        l2 = (0.0, 0.01)[(number + number // 4) % 2]  # each optimizer with both
        cell = {**values, "optim": option("optim", optim), "init": option("init", init)}
        cell["model"] = {**values["model"], "batch_norm": batch_norm, "l2": l2}
        cell["seed"] = 0 if seeds == "shared" else number % 5
        configs.append(check(cell))
    for config, (alone, together) in zip(configs, serial_and_stacked(configs, tmp_path), strict=True):
        for column in ("train_loss", "val_loss"):
            np.testing.assert_allclose(
                together[column], alone[column], rtol=1e-9, err_msg=f"{config.optim} {config.init}"
            )


def test_evaluation_in_several_slices_equals_the_serial_runs(tmp_path):
    folder = idx_folder(tmp_path / "mnist", num_train=5000, num_test=EVAL_ROWS + 500)
    more = [f"data.root={folder}", "data.val_fraction=0.5", *SHORT]
    values = base("model.hidden=[20,10]", "trainer.precision=64-true", *more)
    configs = [check({**values, "optim": option("optim", optim)}) for optim in ("sgd", "adam", "nadam")]
    for number, (alone, together) in enumerate(serial_and_stacked(configs, tmp_path)):
        pd.testing.assert_frame_equal(together, alone, rtol=1e-9)
        one, other = (
            json.loads((tmp_path / where / str(number) / "result.json").read_text()) for where in ("alone", "together")
        )
        assert other["metrics"] == pytest.approx(one["metrics"], rel=1e-9)


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.dropout=0.3", "model.input_dropout=0.1"],
        ["model.dropout=[0.4,0.0]", "model.batch_norm=true", "model.activation=[sigmoid,relu]"],
        ["loss=binary_cross_entropy", "model.activation=gelu", "schedule=cosine"],
        ["loss=mse", "model.activation=softplus", "schedule=one_cycle", "trainer.gradient_clip_val=0.05"],
        ["trainer.gradient_clip_val=0.001", "trainer.gradient_clip_algorithm=value", "model.bias=false"],
        ["model.hidden=[]", "schedule=step", "schedule.step_epochs=1", "data.batch_size=100"],
        ["data.val_fraction=0", "model.activation=selu", "schedule=warmup"],
    ],
)
def test_everything_else_mixed_in_one_stack_equals_the_serial_runs(tmp_path, overrides):
    values = base(
        "data=digits",
        "model.hidden=[20,10]",
        "trainer.precision=64-true",
        "trainer.max_epochs=3",
        "logger=none",
        *overrides,
    )
    configs = []
    for seed, optim in enumerate(["sgd", "adam", "nadam"]):
        configs.append(check({**values, "optim": option("optim", optim), "seed": seed // 2}))
    plain_model = {**values["model"], "dropout": 0.0, "input_dropout": 0.0, "l2": 0.001}
    plain_trainer = {**values["trainer"], "gradient_clip_val": None}
    configs.append(
        check({**values, "model": plain_model, "trainer": plain_trainer, "schedule": option("schedule", "constant")})
    )
    for alone, together in serial_and_stacked(configs, tmp_path):
        assert list(alone.columns) == list(together.columns)
        pd.testing.assert_frame_equal(together, alone, rtol=1e-7, atol=1e-12)


def test_not_a_number_touches_no_other_and_each_stops_at_its_own_epoch(tmp_path):
    values = base(
        "data=digits", "model.hidden=[20,10]", "model.activation=relu", "trainer.precision=64-true", "logger=none",
        "trainer.max_epochs=12", "callbacks=early_stopping", "callbacks.early_stopping.patience=1",
    )  # fmt: skip
    configs = [
        check({**values, "optim": {"name": "sgd", "lr": lr}, "init": option("init", init), "seed": seed})
        for lr, init, seed in [
            (0.1, "glorot", 0),
            (1e200, "glorot", 0),
            (0.3, "he_normal", 1),
            (1e-12, "glorot", 1),
            (0.1, "zeros", 2),
        ]
    ]
    lengths = []
    for number, (alone, together) in enumerate(serial_and_stacked(configs, tmp_path)):
        one, other = (
            json.loads((tmp_path / where / str(number) / "result.json").read_text()) for where in ("alone", "together")
        )
        assert (one["status"], one["reason"], one["epochs"]) == (other["status"], other["reason"], other["epochs"])
        if one["status"] != "diverged":
            pd.testing.assert_frame_equal(together, alone, rtol=1e-7, atol=1e-10)
            assert other["metrics"]["test_acc"] == pytest.approx(one["metrics"]["test_acc"], abs=1e-12)
        lengths.append(one["epochs"])
    assert lengths[1] == 1
    assert len(set(lengths)) > 2
