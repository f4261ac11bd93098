"""Claims A1 to A8, and with `initialization` A9 to A11: "Introduction to Deep Learning with Keras" (2019)."""

from __future__ import annotations

from dataclasses import replace

from mlp_study.figures.curves import curves
from mlp_study.figures.digits import example_digits
from mlp_study.figures.predictions import confusions
from mlp_study.figures.rates import learning_rates
from mlp_study.reproduce import initialization
from mlp_study.reproduce.evidence import (
    CHANCE,
    Evidence,
    at_epoch,
    converged,
    count,
    final,
    layer_parameters,
    over_epochs,
)
from mlp_study.reproduce.findings import Claim, Finding, Statement, train
from mlp_study.runs.cells import Cell
from mlp_study.runs.spread import Spread, clearly_below

PART = "keras_intro"
TITLE = "A. Introduction to Deep Learning with Keras (2019)"
BASE, RATES, NESTEROV, OPTIMIZER, RELU = (
    f"{PART}/{name}" for name in ("base", "learning_rate", "nesterov", "optimizer", "two_relu_layers")
)


def a1(evidence: Evidence) -> Finding:
    """The summary."""
    run = evidence.cells(BASE)[0].folders[0]
    layers = layer_parameters(run)
    found = [*layers.values(), sum(layers.values())]
    return Finding(
        [
            Statement(
                "parameters: first layer, second layer, total",
                "78,500, 1,010, 79,510",
                ", ".join(f"{number:,}" for number in found),
                found == [78_500, 1_010, 79_510],
            )
        ],
        {"A1": example_digits(run)},
    )


def a2(evidence: Evidence) -> Finding:
    """The base run converges."""
    cell = evidence.cells(BASE)[0]
    loss, acc = cell.curve("train_loss"), cell.curve("train_acc")
    steps = len(loss) - 1
    falls, rises = int((loss.diff().iloc[1:] < 0).all(axis=1).sum()), int((acc.diff().iloc[1:] > 0).all(axis=1).sum())
    return Finding(
        [
            Statement(
                "the run converges",
                "figure 3",
                f"{count(converged(cell))}; test accuracy {final(cell, 'test_acc').percent()}",
                all(converged(cell)),
            ),
            Statement(
                "over 15 epochs the training loss falls",
                "figure 3",
                f"from {at_epoch(cell, 'train_loss', 1).text()} to {at_epoch(cell, 'train_loss', -1).text()}; in "
                f"{falls} of {steps} epochs it fell for every seed",
                bool((loss.iloc[-1] < loss.iloc[0]).all()),
            ),
            Statement(
                "the training accuracy rises",
                "figure 3",
                f"from {at_epoch(cell, 'train_acc', 1).percent()} to {at_epoch(cell, 'train_acc', -1).percent()}; in "
                f"{rises} of {steps} epochs it rose for every seed",
                bool((acc.iloc[-1] > acc.iloc[0]).all()),
            ),
        ],
        {"A2": curves([cell])},
    )


def a3(evidence: Evidence) -> Finding:
    """Learning rates."""
    cells = {rate: evidence.cell(RATES, f"optim.lr={rate}") for rate in ("0.001", "0.01", "0.1", "1", "10")}
    best = over_epochs(cells["0.1"])
    statements = [
        Statement(
            "at rate 10 the model does not converge",
            "figure 4",
            f"converged: {count(converged(cells['10']))}; last training loss "
            f"{final(cells['10'], 'train_loss').text(2)}, test accuracy {final(cells['10'], 'test_acc').percent()}",
            not any(converged(cells["10"])),
        )
    ]
    for rate in ("0.001", "0.01", "1"):
        loss = over_epochs(cells[rate])
        statements.append(
            Statement(
                f"at rate {rate} it converges, more slowly than at .1",
                "figure 4",
                f"converged: {count(converged(cells[rate]))}; mean training loss of the 15 epochs {loss.text()} (at "
                f".1: {best.text()})",
                all(converged(cells[rate])) and clearly_below(best, loss),
            )
        )
    return Finding(
        statements,
        {"A3": curves(list(cells.values())), "A3_rates": learning_rates(list(cells.values()))},
        [
            "At rate 10 the network is not at chance: it classifies most digits, but its loss stays above that of a "
            "guess (ln 10 = 2.30), because it is wrong with great confidence."
        ]
        if final(cells["10"], "train_loss").mean > CHANCE and final(cells["10"], "test_acc").mean > 0.5
        else [],
    )


