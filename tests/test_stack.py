"""The stacked path against the plain one, which is the oracle."""

import itertools
import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.utils import JobReturn
from omegaconf import OmegaConf
from rich.console import Console

from mlp_study import train as _train  # noqa: F401  registers the resolvers
from mlp_study.config import Config, check
from mlp_study.files import write_text
from mlp_study.hydra_checks import conf_dir
from mlp_study.lit import LitMLP
from mlp_study.mlp import MLP
from mlp_study.run import prepare_processor, train_run
from mlp_study.stack.launch import GridBar, Job
from mlp_study.stack.launch import _train as train_stack
from mlp_study.stack.network import SLOPES, StackedMLP
from mlp_study.stack.plan import Stack, bytes_per_member, describe, plan

OPTIMIZERS = ["sgd", "momentum", "nesterov", "adam", "adamw", "adamax", "nadam", "rmsprop", "adagrad", "adadelta"]
PART_OF_MNIST = ["logger=none", "trainer.limit_train_batches=6", "trainer.limit_val_batches=1", "trainer.max_epochs=2"]


def base(*overrides: str) -> dict:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        composed = OmegaConf.to_container(compose("train", overrides=list(overrides)))
    return composed


_options: dict[str, dict] = {}


def option(group: str, name: str) -> dict:
    path = conf_dir() / group / f"{name}.yaml"
    return _options.setdefault(str(path), OmegaConf.to_container(OmegaConf.load(path)))


