"""A network's layers as a table: name, output shape, number of parameters, as Keras prints them."""

from __future__ import annotations

from torch import nn

from mlp_study.mlp import MLP


def num_parameters(module: nn.Module) -> tuple[int, int]:
    """(trainable, not trainable): as in Keras, BatchNormalization's running mean and variance are of the latter."""
    trainable = sum(p.numel() for p in module.parameters())
    return trainable, sum(b.numel() for b in module.buffers() if b.is_floating_point())


def summary(mlp: MLP) -> str:
    """The table, one line a layer, with totals."""
    rows, width = [], mlp.in_size
    for name, layer in zip(mlp.names, mlp.layers, strict=True):
        width = getattr(layer, "out_features", width)
        rows.append((f"{name} ({type(layer).__name__})", f"(None, {width})", f"{sum(num_parameters(layer)):,}"))
    header = ("Layer (type)", "Output Shape", "Param #")
    first, second = (max(len(row[i]) for row in [header, *rows]) + 3 for i in (0, 1))
    length = first + second + max(len(row[2]) for row in [header, *rows])

    def line(row: tuple[str, str, str]) -> str:
        return f"{row[0]:<{first}}{row[1]:<{second}}{row[2]:>{length - first - second}}"

    trainable, fixed = num_parameters(mlp)
    return "\n".join(
        [
            line(header),
            "=" * length,
            *(line(row) for row in rows),
            "=" * length,
            f"Total params: {trainable + fixed:,}",
            f"Trainable params: {trainable:,}",
            f"Non-trainable params: {fixed:,}",
        ]
    )
