"""What a claim is, what was found of it, and how a verdict follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from mlp_study.reproduce.evidence import Evidence

HOLDS = "holds"
FAILS = "does not hold"
AS_RUN = "holds only as the code ran it"


@dataclass(frozen=True)
class Statement:
    """One thing that a document says, beside what was measured.

    Attributes:
        says: the statement.
        printed: the document's number, or "" where it prints none.
        measured: ours.
        holds: whether it does.
        as_run: it is about what the document's own program did, where that is not what its text says.
    """

    says: str
    printed: str
    measured: str
    holds: bool
    as_run: bool = False


@dataclass
class Finding:
    """What was found of a claim.

    Attributes:
        statements: at least one.
        figures: by name, drawn from the runs.
        remarks: paragraphs of text.
        tables: further tables, in Markdown.
    """

    statements: list[Statement]
    figures: dict[str, Figure | None] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """It holds if every statement does. Failing that, it holds as the code ran if what is said of the code does."""
        text = [s.holds for s in self.statements if not s.as_run]
        code = [s.holds for s in self.statements if s.as_run]
        if all(text):
            return HOLDS
        return AS_RUN if code and all(code) else FAILS


@dataclass(frozen=True)
class Claim:
    """A numbered claim of a document.

    Attributes:
        name: its number, "A3".
        title: what it is about, in a few words.
        command: what a reader types to see it.
        experiments: the studies it needs.
        judge: computes the finding from the files of the studies.
    """

    name: str
    title: str
    command: str
    experiments: tuple[str, ...]
    judge: Callable[[Evidence], Finding]


def train(experiment: str) -> str:
    """The command that trains an experiment."""
    return f"python -m mlp_study.train -m experiment={experiment}"


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines)
