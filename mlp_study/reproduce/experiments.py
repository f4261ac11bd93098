"""The runs of an experiment, without training them: which they are and what they cost."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

from mlp_study.runs.run import Run
from mlp_study.sweeps.explain import conf_dir
from mlp_study.sweeps.words import study_runs

# A rough step of a stack, two cores: products at this rate, and so long for everything else. For the bar alone.
FLOPS, OVERHEAD = 1.5e11, 5e-5


@cache
def planned_runs(experiment: str, overrides: tuple[str, ...] = (), folder: Path = Path()) -> tuple[Run, ...]:
    """The runs of conf/experiment/`experiment`.yaml, with further overrides, as a study in `folder`.

    Raises:
        UserError: an override is wrong.
    """
    return tuple(study_runs([f"experiment={experiment}", *overrides], folder))


def cost(run: Run) -> float:
    """Seconds that a run on MNIST may take, roughly."""
    widths = [784, *run.config.model.hidden, 10]
    num_weights = sum(a * b for a, b in pairwise(widths))
    num_images = 60_000 * (1 - run.config.data.val_fraction)
    a_step = OVERHEAD / run.config.data.batch_size
    return run.config.trainer.max_epochs * num_images * (6 * num_weights / FLOPS + a_step)


def experiments(part: str) -> list[str]:
    """The experiments of a part, "keras_intro" or another folder of conf/experiment, base first."""
    names = sorted(path.stem for path in (conf_dir() / "experiment" / part).glob("*.yaml"))
    return [f"{part}/{name}" for name in sorted(names, key=lambda name: name != "base")]
