"""The grids of `make bench`: how long one epoch of one network takes when M are trained, by several programs.

Networks of 784-100-10-10 (tanh) at batch 32 on the 60,000 images: the twelve cells are optim=sgd,adam,nesterov x
init=glorot,small,large,zeros; other numbers of members repeat them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from mlp_study.engines.attempt import Attempt
from mlp_study.engines.datamodule import ImageDataModule
from mlp_study.engines.lit import LitMLP
from mlp_study.engines.snapshot import Saver
from mlp_study.engines.stack.trainer import StackTrainer
from mlp_study.runs.listener import Listener
from mlp_study.runs.run import Run
from mlp_study.sweeps.words import study_runs

SIZES = (784, 100, 10, 10)
BATCH = 32


def cells(num: int, only: str | None = None, limit: int | None = None) -> list[Run]:
    """`num` runs, the twelve cells over and over, each in a temporary directory; `only` one optimizer if given."""
    words = [
        f"optim={only or 'sgd,adam,nesterov'}", "init=glorot,small,large,zeros", "model.hidden=[100,10]", "logger=none",
        "data.val_fraction=0", "trainer.max_epochs=1", f"trainer.limit_train_batches={limit or 'null'}",
    ]  # fmt: skip
    planned = study_runs(words, Path(tempfile.mkdtemp()))
    runs = [planned[i % len(planned)] for i in range(num)]
    return [replace(run, folder=run.folder.with_name(f"{i}")) for i, run in enumerate(runs)]


def stacked(num: int, threads: int, only: str | None = None, limit: int | None = None) -> Callable[[], float]:
    """Seconds per member of an epoch of our stack of `num`."""
    runs = cells(num, only, limit)
    data = ImageDataModule.of(runs[0].config, torch.device("cpu"))
    attempts = [Attempt(run, Listener()) for run in runs]
    for attempt in attempts:
        attempt.run.folder.mkdir()
        attempt.begin(data)
    trainer = StackTrainer(attempts, data, Listener(), Saver(runs, "stack"))

    def epoch() -> float:
        torch.set_num_threads(threads)
        started = time.perf_counter()
        trainer.train_epoch()
        return (time.perf_counter() - started) / num

    return epoch


def serial(num: int, limit: int | None = None) -> Callable[[], float]:
    """Seconds per run of an epoch of Lightning runs one after the other."""
    from benchmarks.bench import fit

    configs = [run.config for run in cells(num, limit=limit)]
    data = ImageDataModule.of(configs[0], torch.device("cpu"))

    def epoch() -> float:
        return sum(fit(LitMLP.of(config, SIZES[0], SIZES[-1]), datamodule=data) for config in configs) / num

    return epoch


def product_floor(num: int, threads: int, limit: int | None = None) -> Callable[[], float]:
    """Seconds per member of an epoch of nothing but the matrix products of a step, in the stack's own layout."""
    weights = [torch.randn(num, out, inp) for inp, out in pairwise(SIZES)]
    grads = [torch.zeros_like(weight) for weight in weights]
    outputs = [torch.randn(num, out, BATCH) for out in SIZES[1:]]
    inputs = [torch.randn(num, out, BATCH) for out in SIZES[1:]]
    x = torch.randn(BATCH, SIZES[0])

    def epoch() -> float:
        torch.set_num_threads(threads)
        steps = min(limit or 200, 200)
        started = time.perf_counter()
        for _ in range(steps):
            torch.bmm(weights[0], x.T.expand(num, -1, -1), out=outputs[0])
            torch.bmm(outputs[0], x.expand(num, -1, -1), out=grads[0])
            for i in (1, 2):
                torch.bmm(weights[i], inputs[i - 1], out=outputs[i])
                torch.bmm(outputs[i], inputs[i - 1].mT, out=grads[i])
                torch.bmm(weights[i].mT, outputs[i], out=outputs[i - 1])
        return (time.perf_counter() - started) / steps * (limit or 60_000 / BATCH) / num

    return epoch


