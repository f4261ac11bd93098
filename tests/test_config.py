"""Every YAML file composes and passes its own checks; help and completion are quick."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose
from omegaconf import OmegaConf

from mlp_study.engines.hparams import hparams_of
from mlp_study.errors import UserError
from mlp_study.reproduce.experiments import planned_runs
from mlp_study.runs.run import Run
from mlp_study.sweeps.checks import typed
from mlp_study.sweeps.explain import conf_dir, hydra_with_conf

GROUPS = ["model", "init", "bias_init", "optim", "schedule", "data", "trainer", "logger", "callbacks", "experiment"]
OPTIONS = [
    f"{group}={path.relative_to(conf_dir() / group).with_suffix('')}"
    for group in GROUPS
    for path in sorted((conf_dir() / group).rglob("*.yaml"))
]


def composed(*overrides):
    with hydra_with_conf():  # tests/test_quick_composing.py compares with Hydra's own loader
        return compose("train", overrides=list(overrides))


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes_and_is_valid(option):
    group, name = option.split("=")
    config = typed(composed(f"callbacks=[{name}]" if group == "callbacks" else option))
    assert len(config.hash()) == 12
    # Whatever of it is swept, the HParams tab has a text or a number for it.
    run = Run(config, Path("unused"), columns=tuple((key, False) for key, _ in flat(config.as_dict())))
    assert all(isinstance(value, str) for value in hparams_of(run).values())


def flat(settings, prefix=""):
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def test_sgd_with_and_without_momentum_takes_steps_of_one_length():
    rate = typed(composed("optim=sgd")).optim.lr
    for name in ("momentum", "nesterov"):
        optim = typed(composed(f"optim={name}")).optim
        assert optim.lr / (1 - optim.momentum) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("experiment", "rates"),
    [
        ("nesterov", {"sgd": 0.1, "nesterov": 0.1}),
        ("initialization", {"sgd": 0.1, "adam": 0.001, "nesterov": 0.1}),
        ("initialization_leaked_rate", {"sgd": 10, "nesterov": 10}),
        ("optimizer", {"sgd": 0.1, "adam": 0.001, "adadelta": 1}),
    ],
)
def test_experiments_have_the_rates_of_the_tutorial_whatever_the_defaults_are(experiment, rates):
    found = {run.config.optim.name: run.config.optim.lr for run in planned_runs(f"keras_intro/{experiment}")}
    assert found == rates


def test_an_experiment_that_gives_a_rate_for_each_optimizer_takes_another_one_with_its_own():
    words = ("experiment=keras_intro/initialization", "optim=rmsprop")
    with pytest.raises(
        UserError, match=r"optim\.lr: given for sgd, adam, nesterov alone; with rmsprop, expected a value"
    ):
        typed(composed(*words))
    assert typed(composed(*words, "optim.lr=0.5")).optim.lr == 0.5


def test_the_hash_tells_what_is_computed_and_not_how_it_is_watched():
    base = typed(composed()).hash()
    assert typed(composed("logger=none", "trainer.progress_bar=false", "trainer=cpu")).hash() == base
    assert typed(composed("seed=1")).hash() != base
    assert typed(composed("optim.lr=0.2")).hash() != base
    assert typed(composed("optim.lr=1e-1")).hash() == base


def test_several_callbacks_at_once():
    callbacks = typed(composed("callbacks=[early_stopping,checkpoint]")).callbacks
    assert set(callbacks.as_dict()) == {"early_stopping", "checkpoint"}


def test_the_yaml_of_a_run_is_a_config_again():
    config = typed(composed("model.hidden=[3,4]", "init=normal", "model.dropout=[0.1,0.2]"))
    again = typed(OmegaConf.create(OmegaConf.to_yaml(config.as_dict())))
    assert again == config


def imported_by(*arguments, env=None):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mlp_study.train", *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, **(env or {})},
    )  # fmt: skip
    return done, {line.split("|")[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_help_and_completion_do_not_import_torch():
    done, imported = imported_by("--help")
    assert done.returncode == 0
    assert "optim: adadelta" in done.stdout
    assert "hydra" in imported
    assert not {"torch", "lightning", "pandas", "sklearn"} & imported
    done, imported = imported_by("-sc", "query=bash", env={"COMP_LINE": "mlp-train optim=ad", "COMP_POINT": "18"})
    assert "optim=adam" in done.stdout.split()
    assert not {"torch", "lightning", "pandas", "sklearn"} & imported


def test_console_script_completes_in_bash(tmp_path):
    script = os.path.join(os.path.dirname(sys.executable), "mlp-train")
    shell = f"""
    PATH={os.path.dirname(sys.executable)}:$PATH
    eval "$({script} -sc install=bash)"
    COMP_LINE='mlp-train init=glo'; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=(mlp-train init=glo); COMP_CWORD=1
    $(complete -p mlp-train | sed 's/.*-F \\([^ ]*\\).*/\\1/')
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "glorot_uniform" in done.stdout, done.stderr
