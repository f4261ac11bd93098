"""Claims D1 to D3 and D7, and with `hidden_layers` D4 to D6: "Fully Connected Feed-Forward Network"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from mlp_study.figures.curves import curves
from mlp_study.reproduce import hidden_layers
from mlp_study.reproduce.evidence import Evidence, at_epoch, final, over_epochs
from mlp_study.reproduce.findings import Claim, Finding, Statement, markdown_table, train
from mlp_study.runs.cells import Cell
from mlp_study.runs.spread import CONFIDENCE, Spread, clearly_differ

PART = "fully_connected"
TITLE = "D. Fully Connected Feed-Forward Network"
BASE, DROPOUT, STOPPING, SOFTPLUS = (f"{PART}/{name}" for name in ("base", "dropout", "early_stopping", "softplus"))

# As the document prints them, epoch by epoch.
D1_PRINTED = {
    "train_loss": [2.2497, 2.0110],
    "train_acc": [0.1736, 0.5167],
    "val_loss": [2.1271, 1.8907],
    "val_acc": [0.3627, 0.6396],
}
D2_PRINTED = {
    "train_loss": [1.3746, 0.6235, 0.4827, 0.4218],
    "train_acc": [0.6348, 0.8268, 0.8607, 0.8781],
    "val_loss": [0.6917, 0.4541, 0.3795, 0.3402],
    "val_acc": [0.8418, 0.8795, 0.8974, 0.9055],
}


def _compared(cell: Cell, printed: Mapping[str, Sequence[float]]) -> tuple[int, int, str]:
    """How many printed numbers fit the runs of `cell`, of how many, and a table that shows each."""
    rows, fitting, total = [], 0, 0
    for column, numbers in printed.items():
        for epoch, number in enumerate(numbers, start=1):
            spread = at_epoch(cell, column, epoch)
            low, high = spread.interval()
            fits = spread.fits(number, 4)
            total, fitting = total + 1, fitting + fits
            rows.append(
                [
                    str(epoch),
                    column,
                    f"{number:.4f}",
                    spread.text(),
                    f"{low:.4f} to {high:.4f}",
                    "yes" if fits else "**no**",
                ]
            )
    header = ["epoch", "", "printed", "ours", f"one more run ({CONFIDENCE:.0%})", "fits"]
    return fitting, total, markdown_table(header, rows)


def _standard_deviations_behind(cell: Cell, printed: Mapping[str, Sequence[float]]) -> list[float]:
    """How far each printed number is on the side of slower training, seen from our mean."""
    return [
        (number - spread.mean) / spread.sd * (1 if column.endswith("loss") else -1)
        for column, numbers in printed.items()
        for epoch, number in enumerate(numbers, start=1)
        if (spread := at_epoch(cell, column, epoch)).sd > 0
    ]


def _with_printed(figure: Figure, printed: Mapping[str, Sequence[float]]) -> Figure:
    """Curves, and on them the document's own numbers as crosses."""
    for axis, column in zip(figure.axes, ("train_loss", "val_loss", "train_acc", "val_acc"), strict=True):
        numbers = printed[column]
        axis.plot(range(1, len(numbers) + 1), numbers, "kx", markersize=9, markeredgewidth=2, zorder=5)
    figure.suptitle("crosses: as the document prints them")
    return figure


def d1(evidence: Evidence) -> Finding:
    """The first table."""
    slow = evidence.cells(BASE)[0]
    fast = evidence.cell(SOFTPLUS, "model.activation=relu")  # the same network at Keras's default rate, .01
    fitting, total, table = _compared(slow, D1_PRINTED)
    acc, acc_fast = at_epoch(slow, "val_acc", 2), at_epoch(fast, "val_acc", 2)
    behind = _standard_deviations_behind(slow, D1_PRINTED)
    return Finding(
        [
            Statement(
                "about 88 % validation accuracy after 2 epochs (text), at the rate .001 of its code",
                "~88 %; its own printout: 63.96 %",
                acc.percent(),
                acc.fits(0.88, 2),
            ),
            Statement(
                "the printed table, epoch by epoch, at rate .001",
                "8 numbers, below",
                f"{fitting} of {total} fit the spread of our {len(slow.results)} seeds",
                fitting == total,
                as_run=True,
            ),
        ],
        {"D1": _with_printed(curves([slow]), D1_PRINTED)},
        [
            f"At Keras's default rate .01 (D7) the same network reaches {acc_fast.percent()} after 2 epochs"
            + (
                ": the sentence about 88 % goes with that rate, the printout with .001."
                if acc_fast.fits(0.88, 2)
                else "."
            ),
            f"The printed run is behind our mean in {sum(z > 0 for z in behind)} of {len(behind)} numbers, by "
            f"{min(behind):.1f} to {max(behind):.1f} standard deviations: one run, slower than most of ours, whose "
            "eight "
            "numbers are not eight independent ones.",
        ],
        [table],
    )


