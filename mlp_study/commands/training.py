"""`mlp train`: train one run or a grid.

    python -m mlp_study.train                                            one run
    python -m mlp_study.train -m optim=sgd,adam init=glorot,zeros        a grid

Exit codes: 0, every run ended (a diverged one is a result); 1, some run failed; 2, something in the command was wrong,
and nothing was started; 130, interrupted. torch and lightning are imported when a run starts and not before.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from mlp_study.errors import FAILED_EXIT_CODE, RunsFailed, UserError
from mlp_study.program import program
from mlp_study.runs.result import FAILED, Result
from mlp_study.runs.run import Run, name_of
from mlp_study.showing import printable
from mlp_study.sweeps import words  # noqa: F401  registers what conf/ resolves
from mlp_study.sweeps.arguments import check_arguments
from mlp_study.sweeps.checks import typed
from mlp_study.sweeps.compose import quick_hydra
from mlp_study.sweeps.explain import conf_dir, explain
from mlp_study.version import __version__


class Training:
    """What Hydra calls for the run that it has composed, in the directory that it has made.

    Attributes:
        failure: why a run alone has failed. Hydra would print a line of its own if it were raised.
    """

    def __init__(self) -> None:
        self.failure: RunsFailed | None = None

    def __call__(self, composed: DictConfig) -> Result:
        """Train the run."""
        from mlp_study.execution.carry_out import carry_out
        from mlp_study.execution.console import ConsoleListener

        hydra_config = HydraConfig.get()
        in_grid = hydra_config.mode == RunMode.MULTIRUN  # with a launcher that is not ours
        overrides, folder = tuple(hydra_config.overrides.task), Path(hydra_config.runtime.output_dir)
        run = Run(typed(composed), folder, overrides, folder.name if in_grid else name_of(overrides))
        with ConsoleListener([run], is_verbose=not in_grid) as listener:
            (result,) = carry_out([run], "lightning", listener, number=hydra_config.job.num if in_grid else 0)
        if not in_grid and result.status != FAILED:
            say_if_sick(folder)
        if result.status == FAILED and not in_grid:
            log = folder / "train.log"
            self.failure = RunsFailed(f"the run failed: {result.reason}; the traceback is in {log}")
        return result


def say_if_sick(folder: Path) -> None:
    """A line on a run that does not reach what its data allow."""
    from mlp_study.diagnosis.verdict import said_of

    said = said_of(folder)
    if said not in ("", "healthy"):
        print(printable(f"diagnosis: {said}; why: mlp diagnose {folder}"))


def main(argv: Sequence[str] | None = None) -> None:
    """The command line, `argv` stands in for sys.argv[1:]. Mistakes of the user's end in one line."""
    typed_words = list(sys.argv[1:] if argv is None else argv)
    if "--version" in typed_words:
        print(f"mlp_study {__version__}")
        return
    before, full_error = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    with program():
        check_arguments(typed_words)
        sys.argv = [sys.argv[0], *typed_words]
        # Errors reach this function instead of being printed by Hydra; a user who sets the variable gets them whole.
        os.environ["HYDRA_FULL_ERROR"] = "1"
        training = Training()
        command = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")(training)
        try:
            with quick_hydra(conf_dir()):
                command() if full_error == "1" else _in_our_words(command)
            if training.failure is not None:
                raise training.failure
        finally:
            sys.argv = before
            os.environ.pop("HYDRA_FULL_ERROR")
            if full_error is not None:
                os.environ["HYDRA_FULL_ERROR"] = full_error


def _in_our_words(command: Callable[[], Any]) -> None:
    """Call `command`; what Hydra finds wrong becomes a mistake of the user's, and a bug of ours a traceback."""
    try:
        command()
    except (HydraException, OmegaConfBaseException) as error:  # some of them are OSErrors, too
        raise UserError(explain(error)) from None
    except (UserError, OSError):
        raise
    except Exception:
        traceback.print_exc()
        sys.exit(FAILED_EXIT_CODE)
