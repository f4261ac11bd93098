"""Claims A9 to A11 of "Introduction to Deep Learning with Keras" (2019): initialization, and the rate that leaked."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp_study.figures.curves import curves
from mlp_study.figures.diagrams import bars_by_layer
from mlp_study.figures.grids import panels
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
NORMAL, INIT, LEAKED, INITIAL = (
    f"{PART}/{name}" for name in ("small_normal", "initialization", "initialization_leaked_rate", "initial_loss")
)
INITS = ("glorot", "small", "large", "zeros")


def a9(evidence: Evidence) -> Finding:
    """N(0, .01)."""
    text, code = evidence.cell(NORMAL, "optim.lr=0.1"), evidence.cell(NORMAL, "optim.lr=10")
    run = text.folders[0]
    layers = layer_parameters(run)
    found = [*layers.values(), sum(layers.values())]
    tables = [evidence.csv(f"{NORMAL}/{folder.name}/inspection/weights.csv") for folder in text.folders]
    first = [t[(t["when"] == "initial") & (t["layer"] == t["layer"].iloc[0])].set_index("parameter") for t in tables]
    means, stds = (Spread(t.loc["kernel", column] for t in first) for column in ("mean", "std"))
    bias = [(float(t.loc["bias", "mean"]), float(t.loc["bias", "std"])) for t in first]
    # Standard errors of the mean and of the standard deviation of 78,400 draws from N(0, .01).
    mean_error, std_error = 0.01 / np.sqrt(78_400), 0.01 / np.sqrt(2 * 78_400)
    argument = float(np.float32(0.01))

    def interval(spread: Spread) -> str:
        return "{:.6f} to {:.6f}".format(*spread.interval())

    exact = [abs(value - argument) < 1e-12 for value in stds.values]
    return Finding(
        [
            Statement(
                "parameters: three layers, total",
                "78,500, 1,010, 110, 79,620",
                ", ".join(f"{number:,}" for number in found),
                found == [78_500, 1_010, 110, 79_620],
            ),
            Statement(
                "the first layer's weights have mean 0 after initialization",
                "0.0",
                f"{means.mean:+.1e} ± {means.sd:.1e}; one more run: {interval(means)}; standard error of a sample of "
                f"78,400: {mean_error:.1e}",
                means.fits(0.0, 9),
            ),
            Statement(
                "and standard deviation .01",
                "0.009999999776482582",
                f"{stds.mean:.7f} ± {stds.sd:.7f}; one more run: {interval(stds)}; standard error: {std_error:.1e}",
                stds.fits(argument, 9),
            ),
            Statement(
                "the biases have mean and deviation 0",
                "0.0, 0.0",
                f"{bias[0][0]}, {bias[0][1]} in {sum(b == (0, 0) for b in bias)} of {len(bias)} seeds",
                all(b == (0, 0) for b in bias),
            ),
            Statement(
                "SGD can not train the network in 15 epochs (rate .1, as the text has it)",
                "figure 10",
                f"converged: {count(converged(text))}; last training loss {final(text, 'train_loss').text()}, test "
                f"accuracy {final(text, 'test_acc').percent()}",
                not any(converged(text)),
            ),
            Statement(
                "... at rate 10, which the variable `lr` still held",
                "figure 10",
                f"converged: {count(converged(code))}; last training loss {final(code, 'train_loss').text(2)}, test "
                f"accuracy {final(code, 'test_acc').percent()}",
                not any(converged(code)),
                as_run=True,
            ),
        ],
        {"A9": curves([text, code])},
        [
            "**What A9 measured.** The loop `for lr in lrs` of A3 ends with `lr` = 10, and nothing sets it back: "
            "every `SGD(lr=lr)` after it, in A9 and in A10, trains at rate 10, where A3 had just shown that even a "
            "well-initialized network does not converge. The figure that is to show a bad initialization shows a bad "
            f"rate. At the rate .1 of the text, weights from N(0, .01) train: {count(converged(text))} converge, to "
            f"{final(text, 'test_acc').percent()} on the test images.",
            "The printed deviation 0.009999999776482582 is, to its last digit, the number .01 rounded to 32 bits "
            f"({argument!r}), and the printed mean is exactly 0. Those are the initializer's arguments; a sample of "
            f"78,400 weights misses them in the fifth digit ({sum(exact)} of our {len(exact)} hit the printed "
            "deviation). Whatever the document printed there, it was not computed from the weights.",
            _doctor(evidence, NORMAL, code),
        ],
    )


def _doctor(evidence: Evidence, study: str, cell: Cell) -> str:
    """What `mlp diagnose RUN --cure` says of the first run of a cell; it knows nothing of the document."""
    name = cell.folders[0].name
    found = evidence.json(f"{study}/{name}/diagnosis.json")
    symptoms = ", ".join(dict.fromkeys(symptom["name"] for symptom in found["symptoms"])) or "healthy"
    suspects = "; ".join(f"{suspect['name']} ({suspect['said']})" for suspect in found["suspects"][:2]) or "nothing"
    rows = found.get("cures", [])
    unchanged = next((_accuracy(row) for row in rows if not row["change"]), "")
    works = [f"`{row['change']}` ({_accuracy(row)})" for row in rows if row["works"]]
    trained = f"{', '.join(works) or 'nothing'}, where the unchanged run has {unchanged}" if rows else "nothing"
    command = f"python -m mlp_study.diagnose outputs/reproduce/{study}/{name} --cure"
    return (
        f"**What the doctor says.** `{command}`: {symptoms}; suspected first: {suspects}. Trained with three seeds "
        f"each, this makes it healthy: {trained}."
    )


def _accuracy(row: dict[str, Any]) -> str:
    spread = "" if row["sd"] is None else f" ± {row['sd']:.4f}"
    return f"validation accuracy {row['accuracy']:.4f}{spread}"


def _zeros_stay(cells: list[Cell]) -> tuple[str, bool]:
    """How far from ln 10 the training loss of zero weights ever is."""
    worst = {cell.settings["optim"]: float((cell.curve("train_loss") - CHANCE).abs().max().max()) for cell in cells}
    text = ", ".join(f"{name} {value:.4f}" for name, value in worst.items())
    return f"largest distance from ln 10 in any epoch of any seed: {text}", max(worst.values()) < 0.01


def _initialization(evidence: Evidence, study: str, leaked: bool) -> list[Statement]:
    """The statements of A10 for SGD and Nesterov as in `study`; Adam always has its own rate."""
    rate, optimizers = "10" if leaked else ".1", ("sgd", "adam", "nesterov")
    cells = {
        (name, init): evidence.cell(INIT if name == "adam" else study, f"optim={name}", f"init={init}")
        for name in optimizers
        for init in INITS
    }

    def area(name: str, init: str) -> Spread:
        return over_epochs(cells[name, init])

    def add(says: str, measured: str, holds: bool) -> None:
        statements.append(Statement(f"rate {rate}: {says}", "figures 10-13", measured, holds, as_run=leaked))

    statements: list[Statement] = []
    add(
        "zero weights: the loss stays at ln 10 with each optimizer",
        *_zeros_stay([cells[o, "zeros"] for o in optimizers]),
    )
    flat = [int(line.sum()) for _, line in (cells["sgd", "small"].curve("train_loss") > 0.95 * CHANCE).items()]
    add(
        "small scale: SGD has a hard time leaving the flat region (trains clearly slower than from glorot)",
        f"mean training loss of the 15 epochs {area('sgd', 'small').text()}, from glorot "
        f"{area('sgd', 'glorot').text()}; epochs within 5 % of ln 10: {min(flat)} to {max(flat)}",
        clearly_below(area("sgd", "glorot"), area("sgd", "small")),
    )
    escape = [at_epoch(cells[name, "small"], "train_loss", 1) for name in ("nesterov", "sgd")]
    add(
        "small scale: momentum helps to leave it (clearly lower training loss in the first epoch)",
        f"{escape[0].text()} with it, {escape[1].text()} without",
        clearly_below(*escape),
    )
    slow = {name: clearly_below(area(name, "glorot"), area(name, "large")) for name in optimizers}
    add(
        "large scale: slow with each optimizer (clearly slower than from glorot)",
        "; ".join(
            f"{name} {area(name, 'large').text()}, from glorot {area(name, 'glorot').text()}" for name in optimizers
        ),
        all(slow.values()),
    )
    trained = {name: converged(cells[name, "glorot"]) for name in optimizers}
    add(
        "glorot trains with each optimizer",
        ", ".join(f"{name}: {count(flags)}" for name, flags in trained.items()),
        all(all(flags) for flags in trained.values()),
    )
    worst = {
        name: max(
            (final(cells[name, init], "train_loss") for init in ("glorot", "small", "large")), key=lambda s: s.mean
        )
        for name in optimizers
    }
    robust = all(clearly_below(worst["adam"], worst[name]) for name in ("sgd", "nesterov"))
    add(
        "Adam is the most robust: its worst last training loss over glorot, small and large is clearly the lowest",
        ", ".join(f"{name} {spread.text()}" for name, spread in worst.items()),
        robust,
    )
    return statements


def a10(evidence: Evidence) -> Finding:
    """Initialization by optimizer."""
    initial = {init: evidence.cell(INITIAL, f"init={init}") for init in INITS}
    losses = {init: final(cell, "train_loss") for init, cell in initial.items()}
    layer = next(c.split("/")[1] for c in initial["large"].histories[0].columns if c.startswith("act_saturated/"))
    flat = {init: at_epoch(cell, f"act_saturated/{layer}", 1) for init, cell in initial.items()}
    statements = [
        Statement(
            "large scale: a very high loss at the start (clearly above that of glorot, and above ln 10)",
            "figure 13",
            f"{losses['large'].text(2)}, glorot {losses['glorot'].text(2)}",
            clearly_below(losses["glorot"], losses["large"]) and losses["large"].mean > CHANCE,
        ),
        Statement(
            "large scale: the tanh units saturate (most of the first layer's activations beyond .99)",
            "figure 13",
            f"{flat['large'].percent()} of them at the start, glorot {flat['glorot'].percent()}",
            flat["large"].mean > 0.5,
        ),
    ]
    text = _initialization(evidence, INIT, leaked=False)
    code = _initialization(evidence, LEAKED, leaked=True)
    fails_text = [s.says.split(": ", 1)[1] for s in text if not s.holds]
    fails_code = [s.says.split(": ", 1)[1] for s in code if not s.holds]
    return Finding(
        [*statements, *text, *code],
        {
            "A10": panels(evidence.cells(INIT), "loss"),
            "A10_accuracy": panels(evidence.cells(INIT), "acc"),
            "A10_leaked": panels(evidence.cells(LEAKED), "loss"),
        },
        [
            "**What A10 measured.** SGD with and without momentum ran at the leaked rate 10, Adam at its own .001. So "
            "the figures compare a well-chosen rate with one a hundred times too high, whatever the initialization. "
            "At rate .1, "
            + (
                f"{len(fails_text)} of the {len(text)} statements fail ({'; '.join(fails_text)})"
                if fails_text
                else "all hold"
            )
            + "; at rate 10, "
            + (f"{len(fails_code)} of {len(code)} fail ({'; '.join(fails_code)})" if fails_code else "all hold")
            + ".",
            _doctor(evidence, LEAKED, evidence.cell(LEAKED, "optim=sgd", "init=glorot")),
        ],
    )


def a11(evidence: Evidence) -> Finding:
    """Gradient norms find the bad layer."""
    cells = {init: evidence.cell(INITIAL, f"init={init}") for init in INITS}
    columns = [c for c in cells["glorot"].histories[0].columns if c.startswith("grad_norm/")]
    norms = {init: {c.split("/")[1]: at_epoch(cell, c, 1) for c in columns} for init, cell in cells.items()}

    def shown(init: str) -> str:
        return ", ".join(f"{name} {spread.mean:.1e}" for name, spread in norms[init].items())

    healthy = norms["glorot"]
    bad = {init: [n for n, s in norms[init].items() if s.mean < 0.01 * healthy[n].mean] for init in INITS}
    zero = [n for n, s in norms["zeros"].items() if (s.values == 0).all()]
    return Finding(
        [
            Statement(
                "zero weights: the gradient norms show layers that learn nothing",
                "",
                f"exactly 0 in every seed: {', '.join(zero) or 'none'} (at the start: {shown('zeros')})",
                len(zero) > 0,
            ),
            Statement(
                "small scale: they show the layers that the flat region holds (below a hundredth of glorot's)",
                "",
                f"{', '.join(bad['small']) or 'none'} (small: {shown('small')}; glorot: {shown('glorot')})",
                len(bad["small"]) > 0,
            ),
        ],
        {"A11": bars_by_layer({init: norms[init] for init in INITS}, "gradient norm at the start")},
        [
            "The advice is for networks whose loss stays at its initial value: those of zero or small weights. "
            f"Saturation is another matter. With large weights ({shown('large')}) the layers whose gradient is below a "
            f"hundredth of glorot's are: {', '.join(bad['large']) or 'none'}. The weights that saturate a layer also "
            "multiply the gradients that pass it; there the fraction of saturated activations (`act_saturated/...` in "
            "history.csv, see A10) shows the bad layer."
        ],
    )


CLAIMS = [
    Claim("A9", "N(0, .01): SGD can not train it", train(NORMAL), (NORMAL,), a9),
    Claim("A10", "four initializations by three optimizers", train(INIT), (INIT, LEAKED, INITIAL), a10),
    Claim("A11", "gradient norms by layer name the bad layer", train(INITIAL), (INITIAL,), a11),
]
