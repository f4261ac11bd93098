"""study.html: one file that holds a study, the scripts that show it and BokehJS; it needs no network.

Everything that a user or a file may have named goes into the page as JSON and from there as text: none of it is markup.
"""

from __future__ import annotations

import html
import importlib.util
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mlp_study.files import finite, write_text
from mlp_study.page.page_data import page_data
from mlp_study.page.reading_runs import Reader, is_begun

PAGE = "study.html"
PARTS = Path(__file__).parent / "parts"
SCRIPTS = ("state", "formats", "table", "plots", "coordinates", "curves", "heat", "details", "start")
BOKEH = ("bokeh.min.js", "bokeh-api.min.js")


def write_page(
    folders: Sequence[Path], path: Path | None = None, reader: Reader | None = None, is_live: bool = False
) -> Path | None:
    """Write the page of the studies in `folders`; None where nothing has begun.

    Args:
        folders: of studies, or of runs.
        path: default study.html in the first of them.
        reader: that has read them before.
        is_live: whether they are being trained: the page reloads itself.

    Raises:
        NotWritten: the disk is full, say.
    """
    runs, asked = (reader or Reader(folders)).read()
    if not any(map(is_begun, runs)):
        return None
    path = path or folders[0] / PAGE
    write_text(path, page(page_data(folders, runs, asked, is_live)))
    return path


def page(data: dict[str, Any]) -> str:
    """The page that shows `data`, see `mlp_study.page.page_data`."""
    content = json.dumps(finite(data), separators=(",", ":"), ensure_ascii=False)
    parts = {
        "TITLE": html.escape(data["title"]),
        "STYLE": _part("page.css"),
        "DATA": content.replace("<", "\\u003c"),
        "BOKEH": _bokeh(),
        "SCRIPT": "\n".join(_part(f"{name}.js") for name in SCRIPTS),
    }
    found = []
    for i, piece in enumerate(_part("page.html").split("@@")):  # text, name, text, ...
        found.append(parts[piece] if i % 2 else piece)
    return "".join(found)


@cache
def _part(name: str) -> str:
    return (PARTS / name).read_text()


@cache
def _bokeh() -> str:
    """BokehJS as Bokeh ships it; Bokeh itself is not imported."""
    found = importlib.util.find_spec("bokeh")
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent / "server" / "static" / "js"
    return "\n".join((folder / name).read_text() for name in BOKEH).replace("</script", "<\\/script")
