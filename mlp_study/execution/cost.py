"""What a run costs, before it is trained: for bars, for the order of tasks, for how many workers they deserve."""

from __future__ import annotations

from mlp_study.config.memory import num_weights
from mlp_study.runs.run import Run
from mlp_study.sweeps.checks import data_sizes

# Beside others in a stack, on one core: for the run, for each step, for each operation of the products.
PER_RUN, PER_STEP, PER_FLOP = 0.02, 3e-5, 1 / 6e10


def seconds(run: Run) -> float:
    """What training takes on one core, within a factor of three or so.

    Raises:
        UserError: its data are not there.
    """
    config = run.config
    num_images, in_size, num_classes = data_sizes(config)
    num_steps = -(-num_images // config.data.batch_size)
    if config.trainer.limit_train_batches is not None:
        num_steps = min(num_steps, config.trainer.limit_train_batches)
    flops = 6 * config.data.batch_size * num_weights(config.model.hidden, in_size, num_classes)
    return PER_RUN + config.trainer.max_epochs * num_steps * (PER_STEP + flops * PER_FLOP)
