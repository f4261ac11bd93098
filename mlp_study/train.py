"""The door: train one run or a grid.

    python -m mlp_study.train                                            one run
    python -m mlp_study.train -m optim=sgd,adam init=glorot,zeros        a grid

Exit codes: 0, every run ended (a diverged one is a result); 1, some run failed; 2, something in the command was wrong,
and nothing was started; 130, interrupted. torch and lightning are imported when a run starts and not before.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import traceback
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mlp_study.errors import RunsFailed, UserError
from mlp_study.hydra_checks import conf_dir, explain, fail, typed

log = logging.getLogger("mlp_study")

# Two programs started in the same second, or microsecond, must not share a directory.
OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(2), use_cache=True)


def train(composed: DictConfig) -> dict[str, Any]:
    """Train the run that Hydra composed, in the directory that Hydra made for it; returns its result."""
    from mlp_study.job import run_job

    config = typed(composed)
    hydra_config = HydraConfig.get()
    in_grid = hydra_config.mode == RunMode.MULTIRUN
    overrides = list(hydra_config.overrides.task)
    folder = Path(hydra_config.runtime.output_dir)
    result = run_job(config, folder, overrides, job=hydra_config.job.num if in_grid else 0, verbose=not in_grid)
    if result["status"] == "failed" and not in_grid:
        raise RunsFailed(f"the run failed: {result['reason']}; the traceback is in {folder / 'train.log'}")
    return result


def main() -> None:
    """The command line; mistakes of the user's end in one line, without a traceback."""
    # Errors reach this function instead of being printed by Hydra; a user who sets the variable gets them whole.
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")(train)()
    except KeyboardInterrupt:
        fail("interrupted", exit_code=130)
    except (UserError, HydraException, OmegaConfBaseException, OSError) as error:
        if wants_traceback:
            raise
        if isinstance(error, RunsFailed):
            fail(str(error), exit_code=1)
        if isinstance(error, UserError):
            fail(str(error))
        if isinstance(error, OSError) and not isinstance(error, HydraException):
            fail(f"{error.filename or 'output'}: {error.strerror or error}")
        fail(explain(error))
    except Exception:
        traceback.print_exc()
        sys.exit(1)


if __name__ == "__main__":
    main()