def a4(evidence: Evidence) -> Finding:
    """Nesterov momentum."""
    plain, nesterov = (evidence.cell(NESTEROV, f"optim={name}") for name in ("sgd", "nesterov"))
    losses = over_epochs(nesterov), over_epochs(plain)
    accs = final(nesterov, "val_acc"), final(plain, "val_acc")
    return Finding(
        [
            Statement(
                "Nesterov momentum does not make training faster here",
                "figure 5",
                f"mean training loss of the 15 epochs {losses[0].text()} with it, {losses[1].text()} without",
                not clearly_below(*losses),
            ),
            Statement(
                "nor the result better",
                "figure 5",
                f"last validation accuracy {accs[0].percent()} with it, {accs[1].percent()} without",
                not clearly_below(accs[1], accs[0]),
            ),
        ],
        {"A4": curves([plain, nesterov])},
    )


def a5(evidence: Evidence) -> Finding:
    """Adam."""
    sgd, adam = (evidence.cell(OPTIMIZER, f"optim={name}") for name in ("sgd", "adam"))
    statements = []
    for metric, name in (("train_acc", "training"), ("val_acc", "validation")):
        a, s = final(adam, metric), final(sgd, metric)
        statements.append(
            Statement(
                f"Adam with its defaults is comparable with SGD at .1: {name} accuracy within one point",
                "figure 6",
                f"Adam {a.percent()}, SGD {s.percent()}",
                abs(a.mean - s.mean) < 0.01,
            )
        )
    return Finding(statements, {"A5": curves([sgd, adam])})


def a6(evidence: Evidence) -> Finding:
    """Two ReLU layers."""
    one, two = evidence.cell(OPTIMIZER, "optim=adam"), evidence.cells(RELU)[0]
    senses = {
        "higher training loss": (final(one, "train_loss"), final(two, "train_loss")),
        "lower training accuracy": (final(two, "train_acc"), final(one, "train_acc")),
        "higher validation loss": (final(one, "val_loss"), final(two, "val_loss")),
        "lower validation accuracy": (final(two, "val_acc"), final(one, "val_acc")),
    }
    worse = {sense: clearly_below(low, high) for sense, (low, high) in senses.items()}
    measured = "; ".join(
        f"{what} {final(two, metric).text()} (one tanh layer: {final(one, metric).text()})"
        for what, metric in (
            ("training loss", "train_loss"),
            ("training accuracy", "train_acc"),
            ("validation loss", "val_loss"),
            ("validation accuracy", "val_acc"),
        )
    )
    named = ", ".join(sense for sense, is_worse in worse.items() if is_worse) or "none"
    opposite = {"higher": "lower", "lower": "higher"}
    better = [
        " ".join(opposite.get(word, word) for word in sense.split())
        for sense, (low, high) in senses.items()
        if clearly_below(high, low)
    ]
    labelled = [_relabelled(one, "one tanh layer"), _relabelled(two, "two ReLU layers")]
    return Finding(
        [
            Statement(
                "two ReLU layers with Adam are in some sense less good than one tanh layer: at least one of training "
                "and validation loss and accuracy is clearly worse",
                "figure 7",
                f"{measured}. Clearly worse: {named}",
                any(worse.values()),
            )
        ],
        {"A6": curves(labelled)},
        [f"In another sense they are better: {', '.join(better)}."] if better else [],
    )


def _relabelled(cell: Cell, label: str) -> Cell:
    return replace(cell, settings={"network": label})


