"""What the documents show of networks themselves, without training them: C1-C3, C6, D5. Needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mlp_study.config.sections import Mnist
from mlp_study.data import sources
from mlp_study.engines.trained import open_run
from mlp_study.files import replaced
from mlp_study.nets.mlp import MLP
from mlp_study.nets.specs import DenseSpec
from mlp_study.nets.summary import num_parameters, summary

ZEROS = {"name": "zeros"}


def _sigmoid_layers(sizes: str, **settings: Any) -> tuple[int, list[DenseSpec]]:
    """ "3-3-2": three inputs, layers of three and two sigmoid units."""
    in_size, *units = map(int, sizes.split("-"))
    return in_size, [DenseSpec(n, "sigmoid", **settings) for n in units]


def _kernels(mlp: MLP) -> list[Any]:
    return [layer.weight.tolist() for layer in mlp.dense.values()]


def small_networks() -> dict[str, Any]:
    """C1, C2, C3 and C6: counts, weights read and set, refusals, two constructions, two initializers."""
    small = {}
    for sizes in ("2-2-1", "3-3-2", "3-3-3-2", "1-1-1"):
        mlp = MLP.from_layers(*_sigmoid_layers(sizes))
        small[sizes] = {
            "parameters": [sum(num_parameters(layer)) for layer in mlp.layers],
            "total": sum(num_parameters(mlp)),
            "random_kernels": _kernels(mlp),
        }
    return {
        "small": small,
        "weights": _weights_in_and_out(),
        "constructions": _two_constructions(),
        "initializers": _two_initializers(),
    }


def _weights_in_and_out() -> dict[str, Any]:
    zero = MLP.from_layers(*_sigmoid_layers("1-1-1", kernel_init=ZEROS, bias_init=ZEROS))
    mlp = MLP.from_layers(*_sigmoid_layers("3-3-2", kernel_init=ZEROS, bias_init=ZEROS))
    before = _kernels(mlp)
    random = np.random.default_rng(0)
    weights = [random.random(array.shape, np.float32) for array in mlp.get_weights()]
    mlp.set_weights(weights)
    got = mlp.get_weights()
    refusal = ""
    try:
        mlp.set_weights([*weights[:-1], np.ones(3, np.float32)])
    except ValueError as error:
        refusal = str(error)
    return {
        "shapes": [list(array.shape) for array in zero.get_weights()],
        "all_zero": not any(array.any() for array in zero.get_weights()),
        "set_is_got": all(map(np.array_equal, weights, got)),
        "refusal": refusal,
        "unchanged_after_refusal": all(map(np.array_equal, weights, mlp.get_weights())),
        "kernels_before": before,
        "kernels_after": _kernels(mlp),
    }


def _two_constructions() -> dict[str, Any]:
    first, second = DenseSpec(2, "sigmoid"), DenseSpec(1, "sigmoid")
    three = DenseSpec(3, "sigmoid"), DenseSpec(3, "sigmoid"), DenseSpec(2, "sigmoid")
    pairs = {
        "2-2-1": (
            MLP.from_layers(2, [first, second]),
            MLP.from_function(2, lambda x: second(first(x))),
        ),
        "3-3-3-2": (
            MLP.from_layers(3, three),
            MLP.from_function(3, lambda x: three[2](three[1](three[0](x)))),
        ),
    }
    inputs = {name: torch.linspace(-1, 1, 5 * a.in_size).reshape(5, -1) for name, (a, _) in pairs.items()}
    return {
        "networks": list(pairs),
        "same_summary": all(summary(a) == summary(b) for a, b in pairs.values()),
        "same_weights": all(all(map(np.array_equal, a.get_weights(), b.get_weights())) for a, b in pairs.values()),
        "same_outputs": all(torch.equal(a(inputs[name]), b(inputs[name])) for name, (a, b) in pairs.items()),
        "kernels_list": _kernels(pairs["3-3-3-2"][0]),
        "kernels_function": _kernels(pairs["3-3-3-2"][1]),
    }


def _two_initializers() -> dict[str, Any]:
    uniform = {"name": "uniform", "low": -0.05, "high": 0.05}
    mlp = MLP.from_layers(784, [DenseSpec(32, "sigmoid", kernel_init=ZEROS, bias_init=uniform), DenseSpec(10)])
    kernel, bias = mlp.dense[mlp.names[0]].get_weights()
    return {
        "kernels_zero": not kernel.any(),
        "bias_low": float(bias.min()),
        "bias_high": float(bias.max()),
    }


def truncated(run: Path) -> dict[str, Any]:
    """D5: the truncated copies of a trained run beside the network itself, and the shapes of what was saved of it."""
    trained = open_run(run)
    mlp = trained.module.mlp
    pixels, _, _ = sources.training_pixels(trained.config.data)
    x = torch.from_numpy(trained.scaler.transform(pixels[:1000], np.float32))
    with torch.no_grad():
        whole = mlp.activations(x)
        outputs = {name: bool(torch.equal(mlp.truncated(name)(x), whole[name])) for name in mlp.dense}
    first, middle = list(mlp.dense)[:2]
    return {
        "shapes": {name: list(np.load(run / "inspection" / f"{name}.npy", mmap_mode="r").shape) for name in mlp.dense},
        "weights_equal": bool(torch.equal(mlp.truncated(middle).dense[first].weight, mlp.dense[first].weight)),
        "outputs_equal": all(outputs.values()),
    }


def write_kaggle_csv(path: Path) -> None:
    """B3: the shipped test images in the format of Kaggle's train.csv."""
    raw = sources.load(Mnist())
    assert raw.test_images is not None
    frame = pd.DataFrame(raw.test_images, columns=[f"pixel{i}" for i in range(784)])
    frame.insert(0, "label", raw.test_labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as temporary:
        frame.to_csv(temporary, index=False)
