"""A network's layers as Keras prints them: a table of shapes and numbers of parameters, and the settings of each."""

from __future__ import annotations

from typing import Any

from torch import nn

from mlp_study.choices.initializers import initializer
from mlp_study.nets.layers import Dense, Dropout
from mlp_study.nets.mlp import MLP


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


def configurations(mlp: MLP, l2: float = 0.0) -> list[dict[str, Any]]:
    """Each layer's settings, as Keras's get_config lists them; `l2` is the penalty that training puts on kernels."""
    return [
        {"name": name, "type": type(layer).__name__, **_settings(layer, l2), "trainable": _is_trainable(layer)}
        for name, layer in zip(mlp.names, mlp.layers, strict=True)
    ]


def _settings(layer: nn.Module, l2: float) -> dict[str, Any]:
    if isinstance(layer, Dense):
        return {
            "units": layer.out_features,
            "activation": layer.activation,
            "use_bias": layer.bias is not None,
            "kernel_initializer": initializer(**layer.kernel_init).numbers(),
            "bias_initializer": initializer(**layer.bias_init).numbers() if layer.bias is not None else None,
            "kernel_l2": l2,
            "dtype": str(layer.weight.dtype).removeprefix("torch."),
        }
    if isinstance(layer, Dropout):
        return {"rate": layer.rate}
    assert isinstance(layer, nn.BatchNorm1d)
    assert layer.momentum is not None
    return {"momentum": 1 - layer.momentum, "epsilon": layer.eps}  # Keras's momentum is the weight of the past


def _is_trainable(layer: nn.Module) -> bool:
    return all(parameter.requires_grad for parameter in layer.parameters())