def a7(evidence: Evidence) -> Finding:
    """Adadelta."""
    cells = {name: evidence.cell(OPTIMIZER, f"optim={name}") for name in ("sgd", "adam", "adadelta")}
    scores = {name: final(cell, "val_acc") for name, cell in cells.items()}
    rivals = max(scores["sgd"].mean, scores["adam"].mean)
    return Finding(
        [
            Statement(
                "Adadelta does very well with no rate to set: within half a point of the better of SGD and Adam, or "
                "above",
                "figure 8",
                "last validation accuracy: " + ", ".join(f"{name} {score.percent()}" for name, score in scores.items()),
                scores["adadelta"].mean > rivals - 0.005,
            )
        ],
        {"A7": curves(list(cells.values()))},
        [
            "There is a rate: Keras 2 set it to 1. Today's Keras starts Adadelta at .001 (`optim=adadelta_keras3`), "
            "which is another optimizer in all but name."
        ],
    )


def a8(evidence: Evidence) -> Finding:
    """Test accuracy, scaled and not."""
    cell = evidence.cell(OPTIMIZER, "optim=adadelta")
    scores = {
        name: Spread(
            evidence.json(f"{OPTIMIZER}/{run.name}/predictions/{name}/evaluation.json")["acc"] for run in cell.folders
        )
        for name in ("scaled", "unscaled")
    }
    low, high = scores["unscaled"].interval()
    gap = 100 * (scores["scaled"].mean - scores["unscaled"].mean)
    return Finding(
        [
            Statement(
                "the model's accuracy on the test images is 88 % (scaled as in training)",
                "88 %",
                scores["scaled"].percent(),
                scores["scaled"].fits(0.88, 2),
            ),
            Statement(
                "... on the test images as the program gives them to it, not scaled",
                "88 %",
                f"{scores['unscaled'].percent()}; one more run would fall between {100 * low:.1f} and "
                f"{100 * high:.1f} %",
                scores["unscaled"].fits(0.88, 2),
                as_run=True,
            ),
        ],
        {"A8": confusions({name: cell.folders[0] / "predictions" / name for name in ("scaled", "unscaled")})},
        [
            "**What A8 measured.** The tutorial scales its images (`train_scale`, `test_scale`), trains on "
            "`train_scale`, and then predicts `model.predict_classes(test)`: the array that was *not* scaled, with "
            "pixels from 0 to 255 where the network had learned from numbers of mean 0 and deviation 1. Its 88 % is "
            f"therefore not the accuracy of its model. Our five networks reach {scores['scaled'].percent()} on images "
            f"scaled as in training and {scores['unscaled'].percent()} on the very same images unscaled: the slip "
            f"costs {gap:.1f} points. That the network survives it at all is because tanh saturates: inputs a hundred "
            "times too large turn hidden units into signs, and the signs still tell most digits apart. (Kaggle's "
            "28,000 test images are other images of the same kind; ours are MNIST's own 10,000.)"
        ],
    )


CLAIMS = [
    Claim("A1", "the summary of 784-100-10", train(BASE), (BASE,), a1),
    Claim("A2", "the base run converges", train(BASE), (BASE,), a2),
    Claim("A3", "learning rates from .001 to 10", train(RATES), (RATES,), a3),
    Claim("A4", "Nesterov momentum does not help here", train(NESTEROV), (NESTEROV,), a4),
    Claim("A5", "Adam is comparable with SGD at .1", train(OPTIMIZER), (OPTIMIZER,), a5),
    Claim("A6", "two ReLU layers are in some sense less good", train(RELU), (OPTIMIZER, RELU), a6),
    Claim("A7", "Adadelta does very well", train(OPTIMIZER), (OPTIMIZER,), a7),
    Claim(
        "A8",
        "88 % on the test images",
        f"python -m mlp_study.predict outputs/reproduce/{OPTIMIZER}/seed=0,optim=adadelta --scaling none",
        (OPTIMIZER,),
        a8,
    ),
    *initialization.CLAIMS,
]
