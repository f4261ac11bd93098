"""Claims D4 to D6 of "Fully Connected Feed-Forward Network": what is inside the trained network with Dropout."""

from __future__ import annotations

from pathlib import Path

from mlp_study.figures.diagrams import bars_by_layer
from mlp_study.figures.side_by_side import pictures
from mlp_study.reproduce.evidence import Evidence, layer_parameters
from mlp_study.reproduce.findings import Claim, Finding, Statement, markdown_table
from mlp_study.runs.spread import Spread

PART = "fully_connected"
DROPOUT = f"{PART}/dropout"
TRUNCATED = f"{PART}/truncated.json"  # mlp_study.reproduce.small_networks
LOOK = f"python -m mlp_study.inspect outputs/reproduce/{DROPOUT}/seed=0,optim.lr=0.01"


def _inspected(evidence: Evidence) -> Path:
    """The run that is looked into: D2's at the rate that was found, seed 0."""
    return evidence.cell(DROPOUT, "optim.lr=0.01").folders[0]


def d4(evidence: Evidence) -> Finding:
    """The summary with Dropout."""
    run = _inspected(evidence)
    layers = layer_parameters(run)
    numbers = list(layers.values())
    configurations = evidence.json(f"{DROPOUT}/{run.name}/inspection/layers.json")
    return Finding(
        [
            Statement(
                "parameters by layer, and in all",
                "401,920 + 0 + 262,656 + 0 + 5,130 = 669,706",
                " + ".join(f"{n:,}" for n in numbers) + f" = {sum(numbers):,}",
                numbers == [401_920, 0, 262_656, 0, 5_130],
            ),
            Statement(
                "the configuration of every layer can be listed",
                "",
                f"{len(configurations)} layers; of the first: {', '.join(configurations[0])}",
                len(configurations) == len(layers),
            ),
        ],
        {"D4": bars_by_layer({"parameters": {name: Spread([n]) for name, n in layers.items()}}, "parameters")},
    )


def d5(evidence: Evidence) -> Finding:
    """Hidden representations."""
    found = evidence.json(TRUNCATED)
    shapes = found["shapes"]
    folder = _inspected(evidence) / "inspection"
    return Finding(
        [
            Statement(
                "the hidden representation of the training images, also of the first and of the last layer",
                "(45000, 512)",
                "; ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items()),
                list(shapes.values()) == [[45_000, 512], [45_000, 512], [45_000, 10]],
            ),
            Statement(
                "the truncated copy has the first layer's weights",
                "True",
                f"{found['weights_equal']}; its outputs equal the network's own: {found['outputs_equal']}",
                found["weights_equal"] and found["outputs_equal"],
            ),
        ],
        {"D5": pictures({name: folder / f"embeddings_{name}.png" for name in list(shapes)[:2]})},
    )


def d6(evidence: Evidence) -> Finding:
    """t-SNE and MDS."""
    folder = _inspected(evidence) / "inspection"
    scores = evidence.csv(f"{DROPOUT}/{folder.parent.name}/inspection/scores.csv").set_index(["layer", "method"])
    layers = list(dict.fromkeys(scores.index.get_level_values("layer")))
    methods = [method for method in dict.fromkeys(scores.index.get_level_values("method")) if method != "none"]
    accs, trust = scores["neighbor_acc"], scores["trustworthiness"]
    hidden = layers[-2]
    rows = [
        [layer, method, f"{trust[layer, method]:.3f}", f"{accs[layer, method]:.1%}", f"{accs[layer, 'none']:.1%}"]
        for layer in layers
        for method in methods
    ]
    page = (folder / "embeddings.html").stat().st_size if (folder / "embeddings.html").is_file() else 0
    return Finding(
        [
            Statement(
                "t-SNE of 1,000 hidden representations tells the digits apart: the nearest neighbour in the plane is "
                "the same digit in more than 80 % of cases",
                "figure",
                f"{accs[hidden, 'tsne']:.1%} (in all 512 dimensions: {accs[hidden, 'none']:.1%})",
                bool(accs[hidden, "tsne"] > 0.8),
            ),
            Statement(
                "static and interactive", "figure", f"embeddings.html, {page / 1e6:.1f} MB, needs no network", page > 0
            ),
            Statement(
                "exercise: the same with MDS, and of the first and the last layer",
                "",
                f"{len(rows)} embeddings of {', '.join(layers)}; MDS keeps {accs[hidden, 'mds']:.1%}",
                {"tsne", "mds"} <= set(methods) and len(layers) == 3,
            ),
        ],
        {"D6": pictures({layers[-1]: folder / f"embeddings_{layers[-1]}.png"})},
        [],
        [
            markdown_table(
                [
                    "layer",
                    "method",
                    "trustworthiness",
                    "nearest neighbour is the same digit",
                    "... in the layer itself",
                ],
                rows,
            )
        ],
    )


CLAIMS = [
    Claim("D4", "the summary with Dropout", LOOK, (DROPOUT,), d4),
    Claim("D5", "hidden representations", f"{LOOK} --part train", (DROPOUT,), d5),
    Claim("D6", "t-SNE and MDS", f"{LOOK} --part train --embed tsne,mds", (DROPOUT,), d6),
]
