"""The runs of an experiment, without training them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mlp_study.runs.run import Run
from mlp_study.sweeps.explain import conf_dir
from mlp_study.sweeps.words import study_runs


@cache
def planned_runs(experiment: str, overrides: tuple[str, ...] = (), folder: Path = Path()) -> tuple[Run, ...]:
    """The runs of conf/experiment/`experiment`.yaml, with further overrides, as a study in `folder`.

    Raises:
        UserError: an override is wrong.
    """
    return tuple(study_runs([f"experiment={experiment}", *overrides], folder))


def experiments(part: str) -> list[str]:
    """The experiments of a part, "keras_intro" or another folder of conf/experiment, base first."""
    names = sorted(path.stem for path in (conf_dir() / "experiment" / part).glob("*.yaml"))
    return [f"{part}/{name}" for name in sorted(names, key=lambda name: name != "base")]
