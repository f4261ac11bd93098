"""The runs of an experiment, without training them: which they are, which are complete, what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf.errors import OmegaConfBaseException

from mlp_study.compose import SweepComposer
from mlp_study.config import Config
from mlp_study.errors import UserError
from mlp_study.hydra_checks import conf_dir, explain, typed
from mlp_study.record import is_complete
from mlp_study.sweep import run_folders

# A rough step of a stack, two cores: products at this rate, and so long for everything else. For the bar alone.
FLOPS, OVERHEAD = 1.5e11, 5e-5


@dataclass(frozen=True)
class PlannedRun:
    """A run of an experiment: the name of its directory and its settings."""

    name: str
    config: Config

    def is_complete(self, study: Path) -> bool:
        """Whether `study` holds its result."""
        return is_complete(study / self.name, self.config)

    @property
    def cost(self) -> float:
        """Seconds that it may take, roughly."""
        widths = [784, *self.config.model["hidden"], 10]
        num_weights = sum(a * b for a, b in pairwise(widths))
        num_images = 60_000 * (1 - self.config.data["val_fraction"])
        a_step = OVERHEAD / self.config.data["batch_size"]
        return float(self.config.trainer["max_epochs"] * num_images * (6 * num_weights / FLOPS + a_step))


@cache
def planned_runs(experiment: str, overrides: tuple[str, ...] = ()) -> tuple[PlannedRun, ...]:
    """The runs of conf/experiment/`experiment`.yaml, with further overrides.

    Raises:
        UserError: an override is wrong.
    """
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        loader: Any = GlobalHydra.instance().config_loader()
        typed_by_user = [f"experiment={experiment}", *overrides]
        try:
            parser = OverridesParser.create(config_loader=loader)
            parsed = parser.parse_overrides(typed_by_user)
            fixed = [str(override.input_line) for override in parsed if not override.is_sweep_override()]
            master = loader.load_configuration("train", fixed, run_mode=RunMode.MULTIRUN)
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(explain(error)) from None
        params = [f"{key}={value}" for key, value in (master.hydra.sweeper.params or {}).items()]
        everything = parser.parse_overrides([*params, *typed_by_user])
        (jobs,) = BasicSweeper.split_arguments(everything, None)
        names = run_folders(jobs, {o.get_key_element() for o in everything if o.is_sweep_override()})
        composer = SweepComposer(loader)
        return tuple(
            PlannedRun(name, typed(composer.task_config(master, job))) for name, job in zip(names, jobs, strict=True)
        )


def experiments(part: str) -> list[str]:
    """The experiments of a part, "keras_intro" or another folder of conf/experiment, base first."""
    names = sorted(path.stem for path in (conf_dir() / "experiment" / part).glob("*.yaml"))
    return [f"{part}/{name}" for name in sorted(names, key=lambda name: name != "base")]
