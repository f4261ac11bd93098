"""The grids of `make bench`: how long one epoch of one network takes when M are trained, by several programs.

Networks of 784-100-10-10 (tanh) at batch 32 on the 60,000 images: the twelve cells are optim=sgd,adam,nesterov x
init=glorot,small,large,zeros; other numbers of members repeat them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

SIZES = (784, 100, 10, 10)
BATCH = 32


def cells(num: int, only: str | None = None) -> list[Any]:
    """`num` checked configs, the twelve cells over and over; `only` one optimizer if given."""
    from hydra import compose, initialize_config_dir

    from mlp_study import train  # noqa: F401  registers the resolvers
    from mlp_study.hydra_checks import conf_dir, typed

    optims = [only] if only else ["sgd", "adam", "nesterov"]
    common = ["model.hidden=[100,10]", "logger=none", "data.val_fraction=0", "trainer.max_epochs=1"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        twelve = [
            typed(compose("train", overrides=[f"optim={optim}", f"init={init}", *common]))
            for optim in optims
            for init in ("glorot", "small", "large", "zeros")
        ]
    return [twelve[i % len(twelve)] for i in range(num)]


def stacked(num: int, threads: int, only: str | None = None) -> Callable[[], float]:
    """Seconds per member of an epoch of our stack of `num`."""
    from mlp_study.progress import TrainingBar
    from mlp_study.run import data_module, lit_module
    from mlp_study.stack.trainer import Member, StackTrainer
    from mlp_study.writer import RunWriter

    configs = cells(num, only)
    data = data_module(configs[0], torch.device("cpu"))
    folder = Path(tempfile.mkdtemp())
    members = [
        Member(config, lit_module(config, data), RunWriter(folder, config, [], ""), lambda line: None)
        for config in configs
    ]
    trainer = StackTrainer(members, data, TrainingBar("", 1, enabled=False), lambda member, result: None)

    def epoch() -> float:
        torch.set_num_threads(threads)
        started = time.perf_counter()
        trainer._train_epoch()
        return (time.perf_counter() - started) / num

    return epoch


def serial(num: int) -> Callable[[], float]:
    """Seconds per run of an epoch of Lightning runs one after the other."""
    from benchmarks.bench import fit
    from mlp_study.run import data_module, lit_module

    configs = cells(num)
    data = data_module(configs[0], torch.device("cpu"))

    def epoch() -> float:
        return sum(fit(lit_module(config, data), datamodule=data) for config in configs) / num

    return epoch


def product_floor(num: int, threads: int) -> Callable[[], float]:
    """Seconds per member of an epoch of nothing but the matrix products of a step, in the stack's own layout."""
    weights = [torch.randn(num, out, inp) for inp, out in pairwise(SIZES)]
    grads = [torch.zeros_like(weight) for weight in weights]
    outputs = [torch.randn(num, out, BATCH) for out in SIZES[1:]]
    inputs = [torch.randn(num, out, BATCH) for out in SIZES[1:]]
    x = torch.randn(BATCH, SIZES[0])

    def epoch() -> float:
        torch.set_num_threads(threads)
        steps = 200
        started = time.perf_counter()
        for _ in range(steps):
            torch.bmm(weights[0], x.T.expand(num, -1, -1), out=outputs[0])
            torch.bmm(outputs[0], x.expand(num, -1, -1), out=grads[0])
            for i in (1, 2):
                torch.bmm(weights[i], inputs[i - 1], out=outputs[i])
                torch.bmm(outputs[i], inputs[i - 1].mT, out=grads[i])
                torch.bmm(weights[i].mT, outputs[i], out=outputs[i - 1])
        return (time.perf_counter() - started) / steps * (60_000 / BATCH) / num

    return epoch


def jax_stack(num: int) -> Callable[[], float] | None:
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
    order = jax.random.permutation(jax.random.key(0), 60_000)
    compiled = epoch_of.lower(*state, order).compile()

    def epoch() -> float:
        started = time.perf_counter()
        (params, first, second, _), values = compiled(*state, order)
        values.block_until_ready()
        state[:] = [params, first, second]
        return (time.perf_counter() - started) / num

    return epoch


def keras_serial() -> Callable[[], float] | None:
    """Seconds of an epoch of one Keras 3 model on JAX; None where they are not installed."""
    import os

    os.environ.setdefault("KERAS_BACKEND", "jax")
    try:
        import jax  # noqa: F401
        import keras
    except ImportError:
        return None
    images, labels = (array.__array__() for array in _mnist())
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

    from mlp_study.run import data_module

    images, labels = data_module(cells(1)[0], torch.device("cpu")).train
    return jnp.array(images.numpy()), jnp.array(labels.numpy())
