"""`mlp`, or `python -m mlp_study`: the one command. Each subcommand is `python -m mlp_study.NAME`, too."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib import import_module

from mlp_study.choices.rules import unknown
from mlp_study.errors import UserError
from mlp_study.program import program, waiting
from mlp_study.version import __version__

# Where each subcommand is, and what it does.
SUBCOMMANDS = {
    "train": ("commands.training", "train one run, or with -m every combination of the values given"),
    "predict": ("commands.predicting", "evaluate a trained run, or predict with it"),
    "inspect": ("commands.inspecting", "look inside a trained run: weights, representations, embeddings"),
    "status": ("commands.watching", "where a study stands, while it is trained"),
    "diagnose": ("commands.diagnosing", "why a run does not train, and what cures it"),
    "report": ("commands.reporting", "draw the figures of a study"),
    "reproduce": ("reproduce.reproducing", "re-run what the documents claim, and write what holds"),
}

HELP = """usage: mlp COMMAND ...

What makes a multilayer perceptron train, and what stops it?

{commands}

`mlp COMMAND --help` says more of each. `python -m mlp_study.COMMAND` is the same.

  mlp train                                        one run
  mlp train -m optim=sgd,adam init=glorot,zeros    a grid
  mlp report outputs/DATE/TIME-study               its figures

  -h, --help     show this
  --version      show the version"""


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; `argv` stands in for sys.argv[1:]."""
    gc.set_threshold(20_000, 10, 10)  # torch and a thousand runs are many objects, and hardly one of them is garbage
    with program():  # from the first import on
        _main(list(sys.argv[1:] if argv is None else argv))


def train() -> None:
    """`mlp-train`."""
    main(["train", *sys.argv[1:]])


def _main(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help"):
        print(HELP.format(commands="\n".join(f"  {name:<10} {says}" for name, (_, says) in SUBCOMMANDS.items())))
        return
    if words[0] == "--version":
        print(f"mlp_study {__version__}")
        return
    if words[0] not in SUBCOMMANDS:
        raise UserError(unknown(f"mlp {words[0]}", words[0], SUBCOMMANDS, what="command"))
    if not {"-h", "--help", "--version"} & set(words):
        waiting(f"mlp {words[0]}: starting ...")
    import_module(f"mlp_study.{SUBCOMMANDS[words[0]][0]}").main(words[1:])


if __name__ == "__main__":
    main()
