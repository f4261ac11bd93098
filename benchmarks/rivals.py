"""What a row of `make bench` is held against: its bare matrix products, JAX's `vmap` and `scan`, Keras on JAX.

JAX is given what it is good at: the whole epoch is one compiled program; members are vmapped; where all see the same
batches, these are not. Keras trains the networks one after the other, compiled for JAX, as its users do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.rows import Row
from mlp_study.engines import products as library

Epoch = Callable[[], float]
MOST_STEPS = 200  # of bare products, which are all alike


def products(row: Row, num_batches: int, threads: int) -> Epoch:
    """Seconds per network of an epoch of nothing but a step's matrix products, as a stack has them made."""
    shapes, batch, num = row.shapes, row.configs[0].data.batch_size, row.num
    weights = [torch.randn(num, out, inp) for inp, out in shapes]
    grads = [torch.zeros_like(weight) for weight in weights]
    # Of every layer, what comes in, and the gradient of what goes out.
    inputs = [torch.randn(num, inp, batch) for inp, _ in shapes]
    inputs[0] = torch.randn(num if row.has_own_batches else 1, batch, shapes[0][0]).mT
    slopes = [torch.randn(num, out, batch) for _, out in shapes]

    def epoch() -> float:
        torch.set_num_threads(threads)
        steps = min(num_batches, MOST_STEPS)
        started = time.perf_counter()
        for _ in range(steps):
            for i, (weight, x, slope) in enumerate(zip(weights, inputs, slopes, strict=True)):
                library.forward(weight, x, None)
                library.backward_weight(slope, x, grads[i])
                if i:
                    library.backward_input(weight, slope)
        return (time.perf_counter() - started) / steps * num_batches / num

    return epoch


