"""Judge every claim and write the ledger: REPRODUCTION.md, claims.json and the figures."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from matplotlib.figure import Figure

from mlp_study.figures.saving import save
from mlp_study.files import write_json, write_text
from mlp_study.reproduce.evidence import CHANCE, Evidence
from mlp_study.reproduce.experiments import experiments
from mlp_study.reproduce.findings import HOLDS, Claim, Finding, markdown_table
from mlp_study.runs.cells import Cell
from mlp_study.runs.spread import CONFIDENCE

STUDY_DPI, PUBLISHED_DPI = 120, 64


def judge(parts: Sequence[ModuleType], folder: Path) -> dict[Claim, Finding]:
    """A finding for each claim of the parts, from the files in `folder`."""
    evidence = Evidence(folder)
    return {claim: claim.judge(evidence) for part in parts for claim in part.CLAIMS}


def write(parts: Sequence[ModuleType], findings: dict[Claim, Finding], folder: Path) -> Path:
    """Write claims.json, figures/ and REPRODUCTION.md into the study's directory; returns the last."""
    write_json(folder / "claims.json", [_as_dict(claim, finding) for claim, finding in findings.items()])
    draw(findings, folder / "figures", STUDY_DPI, ("png", "svg"))
    path = folder / "REPRODUCTION.md"
    write_text(path, markdown(parts, findings, folder, "figures"))
    return path


def publish(parts: Sequence[ModuleType], findings: dict[Claim, Finding], folder: Path, repository: Path) -> Path:
    """Write REPRODUCTION.md and small figures into the repository; returns the first."""
    pictures = repository / "benchmarks" / "reproduction"
    draw(findings, pictures, PUBLISHED_DPI, ("png",))
    wanted = {f"{name}.png" for finding in findings.values() for name in drawn(finding)}
    for stale in pictures.glob("*.png"):
        if stale.name not in wanted:
            stale.unlink()
    path = repository / "REPRODUCTION.md"
    write_text(path, markdown(parts, findings, folder, pictures.relative_to(repository).as_posix()))
    return path


def drawn(finding: Finding) -> dict[str, Figure]:
    """The figures of a finding that there are."""
    return {name: figure for name, figure in finding.figures.items() if figure is not None}


def draw(findings: dict[Claim, Finding], folder: Path, dpi: int, endings: Sequence[str]) -> None:
    """All figures, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for finding in findings.values():
        for name, figure in drawn(finding).items():
            save(figure, folder, name, dpi, endings)


def _as_dict(claim: Claim, finding: Finding) -> dict[str, Any]:
    return {
        "claim": claim.name,
        "title": claim.title,
        "verdict": finding.verdict,
        "statements": [vars(statement) for statement in finding.statements],
        "figures": list(drawn(finding)),
        "command": claim.command,
    }


def markdown(parts: Sequence[ModuleType], findings: dict[Claim, Finding], folder: Path, figures: str) -> str:
    """The whole text; `figures` is where its pictures are, seen from it."""
    sections = [
        "# What the documents claim, and what holds",
        "Written by `make reproduce` from run directories; not by hand. Every verdict is computed from the files of "
        "the runs, by the functions in `mlp_study/reproduce/`.",
        _setting(parts, folder),
        "## Ledger",
        _ledger(findings, figures),
        "## What does not hold",
        _failures(findings),
    ]
    for part in parts:
        sections.append(f"## {part.TITLE}")
        for claim in part.CLAIMS:
            sections += _section(claim, findings[claim], figures)
    return "\n\n".join(section for section in sections if section) + "\n"


def _setting(parts: Sequence[ModuleType], folder: Path) -> str:
    evidence = Evidence(folder)
    cells: list[Cell] = [cell for part in parts for name in experiments(part.PART) for cell in evidence.cells(name)]
    results = [result for cell in cells for result in cell.results]
    minutes = sum((result.timings["seconds"] or 0.0) for result in results) / 60
    versions = results[0].versions
    return (
        f"{len(results)} runs of {len(cells)} configurations, {minutes:.0f} minutes of training on "
        f"{' and '.join(sorted({result.device for result in results}))}, Python {platform.python_version()}, torch "
        f"{versions['torch']}, lightning {versions['lightning']}, scikit-learn {version('scikit-learn')}; last run "
        f"finished {max(result.finished for result in results)[:10]}. Numbers are means over seeds ± standard "
        "deviation.\n\n- **Converges**: no divergence, and the training loss of the last epoch is below half of ln 10 "
        f"({CHANCE / 2:.3f}) and below that of the first. Counted seed by seed.\n- **Clearly** less, faster, worse: "
        "the means differ by more than twice the standard deviation of a difference, 2 √(s₁² + s₂²).\n- **Speed** is "
        "the mean training loss over the epochs (the area under the curve): lower is faster.\n- **A printed number "
        f"fits** if it lies where one more of our runs would fall with {CONFIDENCE:.0%} confidence: mean ± t·s·√(1 + "
        "1/n), Student's t with n - 1 degrees of freedom, s our own spread over seeds, plus half of the last printed "
        "digit. Parameter counts must be equal.\n- **Holds only as the code ran it**: what the text says does not "
        "hold; what the document's program did, which is something else, gives the result it reports."
    )


def _ledger(findings: dict[Claim, Finding], figures: str) -> str:
    rows = []
    for claim, finding in findings.items():
        shown = [s for s in finding.statements if not s.holds] or finding.statements
        pictures = ", ".join(f"[{name}]({figures}/{name}.png)" for name in drawn(finding))
        held = sum(s.holds for s in finding.statements)
        rows.append(
            [
                f"[{claim.name}](#{_anchor(claim)})",
                claim.title,
                f"**{finding.verdict}** ({held} of {len(finding.statements)})",
                shown[0].printed or "-",
                _cell(shown[0].measured),
                pictures,
            ]
        )
    table = markdown_table(["", "claim", "verdict (statements that hold)", "document", "ours", "figure"], rows)
    return table + "\n\nThe numbers are those of the first statement that fails, or of the first."


def _failures(findings: dict[Claim, Finding]) -> str:
    lines = [
        f"- **{claim.name}**, {claim.title} ({finding.verdict}): "
        + "; ".join(f"{s.says}: {s.measured}" for s in finding.statements if not s.holds)
        for claim, finding in findings.items()
        if finding.verdict != HOLDS
    ]
    return "\n".join(lines) or "Every claim holds."


def _section(claim: Claim, finding: Finding, figures: str) -> list[str]:
    rows = [
        [_cell(s.says) + (" *(as the code ran it)*" if s.as_run else ""), _cell(s.printed) or "-", _cell(s.measured),
         "yes" if s.holds else "**no**"]
        for s in finding.statements
    ]  # fmt: skip
    return [
        f"### {claim.name}: {claim.title}",
        f"**{finding.verdict[0].upper()}{finding.verdict[1:]}.** `{claim.command}`",
        markdown_table(["statement", "document", "ours", "holds"], rows),
        *finding.remarks,
        *finding.tables,
        *(f"![{name}]({figures}/{name}.png)" for name in drawn(finding)),
    ]


def _anchor(claim: Claim) -> str:
    """GitHub's anchor of the claim's heading."""
    kept = [c for c in f"{claim.name}: {claim.title}".lower() if c.isalnum() or c in " -_"]
    return "".join(kept).replace(" ", "-")


def _cell(text: str) -> str:
    """Text that does not break a table."""
    return text.replace("|", "\\|").replace("\n", " ")