def jax_stack(num: int, limit: int | None = None) -> Callable[[], float] | None:
    """Seconds per member of an epoch of a hand-written JAX `vmap` over members and `lax.scan` over the batches.

    All members are updated by all three rules' arithmetic that they need: SGD with (Nesterov) momentum, and Adam,
    chosen per member, as a vmapped program must. None where JAX is not installed.
    """
    try:
        import jax
    except ImportError:
        return None
    import jax.numpy as jnp
    import numpy as np

    images, labels = _mnist()
    kinds = jnp.array([i % 12 // 4 for i in range(num)])  # 0 sgd, 1 adam, 2 nesterov
    generator = np.random.default_rng(0)
    params = [
        (jnp.array(generator.normal(0, inp**-0.5, (num, inp, out)), jnp.float32), jnp.zeros((num, out)))
        for inp, out in pairwise(SIZES)
    ]

    def loss(params, x, y):
        for weight, bias in params[:-1]:
            x = jnp.tanh(x @ weight + bias)
        weight, bias = params[-1]
        log_p = jax.nn.log_softmax(x @ weight + bias)
        return -jnp.take_along_axis(log_p, y[:, None], 1).mean()

    def member_step(kind, params, first, second, count, x, y):
        value, grads = jax.value_and_grad(loss)(params, x, y)
        decay = jnp.where(kind == 0, 0.0, 0.9)
        scale = jnp.where(kind == 1, 0.1, 1.0)
        first = jax.tree.map(lambda m, g: decay * m + scale * g, first, grads)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, grads)

        def update(p, g, m, v):
            adam = 0.001 * (m / (1 - 0.9**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-7)
            sgd = 0.1 * jnp.where(kind == 2, g + 0.9 * m, g)
            return p - jnp.where(kind == 1, adam, sgd)

        return jax.tree.map(update, params, grads, first, second), first, second, value

    @jax.jit
    def epoch_of(params, first, second, order):
        def step(state, rows):
            params, first, second, count = state
            x, y = images[rows], labels[rows]
            params, first, second, values = jax.vmap(member_step, (0, 0, 0, 0, None, None, None))(
                kinds, params, first, second, count, x, y
            )
            return (params, first, second, count + 1), values

        return jax.lax.scan(step, (params, first, second, 1.0), order.reshape(-1, BATCH))

    zeros = jax.tree.map(jnp.zeros_like, params)
    state = [params, zeros, zeros]
    order = jax.random.permutation(jax.random.key(0), 60_000)[: limit * BATCH if limit else None]
    compiled = epoch_of.lower(*state, order).compile()

    def epoch() -> float:
        started = time.perf_counter()
        (params, first, second, _), values = compiled(*state, order)
        values.block_until_ready()
        state[:] = [params, first, second]
        return (time.perf_counter() - started) / num

    return epoch


def keras_serial(limit: int | None = None) -> Callable[[], float] | None:
    """Seconds of an epoch of one Keras 3 model on JAX; None where they are not installed."""
    import os

    os.environ.setdefault("KERAS_BACKEND", "jax")
    try:
        import jax  # noqa: F401
        import keras
    except ImportError:
        return None
    images, labels = (array.__array__()[: limit * BATCH if limit else None] for array in _mnist())
    model = keras.Sequential(
        [keras.Input((784,)), *(keras.layers.Dense(n, activation="tanh") for n in SIZES[1:-1]), keras.layers.Dense(10)]
    )
    model.compile(
        keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    model.fit(images, labels, batch_size=BATCH, epochs=1, verbose=0)  # compiles

    def epoch() -> float:
        started = time.perf_counter()
        model.fit(images, labels, batch_size=BATCH, epochs=1, verbose=0)
        return time.perf_counter() - started

    return epoch


def _mnist() -> tuple[Any, Any]:
    import jax.numpy as jnp

    images, labels = ImageDataModule.of(cells(1)[0].config, torch.device("cpu")).train
    return jnp.array(images.numpy()), jnp.array(labels.numpy())