def d2(evidence: Evidence) -> Finding:
    """The second table, and the rate it was made with."""
    cells = {rate: evidence.cell(DROPOUT, f"optim.lr={rate}") for rate in ("0.001", "0.01", "0.1")}
    compared = {rate: _compared(cell, D2_PRINTED) for rate, cell in cells.items()}
    best = max(compared, key=lambda rate: compared[rate][0])
    fitting, total, table = compared[best]
    return Finding(
        [
            Statement(
                "one of the rates .001, .01 and .1 reproduces the printed table",
                "16 numbers, below",
                "numbers that fit: " + ", ".join(f"{c[0]} of {c[1]} at {rate}" for rate, c in compared.items()),
                fitting == total,
            )
        ],
        {"D2": _with_printed(curves(list(cells.values())), D2_PRINTED)},
        [
            f"The rate that the document does not show is {best}"
            + (", SGD's default in Keras." if best == "0.01" else ".")
        ],
        [f"At rate {best}:\n\n{table}"],
    )


def d3(evidence: Evidence) -> Finding:
    """Early stopping, validated on test images and properly."""
    statements, rows, cells = [], [], {}
    for where, name in (
        ("test", "the test images, as the document does"),
        ("held_out", "a part held out, as one should"),
    ):
        cell = evidence.cell(STOPPING, f"data.validate_on={where}")
        cells[where] = cell
        stopped = [result.epochs for result in cell.results if result.status == "stopped"]
        lasts = [result.epochs for result in cell.results]
        statements.append(
            Statement(
                "within 100 epochs the validation loss starts to rise and patience 4 ends training; validated on "
                f"{name}",
                "",
                f"{len(stopped)} of {len(lasts)} seeds stopped; epochs {', '.join(map(str, lasts))}",
                len(stopped) == len(lasts),
            )
        )
        best = cell.metric("best_val_acc")
        rows.append([name, Spread(best).percent(), final(cell, "val_acc").percent(), final(cell, "test_acc").percent()])
    return Finding(
        statements,
        {"D3": curves(list(cells.values()))},
        [
            "Who chooses the moment to stop by the test images reports a number that was chosen by them. The two runs "
            "of a seed are one and the same training, watched by different images: what differs is what is reported."
        ],
        [markdown_table(["validated on", "best validation accuracy", "last", "test accuracy at the end"], rows)],
    )


def d7(evidence: Evidence) -> Finding:
    """ReLU and softplus."""
    relu, softplus = (evidence.cell(SOFTPLUS, f"model.activation={name}") for name in ("relu", "softplus"))
    losses = over_epochs(relu), over_epochs(softplus)
    return Finding(
        [
            Statement(
                "both train: the loss falls in every epoch of every seed",
                "",
                "; ".join(f"{c.settings['model.activation']} {at_epoch(c, 'train_loss', 1).text()} to "
                          f"{at_epoch(c, 'train_loss', 4).text()}, validation {final(c, 'val_acc').percent()}"
                          for c in (relu, softplus)),
                all(bool((c.curve("train_loss").diff().iloc[1:] < 0).all().all()) for c in (relu, softplus)),
            )
        ],
        {"D7": curves([relu, softplus])},
        [
            f"They {'differ clearly' if clearly_differ(*losses) else 'do not differ clearly'} in speed: mean training "
            f"loss of the 4 epochs {losses[0].text()} with ReLU, {losses[1].text()} with softplus."
        ],
    )  # fmt: skip


CLAIMS = [
    Claim("D1", "784-512-512-10, 2 epochs", train(BASE), (BASE,), d1),
    Claim("D2", "Dropout .2, 4 epochs, at which rate?", train(DROPOUT), (DROPOUT,), d2),
    Claim("D3", "early stopping", train(STOPPING), (STOPPING,), d3),
    *hidden_layers.CLAIMS,
    Claim("D7", "ReLU and softplus", train(SOFTPLUS), (SOFTPLUS,), d7),
]
