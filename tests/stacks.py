"""Configurations to be trained alone and in a stack, and what comes of it."""

from functools import cache
from pathlib import Path

import pandas as pd
from hydra import compose
from omegaconf import OmegaConf

from mlp_study.config import Config
from mlp_study.execution.carry_out import carry_out
from mlp_study.runs.listener import Listener
from mlp_study.runs.run import Run
from mlp_study.sweeps.explain import conf_dir, hydra_with_conf


def base(*overrides: str) -> dict:
    """The settings of a run as nested dicts, for `check`."""
    with hydra_with_conf():
        return OmegaConf.to_container(compose("train", overrides=list(overrides)))


@cache
def option(group: str, name: str) -> dict:
    """What conf/GROUP/NAME.yaml holds."""
    return OmegaConf.to_container(OmegaConf.load(conf_dir() / group / f"{name}.yaml"))


def serial_and_stacked(configs: list[Config], folder: Path) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Histories of each config trained alone and in one stack."""
    runs = {
        where: [Run(config, folder / where / str(number), name=str(number)) for number, config in enumerate(configs)]
        for where in ("alone", "together")
    }
    carry_out(runs["alone"], "lightning")
    plans = Plans()
    carry_out(runs["together"], "stack", plans, max_members=len(configs))
    assert plans.lines[0] == f"{len(configs)} runs in 1 stack"
    return [
        tuple(pd.read_csv(run.folder / "history.csv") for run in pair)
        for pair in zip(runs["alone"], runs["together"], strict=True)
    ]


class Plans(Listener):
    """Keeps the lines that say how runs are grouped."""

    def planned(self, num_runs, num_complete, num_epochs, lines):
        self.lines = lines