def jax_stack(row: Row, num_batches: int) -> Epoch | None:
    """Seconds per network of an epoch of a hand-written JAX program; None without JAX.

    Its optimizers are the textbook's: a stack of several kinds computes all that any of them needs, and chooses.
    """
    try:
        import jax
    except ImportError:
        return None
    import jax.numpy as jnp
    import numpy as np

    config, num = row.configs[0], row.num
    batch = config.data.batch_size
    images, labels = (jnp.array(part.numpy()) for part in row.images())
    whole = min(num_batches, len(images) // batch)  # a scan has no short batch at its end
    generator = np.random.default_rng(0)
    params = [
        (jnp.array(generator.normal(0, inp**-0.5, (num, inp, out)), jnp.float32), jnp.zeros((num, out)))
        for inp, out in row.shapes
    ]
    activation = {"tanh": jnp.tanh, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[config.model.activations[0]]
    rate, optimizers = row.dropout, [one.optim.name for one in row.configs]
    kinds = list(dict.fromkeys(optimizers))
    kind = jnp.array([kinds.index(name) for name in optimizers])
    updates = [_jax_updates(jnp)[name] for name in kinds]

    def loss(params, x, y, key):
        for weight, bias in params[:-1]:
            x = activation(x @ weight + bias)
            if rate:
                key, now = jax.random.split(key)
                x = jnp.where(jax.random.bernoulli(now, 1 - rate, x.shape), x / (1 - rate), 0)
        weight, bias = params[-1]
        log_p = jax.nn.log_softmax(x @ weight + bias)
        return -jnp.take_along_axis(log_p, y[:, None], 1).mean()

    def member_step(kind, params, state, count, x, y, key):
        value, grads = jax.value_and_grad(loss)(params, x, y, key)

        def update(p, g, a, b):
            found = [one(g, a, b, count) for one in updates]
            chosen = [
                jnp.select([kind == i for i in range(len(found))], list(parts)) for parts in zip(*found, strict=True)
            ]
            step, a, b = chosen if len(found) > 1 else found[0]
            return p - step, a, b

        moved = [update(*of) for of in zip(*map(jax.tree.leaves, (params, grads, *state)), strict=True)]
        tree = jax.tree.structure(params)
        params, *state = (jax.tree.unflatten(tree, part) for part in zip(*moved, strict=True))
        return params, tuple(state), value

    own = 0 if row.has_own_batches else None

    @jax.jit
    def epoch_of(params, state, order, keys):
        def step(carried, rows):
            params, state, count = carried
            x, y = images[rows], labels[rows]
            now = jax.vmap(jax.random.fold_in, (0, None))(keys, count)
            params, state, values = jax.vmap(member_step, (0, 0, 0, None, own, own, 0))(
                kind, params, state, count, x, y, now
            )
            return (params, state, count + 1), values

        return jax.lax.scan(step, (params, state, 1), order)

    zeros = jax.tree.map(jnp.zeros_like, params)
    orders = np.stack([generator.permutation(len(images))[: whole * batch] for _ in range(num)])
    order = jnp.array(
        orders.reshape(num, -1, batch).swapaxes(0, 1) if row.has_own_batches else orders[0].reshape(-1, batch)
    )
    state = [params, (zeros, zeros), order, jax.random.split(jax.random.key(0), num)]
    compiled = epoch_of.lower(*state).compile()

    def epoch() -> float:
        started = time.perf_counter()
        (state[0], state[1], _), values = compiled(*state)
        values.block_until_ready()
        return (time.perf_counter() - started) / num * num_batches / whole

    return epoch


def _jax_updates(jnp: Any) -> dict[str, Callable[..., tuple[Any, Any, Any]]]:
    """By optimizer: (g, a, b, t) -> the step and the new a and b."""

    def sgd(g, a, b, t):
        return 0.01 * g, a, b

    def momentum(g, a, b, t):
        return 0.01 * (a := 0.9 * a + g), a, b

    def nesterov(g, a, b, t):
        a = 0.9 * a + g
        return 0.01 * (g + 0.9 * a), a, b

    def adam(g, a, b, t):
        a, b = 0.9 * a + 0.1 * g, 0.999 * b + 0.001 * g * g
        return 0.001 * (a / (1 - 0.9**t)) / (jnp.sqrt(b / (1 - 0.999**t)) + 1e-7), a, b

    def nadam(g, a, b, t):
        a, b = 0.9 * a + 0.1 * g, 0.999 * b + 0.001 * g * g
        return 0.001 * (0.9 * a + 0.1 * g) / (1 - 0.9**t) / (jnp.sqrt(b / (1 - 0.999**t)) + 1e-7), a, b

    def rmsprop(g, a, b, t):
        b = 0.9 * b + 0.1 * g * g
        return 0.001 * g / (jnp.sqrt(b) + 1e-7), a, b

    def adagrad(g, a, b, t):
        b = b + g * g
        return 0.01 * g / (jnp.sqrt(b) + 1e-7), a, b

    def adadelta(g, a, b, t):
        b = 0.95 * b + 0.05 * g * g
        step = g * jnp.sqrt(a + 1e-6) / jnp.sqrt(b + 1e-6)
        return step, 0.95 * a + 0.05 * step * step, b

    def adamax(g, a, b, t):
        a, b = 0.9 * a + 0.1 * g, jnp.maximum(0.999 * b, jnp.abs(g) + 1e-7)
        return 0.002 / (1 - 0.9**t) * a / b, a, b

    return {
        "sgd": sgd, "momentum": momentum, "nesterov": nesterov, "adam": adam, "adamw": adam, "nadam": nadam,
        "rmsprop": rmsprop, "adagrad": adagrad, "adadelta": adadelta, "adamax": adamax,
    }  # fmt: skip


def keras_serial(row: Row, num_batches: int) -> Epoch | None:
    """Seconds of an epoch of one of the networks as a Keras 3 model on JAX; None where they are not installed."""
    import os

    os.environ.setdefault("KERAS_BACKEND", "jax")
    try:
        import jax  # noqa: F401
        import keras
    except ImportError:
        return None
    config, widths, rate = row.configs[0], row.widths, row.dropout
    batch = config.data.batch_size
    images, labels = (part[: num_batches * batch].numpy() for part in row.images())
    layers = [keras.Input((widths[0],))]
    for units in widths[1:-1]:
        layers.append(keras.layers.Dense(units, activation=config.model.activations[0]))
        layers += [keras.layers.Dropout(rate)] if rate else []
    model = keras.Sequential([*layers, keras.layers.Dense(widths[-1])])
    names = {"momentum": keras.optimizers.SGD(0.01, 0.9), "nesterov": keras.optimizers.SGD(0.01, 0.9, nesterov=True)}
    optimizer = names.get(config.optim.name, config.optim.name)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    model.fit(images, labels, batch_size=batch, epochs=1, verbose=0)  # compiles

    def epoch() -> float:
        started = time.perf_counter()
        model.fit(images, labels, batch_size=batch, epochs=1, verbose=0)
        return time.perf_counter() - started

    return epoch