def serial_and_stacked(configs: list[Config], folder: Path) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Histories of each config trained alone and in one stack."""
    prepare_processor()
    jobs = []
    for number, config in enumerate(configs):
        alone, together = folder / "alone" / str(number), folder / "together" / str(number)
        alone.mkdir(parents=True)
        together.mkdir(parents=True)
        train_run(config, alone, [], str(number), report=lambda line: None)
        jobs.append(Job(number, config, together, [], JobReturn()))
    (stack,) = plan(configs, max_members=len(configs))
    with GridBar(jobs, Console(quiet=True)) as bar:
        train_stack(stack, [jobs[i] for i in stack.members], 0, bar)
    return [
        tuple(pd.read_csv(folder / where / str(number) / "history.csv") for where in ("alone", "together"))
        for number in range(len(configs))
    ]


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("seeds", ["shared", "different"])
def test_float64_losses_equal_the_serial_runs(tmp_path, batch_norm, seeds):
    values = base("model.hidden=[20,10]", "trainer.precision=64-true", *PART_OF_MNIST)
    configs = []
    for number, (optim, init, l2) in enumerate(
        itertools.product(OPTIMIZERS, ["glorot", "he_normal", "small", "zeros"], [0.0, 0.01])
    ):
        cell = {**values, "optim": option("optim", optim), "init": option("init", init)}
        cell["model"] = {**values["model"], "batch_norm": batch_norm, "l2": l2}
        cell["seed"] = 0 if seeds == "shared" else number % 5
        configs.append(check(cell))
    for config, (alone, together) in zip(configs, serial_and_stacked(configs, tmp_path), strict=True):
        for column in ("train_loss", "val_loss"):
            np.testing.assert_allclose(
                together[column], alone[column], rtol=1e-9, err_msg=f"{config.optim} {config.init}"
            )


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


def files_of(run: Path) -> list[str]:
    return sorted("events" if path.name.startswith("events") else str(path.relative_to(run)) for path in run.rglob("*"))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    from conftest import run_command

    folder = tmp_path_factory.mktemp("both")
    for launcher in ("basic", "stacked"):
        outcome = run_command(
            "-m", "optim=sgd,adam,nesterov", "init=glorot,small,large,zeros", "experiment=quick",
            "callbacks=checkpoint", f"hydra.sweep.dir={launcher}", f"hydra/launcher={launcher}", cwd=folder,
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        write_text(folder / launcher / "printed.txt", outcome.out)
    return folder / "basic", folder / "stacked"


def test_twelve_cells_leave_what_twelve_serial_runs_leave(both):
    basic, stacked = both
    runs = sorted(path.name for path in basic.iterdir() if path.is_dir())
    assert len(runs) == 12
    assert runs == sorted(path.name for path in stacked.iterdir() if path.is_dir())
    for run in runs:
        assert files_of(basic / run) == files_of(stacked / run)
        one, other = (json.loads((study / run / "result.json").read_text()) for study in both)
        assert one.keys() == other.keys()
        for key in ("metrics", "timings", "versions"):
            assert one[key].keys() == other[key].keys()
        for key in ("name", "status", "overrides", "config_hash", "num_parameters", "epochs", "seed"):
            assert one[key] == other[key]
        for name in (".hydra/config.yaml", ".hydra/overrides.yaml", "config.yaml", "summary.txt"):
            assert (basic / run / name).read_text() == (stacked / run / name).read_text()
        one, other = (OmegaConf.load(study / run / ".hydra" / "hydra.yaml").hydra for study in both)
        for hydra, name in ((one, "basic"), (other, "stacked")):
            assert hydra.sweep.dir == name
            hydra.overrides.hydra = [o for o in hydra.overrides.hydra if name not in o]
            del hydra.launcher, hydra.sweep["dir"], hydra.runtime["output_dir"], hydra.runtime.choices["hydra/launcher"]
        assert OmegaConf.to_container(one) == OmegaConf.to_container(other)


def test_twelve_cells_have_the_same_table(both):
    one, other = (pd.read_csv(study / "study.csv").sort_values("run").reset_index(drop=True) for study in both)
    assert list(one.columns) == list(other.columns)
    for column in set(one.columns) - {"seconds"}:
        if pd.api.types.is_float_dtype(one[column]):
            np.testing.assert_allclose(one[column], other[column], rtol=0, atol=0.02, err_msg=column)
        else:
            assert list(one[column].fillna("")) == list(other[column].fillna(""))
    untrained = one["init"] == "zeros"
    np.testing.assert_allclose(one["train_loss"][untrained], other["train_loss"][untrained], atol=1e-5)


def test_the_plan_is_printed(both):
    assert "12 runs in 1 stack" in (both[1] / "printed.txt").read_text()
    assert "peak memory" in (both[1] / "printed.txt").read_text()


def test_a_members_checkpoint_is_a_plain_modules(both):
    content = []
    for study in both:
        path = study / "optim=adam,init=glorot" / "checkpoints" / "last.ckpt"
        module = LitMLP.load_from_checkpoint(path, weights_only=True, map_location="cpu")
        content.append((torch.load(path, weights_only=True), module))
    (one, plain), (other, handed_back) = content
    assert one["state_dict"].keys() == other["state_dict"].keys()
    assert one["hyper_parameters"] == other["hyper_parameters"]
    assert (one["epoch"], one["global_step"]) == (other["epoch"], other["global_step"])
    assert one["optimizer_states"][0]["param_groups"] == other["optimizer_states"][0]["param_groups"]
    x = torch.ones(3, 64)
    torch.testing.assert_close(plain.eval()(x), handed_back.eval()(x), atol=1e-3, rtol=1e-2)


def test_a_diverging_member_touches_no_other(train, tmp_path):
    rates = ",".join(f"{0.01 * 1.3**i:.5f}" for i in range(11))
    settings = ["-m", "experiment=quick", "model.hidden=[30,10]", "logger=none"]
    assert train(*settings, f"optim.lr={rates}", "hydra.sweep.dir=healthy").code == 0
    assert train(*settings, f"optim.lr={rates},1e6", "hydra.sweep.dir=sick").code == 0
    assert train(*settings, f"optim.lr=1e6,{rates}", "hydra.sweep.dir=first").code == 0
    for run in (tmp_path / "healthy").glob("optim*"):
        expected = (run / "history.csv").read_bytes()
        assert (tmp_path / "sick" / run.name / "history.csv").read_bytes() == expected
        assert (tmp_path / "first" / run.name / "history.csv").read_bytes() == expected
    record = json.loads((tmp_path / "sick" / "optim.lr=1000000.0" / "result.json").read_text())
    assert record["status"] == "diverged"
    assert record["epochs"] == 1


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


@pytest.mark.parametrize("activation", SLOPES)
def test_written_out_slopes_are_autograds(activation):
    members = [MLP(6, [5, 4], 3, activation=activation, seed=seed).double() for seed in range(3)]
    stack = StackedMLP(members, [slice(0, 2), slice(2, 3)])
    generator = torch.Generator().manual_seed(0)
    xs = [torch.randn(7, 6, generator=generator, dtype=torch.float64) for _ in range(2)]
    with torch.no_grad():
        logits = stack.forward(xs, training=True)
    grad = torch.randn(logits.shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        stack.backward(grad)
    for m, member in enumerate(members):
        plain = member(xs[m // 2])
        torch.testing.assert_close(logits[m].T, plain)
        plain.backward(grad[m].T)
        for parameter, (_, ours) in zip(member.parameters(), stack.member_parameters(m), strict=True):
            torch.testing.assert_close(ours, parameter.grad)


def test_plan_tells_what_stacks_from_what_splits():
    values = base("data=digits")

    def cell(**changes):
        changed = json.loads(json.dumps(values))
        for key, value in changes.items():
            section, _, name = key.partition("__")
            if name:
                changed[section][name] = value
            else:
                changed[section] = value
        return check(changed)

    same = [
        cell(), cell(seed=3), cell(optim=option("optim", "adam")), cell(init=option("init", "zeros")),
        cell(model__l2=0.1),
        cell(model__dropout=0.5), cell(schedule=option("schedule", "cosine")), cell(trainer__gradient_clip_val=1.0),
        cell(callbacks=option("callbacks", "early_stopping")), cell(model__activation=["tanh"]),
    ]  # fmt: skip
    assert len(plan(same)) == 1
    other = [
        cell(model__hidden=[50]), cell(model__activation="relu"), cell(data__batch_size=64),
        cell(trainer__max_epochs=3), cell(loss="mse"), cell(model__batch_norm=True), cell(data__scaling="minmax"),
        cell(trainer__precision="64-true"),
    ]  # fmt: skip
    stacks = plan([*same, *other])
    assert [len(stack.members) for stack in stacks] == [10] + [1] * 8
    text = "\n".join(describe(stacks, 18))
    assert "18 runs in 9 stacks" in text
    assert "model.hidden" in text.splitlines()[-1]
    assert [len(stack.members) for stack in plan(same, max_members=4)] == [4, 4, 2]
    assert [len(stack.members) for stack in plan(same, memory=3 * bytes_per_member(same[0]) + 1)] == [3, 3, 3, 1]
    assert [len(stack.members) for stack in plan(same, memory=1)] == [1] * 10
    assert plan([cell(seed=1), cell(seed=0), cell(seed=1)])[0] == Stack([1, 0, 2], plan(same)[0].shared)


def test_dropout_masks_are_the_serial_runs_own():
    members = [MLP(50, [40], 5, dropout=rate, seed=seed) for seed, rate in ((0, 0.5), (1, 0.2), (2, 0.0))]
    stack = StackedMLP(members, [slice(0, 3)])
    x = torch.ones(8, 50)
    twins = [MLP(50, [40], 5, dropout=rate, seed=seed) for seed, rate in ((0, 0.5), (1, 0.2), (2, 0.0))]
    for _ in range(2):
        with torch.no_grad():
            logits = stack.forward([x], training=True)
        for m, twin in enumerate(twins):
            torch.testing.assert_close(logits[m].T, twin(x))


def test_losses_at_chance_stay_at_chance(both):
    for study in both:
        for optim in ("sgd", "adam", "nesterov"):
            history = pd.read_csv(study / f"optim={optim},init=zeros" / "history.csv")
            assert (history["train_loss"] - math.log(10)).abs().max() < 0.05


def test_interrupted_grid_keeps_what_is_finished_and_is_completed_later(tmp_path):
    arguments = [
        "-m",
        "seed=0,1",
        "trainer.max_epochs=1,4000",
        "experiment=quick",
        "logger=none",
        "hydra.sweep.dir=study",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlp_study.train", *arguments], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    written = tmp_path / "study" / "seed=0,trainer.max_epochs=4000" / "history.csv"
    deadline = time.time() + 60
    while not written.exists() and time.time() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in error
    table = pd.read_csv(tmp_path / "study" / "study.csv")
    assert sorted(table["status"]) == ["completed", "completed", "unfinished", "unfinished"]
    assert "4 runs, best first" in out


def test_max_members_is_obeyed_and_checked(train):
    common = ["-m", "seed=0,1,2", "experiment=quick", "trainer.max_epochs=1", "logger=none"]
    assert "3 runs in 2 stacks" in train(*common, "hydra.launcher.max_members=2").out
    outcome = train(*common, "hydra.launcher.max_members=0")
    assert outcome.code == 2
    assert "max_members=0" in outcome.err
