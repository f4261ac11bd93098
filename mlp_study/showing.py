"""Names and values as a person sees them: whatever is in them, they show as they are and change nothing around them.

A value that was typed may look like the markup of Rich (`[relu,tanh]`, `[/b]`) or of matplotlib (`$`), or hold control
characters. Tables and figures take it through here.
"""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


def printable(text: Any) -> str:
    """On one line, with what cannot be printed (control characters, halves of surrogate pairs) as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def label(text: Any) -> str:
    """For a figure: no formula, whatever is in it."""
    return printable(text).replace("$", r"\$")


def console(stderr: bool = False, width: int | None = None) -> Console:
    """Rich's console without markup; lines are not broken.

    Args:
        stderr: print to standard error.
        width: the least number of columns that a table gets, however narrow a pipe or a terminal is.
    """
    found = Console(stderr=stderr, highlight=False, markup=False, soft_wrap=True, emoji=False, force_jupyter=False)
    if width is not None:
        found.width = max(found.width, width)
    return found


class Columns:
    """A table for the terminal: headings, then rows of values, all shown as they are."""

    def __init__(self, title: str | None = None) -> None:
        shown = None if title is None else Text(printable(title))
        self.table = Table(title=shown, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)

    def column(self, heading: Any, is_number: bool = False) -> None:
        """Add a column; `heading` may have two lines."""
        text = Text("\n".join(map(printable, str(heading).split("\n"))))
        self.table.add_column(text, justify="right" if is_number else "left", vertical="bottom")

    def row(self, *values: Any) -> None:
        """Add a row."""
        self.table.add_row(*(Text(printable(value)) for value in values))
