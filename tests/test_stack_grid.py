"""A grid trained as a stack through the command line leaves what its runs alone leave."""

import json
import math
import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import WITH_TORCH, run_command
from omegaconf import OmegaConf
from warm import Command

from mlp_study.engines.lit import LitMLP
from mlp_study.files import write_text


def files_of(run: Path) -> list[str]:
    return sorted("events" if path.name.startswith("events") else str(path.relative_to(run)) for path in run.rglob("*"))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
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


RATES = ",".join(f"{0.01 * 1.3**i:.5f}" for i in range(11))


@pytest.mark.parametrize(
    ("hidden", "rates"),
    [
        ("[30,10]", f"{RATES},1e6"),
        # The others stand one further back in the stack. In layers of these widths every member's matrices begin at a
        # whole cache line all the same; where they do not, processors with AVX-512 add up in another order.
        ("[32,16]", f"1e6,{RATES}"),
    ],
    ids=["last", "first"],
)
def test_a_diverging_member_touches_no_other(train, tmp_path, hidden, rates):
    settings = ["-m", "experiment=quick", f"model.hidden={hidden}", "logger=none"]
    assert train(*settings, f"optim.lr={RATES}", "hydra.sweep.dir=healthy").code == 0
    assert train(*settings, f"optim.lr={rates}", "hydra.sweep.dir=sick").code == 0
    healthy = list((tmp_path / "healthy").glob("optim*"))
    assert len(healthy) == 11
    for run in healthy:
        expected = (run / "history.csv").read_bytes()
        assert (tmp_path / "sick" / run.name / "history.csv").read_bytes() == expected
    record = json.loads((tmp_path / "sick" / "optim.lr=1000000.0" / "result.json").read_text())
    assert record["status"] == "diverged"
    assert record["epochs"] == 1


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
    process = WITH_TORCH.start(Command(arguments, str(tmp_path)))
    written = tmp_path / "study" / "seed=0,trainer.max_epochs=4000" / "history.csv"
    deadline = time.time() + 60
    while not written.exists() and time.time() < deadline:
        time.sleep(0.05)
    os.kill(process, signal.SIGINT)
    ended = WITH_TORCH.wait(process)
    assert ended.code == 130
    assert "Traceback" not in ended.err
    table = pd.read_csv(tmp_path / "study" / "study.csv")
    assert sorted(table["status"]) == ["completed", "completed", "unfinished", "unfinished"]
    assert "4 runs, best first" in ended.out
