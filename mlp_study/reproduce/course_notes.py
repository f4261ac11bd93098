"""Claims C1 to C8: "Training Neural Networks with Keras" (course notes)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.figure import Figure

from mlp_study.figures.curves import curves
from mlp_study.figures.diagrams import diagrams
from mlp_study.figures.grids import panels
from mlp_study.figures.heat_maps import heat_map
from mlp_study.reproduce.evidence import Evidence, converged, count, final, over_epochs
from mlp_study.reproduce.findings import Claim, Finding, Statement, markdown_table, train
from mlp_study.runs.cells import Cell
from mlp_study.runs.spread import clearly_below, clearly_differ

PART = "course_notes"
TITLE = "C. Training Neural Networks with Keras (course notes)"
BASE, LOSSES, SOFTMAX, OPTIMIZERS, BIASES = (
    f"{PART}/{name}" for name in ("base", "losses", "losses_softmax", "optimizers", "bias_initializers")
)
EXERCISES = {
    f"{PART}/activations": "activations",
    f"{PART}/initializers": "initializers",
    f"{PART}/layers_or_nodes": "more layers or more nodes",
    f"{PART}/batch_normalization": "batch normalization",
    f"{PART}/dropout": "Dropout rates",
    f"{PART}/rates_and_optimizers": "learning rates and optimizers",
}
RATES = ("1", "3", "10", "30", "100")  # of C4
NETWORKS = f"{PART}/networks.json"  # mlp_study.reproduce.small_networks


def c1(evidence: Evidence) -> Finding:
    """Summaries of small networks."""
    networks = evidence.json(NETWORKS)["small"]
    printed = {"2-2-1": [6, 3], "3-3-2": [12, 8], "3-3-3-2": [12, 12, 8], "1-1-1": [2, 2]}
    return Finding(
        [
            Statement(
                f"parameters of {sizes}, by layer and in all",
                f"{' + '.join(map(str, numbers))} = {sum(numbers)}",
                f"{' + '.join(map(str, networks[sizes]['parameters']))} = {networks[sizes]['total']}",
                networks[sizes]["parameters"] == numbers and networks[sizes]["total"] == sum(numbers),
            )
            for sizes, numbers in printed.items()
        ],
        {"C1": diagrams({sizes: networks[sizes]["random_kernels"] for sizes in printed})},
        ["The notes print 2-2-1, 3-3-3-2 and 1-1-1; 3-3-2 is their second network without one of its layers."],
    )


def c2(evidence: Evidence) -> Finding:
    """Weights in and out."""
    found = evidence.json(NETWORKS)["weights"]
    shapes = "; ".join(" x ".join(map(str, shape)) for shape in found["shapes"])
    return Finding(
        [
            Statement(
                "zero kernels and zero biases at initialization",
                "0",
                f"all zero: {found['all_zero']}",
                found["all_zero"],
            ),
            Statement(
                "weights can be read layer by layer, with their shapes (1-1-1: 1 x 1; 1; 1 x 1; 1)",
                "(1, 1), (1,), (1, 1), (1,)",
                shapes,
                found["shapes"] == [[1, 1], [1], [1, 1], [1]],
            ),
            Statement(
                "weights that are set are the ones read afterwards",
                "",
                f"equal: {found['set_is_got']}",
                found["set_is_got"],
            ),
            Statement(
                "weights of the wrong shape are refused, and nothing is changed",
                "",
                f'"{found["refusal"]}"; unchanged: {found["unchanged_after_refusal"]}',
                bool(found["refusal"]) and found["unchanged_after_refusal"],
            ),
        ],
        {"C2": diagrams({"3-3-2 at initialization": found["kernels_before"], "weights set": found["kernels_after"]})},
    )


def c3(evidence: Evidence) -> Finding:
    """Sequential and functional."""
    found = evidence.json(NETWORKS)["constructions"]
    return Finding(
        [
            Statement(
                "both constructions print the same summary",
                "9; 32",
                f"same for {' and '.join(found['networks'])}: {found['same_summary']}",
                found["same_summary"],
            ),
            Statement(
                "and are the same network: the same weights for the same seed, the same outputs",
                "",
                f"weights equal: {found['same_weights']}; outputs equal: {found['same_outputs']}",
                found["same_weights"] and found["same_outputs"],
            ),
        ],
        {"C3": diagrams({"from a list": found["kernels_list"], "from a function": found["kernels_function"]})},
    )


def _fastest(cells: Sequence[Cell]) -> Cell:
    """The cell with the highest mean validation accuracy over the epochs: its training was the fastest."""
    return max(cells, key=lambda cell: over_epochs(cell, "val_acc").mean)


def c4(evidence: Evidence) -> Finding:
    """Losses."""
    statements, rows, best = [], [], []
    for experiment, cross_entropy, outputs in (
        (LOSSES, "binary_cross_entropy", "sigmoid"),
        (SOFTMAX, "cross_entropy", "softmax"),
    ):
        by_loss = {
            loss: [cell for cell in evidence.cells(experiment) if cell.settings["loss"] == loss]
            for loss in (cross_entropy, "mse")
        }
        fast, slow = (_fastest(by_loss[loss]) for loss in (cross_entropy, "mse"))
        best += [replace(cell, settings={"outputs": outputs, **cell.settings}) for cell in (fast, slow)]
        at_each = [
            (over_epochs(evidence.cell(experiment, "loss=mse", f"optim.lr={rate}"), "val_acc"),
             over_epochs(evidence.cell(experiment, f"loss={cross_entropy}", f"optim.lr={rate}"), "val_acc"))
            for rate in RATES
        ]  # fmt: skip
        statements.append(
            Statement(
                f"{cross_entropy} converges much faster than squared error ({outputs} outputs, each at its best rate)",
                "",
                f"mean validation accuracy of the 20 epochs {over_epochs(fast, 'val_acc').percent()} (rate "
                f"{fast.settings['optim.lr']}) against {over_epochs(slow, 'val_acc').percent()} (rate "
                f"{slow.settings['optim.lr']}); at equal rates it is ahead at "
                f"{sum(clearly_below(mse, ce) for mse, ce in at_each)} of {len(RATES)}",
                clearly_below(over_epochs(slow, "val_acc"), over_epochs(fast, "val_acc")),
            )
        )
        rows += [
            [outputs, cell.settings["loss"], cell.settings["optim.lr"], over_epochs(cell, "val_acc").percent(),
             final(cell, "val_acc").percent()]
            for cell in evidence.cells(experiment)
        ]  # fmt: skip
    return Finding(
        statements,
        {"C4": curves(best), "C4_sigmoid": panels(evidence.cells(LOSSES), "acc")},
        [
            "Losses of different kinds cannot be compared in size; accuracy can. At the same rate squared error takes "
            "smaller steps, its gradient being smaller; whoever gives each loss its own rate compares the losses."
        ],
        [markdown_table(["outputs", "loss", "rate", "validation accuracy, mean of 20 epochs", "last"], rows)],
    )


def c5(evidence: Evidence) -> Finding:
    """Optimizers by name."""
    cells = evidence.cells(OPTIMIZERS)
    names = ("sgd_keras3", "rmsprop", "adagrad", "adadelta", "adam", "adamax", "nadam")
    done = [cell for cell in cells if all(r.status == "completed" for r in cell.results)]
    rates = {cell.settings["optim.lr"] for cell in evidence.cells(f"{PART}/rates_and_optimizers")}
    return Finding(
        [
            Statement(
                "seven optimizers can be chosen by name",
                "",
                f"{len(done)} of {len(names)} ran to the end with every seed: "
                + ", ".join(cell.settings["optim"] for cell in done),
                {cell.settings["optim"] for cell in done} == set(names),
            ),
            Statement(
                "and customised: rates set by hand",
                "SGD(lr = 0.0001)",
                f"rates {', '.join(sorted(rates, key=float))} for SGD, RMSprop and Adam (see C8)",
                "0.0001" in rates,
            ),
        ],
        {"C5": curves(cells)},
        ["`sgd_keras3` is SGD at .01, the default of every Keras."],
        [_ranking(cells)],
    )


def c6(evidence: Evidence) -> Finding:
    """Initializers of kernels and biases apart."""
    found = evidence.json(NETWORKS)["initializers"]
    cells = evidence.cells(BIASES)
    return Finding(
        [
            Statement(
                "kernels and biases have initializers of their own (zero kernels, biases in +-.05)",
                "",
                f"kernels all zero: {found['kernels_zero']}; biases from {found['bias_low']:.4f} to "
                f"{found['bias_high']:.4f}",
                found["kernels_zero"] and -0.05 <= found["bias_low"] < 0 < found["bias_high"] <= 0.05,
            )
        ],
        {"C6": curves(cells)},
        [],
        [_ranking(cells)],
    )


def c7(evidence: Evidence) -> Finding:
    """100 epochs of 1024."""
    cell = evidence.cells(BASE)[0]
    slowest = evidence.cell(f"{PART}/rates_and_optimizers", "optim=sgd", "optim.lr=0.0001")
    return Finding(
        [
            Statement(
                "batch 1024, 100 epochs, the last fifth held out: loss and accuracy, training beside validation",
                "",
                f"{sum(r.epochs == 100 for r in cell.results)} of {len(cell.results)} seeds ran 100 epochs; "
                f"converged: {count(converged(cell))}; last validation accuracy {final(cell, 'val_acc').percent()}",
                all(result.epochs == 100 for result in cell.results),
            )
        ],
        {"C7": curves([cell])},
        [
            "The notes' own program can not be run for what it says: one sigmoid output and binary cross-entropy, "
            "fitted to labels from 0 to 9. Ours has ten outputs. With the notes' customised SGD at .0001 it reaches "
            f"{final(slowest, 'val_acc').percent()} in {slowest.results[0].epochs} epochs, which is why Adam is "
            "used here."
        ],
    )


def c8(evidence: Evidence) -> Finding:
    """The exercises."""
    statements, tables = [], []
    figures: dict[str, Figure | None] = {}
    for experiment, title in EXERCISES.items():
        cells = evidence.cells(experiment)
        best, *_, worst = _best_first(cells)
        differ = clearly_differ(final(best, "val_acc"), final(worst, "val_acc"))
        num_seeds = {len(cell.results) for cell in cells}
        ended = all(result.status in ("completed", "diverged") for cell in cells for result in cell.results)
        statements.append(
            Statement(
                f"{title}: answered, every variant with at least five seeds",
                "",
                f"{len(cells)} variants; best {best.label}: {final(best, 'val_acc').percent()}; worst {worst.label}: "
                f"{final(worst, 'val_acc').percent()}; they {'differ' if differ else 'do not differ'} clearly",
                ended and min(num_seeds) >= 5,
            )
        )
        tables.append(f"**{title[0].upper()}{title[1:]}** (`{train(experiment)}`)\n\n{_ranking(cells)}")
        name = experiment.split("/")[1]
        figures[f"C8_{name}"] = heat_map(cells, "val_acc") or curves(cells)
    return Finding(statements, figures, [], tables)


def _best_first(cells: Sequence[Cell]) -> list[Cell]:
    """By their last validation accuracy."""
    return sorted(cells, key=lambda cell: -final(cell, "val_acc").mean)


def _ranking(cells: Sequence[Cell]) -> str:
    """A table of cells, best first."""
    return markdown_table(
        ["", "validation accuracy", "training loss", "converged"],
        [
            [cell.label, final(cell, "val_acc").percent(), final(cell, "train_loss").text(), count(converged(cell))]
            for cell in _best_first(cells)
        ],
    )


CLAIMS = [
    Claim("C1", "summaries of small networks", "python -m mlp_study.reproduce course_notes", (), c1),
    Claim("C2", "weights got and set", "python -m mlp_study.reproduce course_notes", (), c2),
    Claim("C3", "sequential and functional construction", "python -m mlp_study.reproduce course_notes", (), c3),
    Claim("C4", "cross-entropy against squared error", train(LOSSES), (LOSSES, SOFTMAX), c4),
    Claim("C5", "seven optimizers", train(OPTIMIZERS), (OPTIMIZERS, f"{PART}/rates_and_optimizers"), c5),
    Claim("C6", "initializers of kernels and biases", train(BIASES), (BIASES,), c6),
    Claim("C7", "batch 1024, 100 epochs", train(BASE), (BASE, f"{PART}/rates_and_optimizers"), c7),
    Claim("C8", "the exercises", train(f"{PART}/activations"), tuple(EXERCISES), c8),
]
