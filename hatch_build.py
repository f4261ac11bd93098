"""The README as a package index shows it: beside it there are none of the files that its links lead to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE = r"(?![a-z]+:|#)[^()\s]+"  # neither https://... nor a heading of the same page


def without_relative_links(text: str) -> str:
    """Markdown with the words of relative links alone, and without relative pictures."""
    text = re.sub(rf"^[ \t]*\[?!\[[^\]]*\]\({RELATIVE}\)(\]\([^()\s]+\))?[ \t]*\n\n?", "", text, flags=re.MULTILINE)
    text = re.sub(rf"!\[[^\]]*\]\({RELATIVE}\)", "", text)
    return re.sub(rf"\[([^\]]*)\]\({RELATIVE}\)", r"\1", text)


class ReadmeHook(MetadataHookInterface):
    """Called by hatchling for each sdist and wheel."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in `readme`, which pyproject.toml calls dynamic."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": without_relative_links(text)}
