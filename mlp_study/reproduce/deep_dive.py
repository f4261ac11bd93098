"""Claims B1 to B3: "Deep dive into neural networks - Keras" (2020)."""

from __future__ import annotations

from mlp_study.figures.curves import curves
from mlp_study.figures.diagrams import bars_by_layer
from mlp_study.figures.predictions import confusions
from mlp_study.reproduce.evidence import Evidence, at_epoch, final, layer_parameters
from mlp_study.reproduce.findings import Claim, Finding, Statement, markdown_table, train
from mlp_study.runs.spread import Spread

PART = "deep_dive"
TITLE = "B. Deep dive into neural networks - Keras (2020)"
BASE = f"{PART}/base"


def b1(evidence: Evidence) -> Finding:
    """The network and its training."""
    cell = evidence.cells(BASE)[0]
    layers = layer_parameters(cell.folders[0])
    epochs = {result.epochs for result in cell.results}
    return Finding(
        [
            Statement(
                "the layers are named l1, l2, output and have 16,175 parameters",
                "16,175 by its layers",
                f"{', '.join(f'{name} {number:,}' for name, number in layers.items())}: {sum(layers.values()):,}",
                list(layers) == ["l1", "l2", "output"] and sum(layers.values()) == 16_175,
            ),
            Statement(
                "it trains for 50 epochs on pixels from 0 to 255 with L2 .01",
                "",
                f"{sorted(epochs)} epochs; {sum(r.status == 'completed' for r in cell.results)} of "
                f"{len(cell.results)} seeds to the end; validation accuracy {final(cell, 'val_acc').percent()}",
                epochs == {50} and all(result.status == "completed" for result in cell.results),
            ),
            Statement(
                '"with a high level of accuracy": above 90 % on the validation images',
                "",
                final(cell, "val_acc").percent(),
                bool((final(cell, "val_acc").values > 0.9).all()),
            ),
        ],
        {"B1": bars_by_layer({"parameters": {name: Spread([n]) for name, n in layers.items()}}, "parameters")},
    )


def b2(evidence: Evidence) -> Finding:
    """Histories."""
    cell = evidence.cells(BASE)[0]
    columns = ["train_loss", "train_acc", "val_loss", "val_acc"]
    rows = [
        [str(epoch), *(at_epoch(cell, column, epoch).text() for column in columns)]
        for epoch in (1, 2, 5, 10, 20, 50)
        if epoch <= len(cell.curve("val_loss"))
    ]
    complete = all(len(cell.curve(column).dropna()) == 50 for column in columns)
    return Finding(
        [
            Statement(
                "there is a history of loss and accuracy, training and validation, for every epoch",
                "",
                f"{len(cell.curve('val_loss'))} epochs in {len(cell.histories)} histories",
                complete,
            )
        ],
        {"B2": curves([cell])},
        ["Losses are those of the data, without the L2 penalty, which Keras adds to what it prints."],
        [markdown_table(["epoch", *columns], rows)],
    )


def b3(evidence: Evidence) -> Finding:
    """Evaluation and predictions, which the document leaves empty."""
    cell = evidence.cells(BASE)[0]
    judged = [evidence.json(f"{BASE}/{run.name}/predictions/test/evaluation.json") for run in cell.folders]
    of_training = cell.metric("test_acc").tolist()
    first = f"{BASE}/{cell.folders[0].name}/predictions/kaggle"
    submission, answer = evidence.csv(f"{first}/submission.csv"), evidence.json(f"{first}/evaluation.json")
    rows = [
        [str(digit), *(Spread(j[what][digit] for j in judged).text() for what in ("precision", "recall"))]
        for digit in range(10)
    ]
    is_kaggles = list(submission.columns) == ["ImageId", "Label"] and list(submission["ImageId"]) == list(
        range(1, len(submission) + 1)
    )
    return Finding(
        [
            Statement(
                "(left empty) the test accuracy, the same by `predict` as at the end of training, to the last digit",
                "",
                f"{Spread(j['acc'] for j in judged).percent()}; equal for "
                f"{sum(j['acc'] == acc for j, acc in zip(judged, of_training, strict=True))} of {len(judged)} seeds",
                [j["acc"] for j in judged] == of_training,
            ),
            Statement(
                "(left empty) a submission in Kaggle's format from a CSV in Kaggle's format",
                "",
                f"{len(submission):,} lines {', '.join(submission.columns)}; accuracy {answer['acc']} (at the end of "
                f"training: {of_training[0]})",
                is_kaggles and len(submission) == 10_000 and answer["acc"] == of_training[0],
            ),
        ],
        {"B3": confusions({"test images, seed 0": cell.folders[0] / "predictions" / "test"})},
        [],
        [markdown_table(["digit", "precision", "recall"], rows)],
    )


CLAIMS = [
    Claim("B1", "784-20-15-10, ReLU, L2, Adam", train(BASE), (BASE,), b1),
    Claim("B2", "histories of loss and accuracy", train(BASE), (BASE,), b2),
    Claim(
        "B3", "evaluation and a submission", f"python -m mlp_study.predict outputs/reproduce/{BASE}/seed=0", (BASE,), b3
    ),
]
