"""Which runs are trained together. Pure Python.

Runs stack when they have the same shape and see the same images. What each may have for itself, and what splits the
grid, is said here and nowhere else.

Different widths are not padded to the widest. Measured on two cores, batch 32, one hidden layer, before what padding
itself needs (masks where an activation of zero is not zero, statistics of the real units alone): of 16 to 128 units a
padded stack is 1.1 to 1.3 times as fast as one for each width with one seed, .9 to 1.1 with five; of 10, 100 and 500
units .4 to 1.0; only widths that hardly differ (80 to 120) gain, 1.2 to 1.9.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mlp_study.config import Config

# Each member of a stack has its own; all other settings split the grid.
OWN_TOP = ("seed", "resume", "engine")
OWN_SECTIONS = ("init", "bias_init", "optim", "schedule", "logger", "callbacks")
OWN_KEYS = {
    "model": ("dropout", "input_dropout", "l2"),
    "trainer": ("gradient_clip_val", "gradient_clip_algorithm", "progress_bar", "snapshot_seconds"),
}
# More members than this gain nothing: a step is then bound by the memory that weights and gradients pass through.
MOST_MEMBERS = 64
EVAL_ROWS = 2_000  # images evaluated at a time: their activations, for all members, stay in the caches


@dataclass(frozen=True)
class Stack:
    """Runs to be trained together: their positions in the list that was planned, and what they share."""

    members: list[int]
    shared: dict[str, Any]


def shared_settings(config: Config) -> dict[str, Any]:
    """The settings that two runs must have in common to be stacked, flat: "section.key" -> value."""
    flat: dict[str, Any] = {}
    for section, values in config.as_dict().items():
        if section in OWN_TOP or section in OWN_SECTIONS:
            continue
        if not isinstance(values, dict):
            flat[section] = values
            continue
        own = OWN_KEYS.get(section, ())
        flat.update({f"{section}.{key}": value for key, value in values.items() if key not in own})
    # One activation for all layers and a list of the same one are the same network.
    flat["model.activation"] = list(config.model.activations)
    return flat


def bytes_per_member(config: Config, in_size: int = 784) -> int:
    """About what one more member needs: weights, gradients, optimizer state, and activations while evaluating."""
    widths = [in_size, *config.model.hidden, 10]
    weights = sum(inp * out + out for inp, out in pairwise(widths))
    # Weights, gradients, up to three tensors of state, the plain copy, and room for what a step allocates.
    numbers = 8 * weights + 4 * max(EVAL_ROWS, config.data.batch_size) * sum(widths[1:])
    if config.model.input_dropout > 0:
        numbers += 3 * in_size * config.data.batch_size
    return numbers * (8 if config.trainer.precision == "64-true" else 4)


def plan(
    configs: Sequence[Config], max_members: int | None = None, memory: float = float("inf"), num_workers: int = 1
) -> list[Stack]:
    """Group runs into stacks, in the order in which they come.

    Runs of the same seed stand together: the fewer seeds a stack has, the fewer orders of batches it draws.

    Args:
        configs: the runs.
        max_members: of a stack; default `MOST_MEMBERS`, or fewer where they would not fit.
        memory: bytes that a stack may take.
        num_workers: that train at the same time; there is something for each.
    """
    share = -(-len(configs) // num_workers)
    groups: dict[str, list[int]] = {}
    for number, config in enumerate(configs):
        groups.setdefault(json.dumps(shared_settings(config), sort_keys=True), []).append(number)
    stacks = []
    for key, members in groups.items():
        fitting = memory / max(bytes_per_member(configs[number]) for number in members)
        size = min(share, max_members or max(1, int(min(MOST_MEMBERS, fitting))))
        ordered = sorted(members, key=lambda number: configs[number].seed)  # stable
        stacks += [Stack(ordered[start : start + size], json.loads(key)) for start in range(0, len(ordered), size)]
    return stacks


def describe(stacks: Sequence[Stack], num_runs: int) -> list[str]:
    """The plan in a few lines: how many stacks, of how many runs, and what tells them apart."""
    lines = [f"{num_runs} runs in {len(stacks)} stack{'s' * (len(stacks) != 1)}"]
    keys = list(stacks[0].shared) if stacks else []
    splitting = [key for key in keys if len({json.dumps(stack.shared[key]) for stack in stacks}) > 1]
    kinds: dict[str, list[int]] = {}
    for stack in stacks:
        what = ", ".join(f"{key}={json.dumps(stack.shared[key])}" for key in splitting) or "all of one shape"
        kinds.setdefault(what, []).append(len(stack.members))
    for what, sizes in list(kinds.items())[:8]:
        lines.append(f"  {' + '.join(map(str, sizes))} runs: {what}")
    if len(kinds) > 8:
        lines.append(f"  ... and {len(kinds) - 8} other shapes")
    if splitting:
        lines.append(f"  apart because of {', '.join(splitting)}")
    return lines
