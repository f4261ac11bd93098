"""What study.html knows: settings, runs, cells best first, curves, importance, mistakes. Plain numbers and texts."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from mlp_study.page.importance import Importance, coordinate, importance
from mlp_study.page.packed_curves import curves
from mlp_study.page.reading_runs import ReadRun, is_begun, study_names
from mlp_study.runs.asked import Asked, as_number, is_log, pairs
from mlp_study.runs.cells import Cell, beside, best_first, cells_of, mean, values_of
from mlp_study.runs.ranking import ACCURACIES, BEST, run_rank
from mlp_study.runs.result import DAMAGED, UNFINISHED, Result
from mlp_study.runs.table import METRIC_COLUMNS

PICTURES, MATRICES = 1.5 * 2**20, 2**20  # characters that mistakes and confusion matrices may take
PNG, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


def page_data(folders: Sequence[Path], runs: Sequence[ReadRun], asked: Asked, is_live: bool = False) -> dict[str, Any]:
    """All of it.

    Args:
        folders: of the studies.
        runs, asked: as they were read.
        is_live: whether they are being trained.
    """
    shown = [run for run in runs if is_begun(run)]
    numbers = {run.folder: i for i, run in enumerate(shown)}
    results = {run.folder: run.state for run in shown if isinstance(run.state, Result)}
    cells = best_first(cells_of([(folder, result, None) for folder, result in results.items()], asked))
    settings = [
        _setting(key, values_of(cells, key)) for key in dict.fromkeys(k for cell in cells for k in cell.settings)
    ]
    metrics = [name for name in METRIC_COLUMNS if any(r.metrics.get(name) is not None for r in results.values())]
    cell_of = {folder: i for i, cell in enumerate(cells) for folder in cell.folders}
    ranked = sorted(results, key=lambda folder: run_rank(results[folder].status, results[folder].metrics))
    by_number = {run.folder: run for run in shown}
    return {
        "title": ", ".join(study_names(folders)),
        "live": is_live,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "counts": _counts(runs, asked),
        "settings": settings,
        "metrics": metrics,
        "judged": next((name for name in ACCURACIES if name in metrics), None),
        "runs": [_run(run, cell_of.get(run.folder), metrics) for run in shown],
        "cells": [_cell(cell, cells[0], settings, metrics, numbers) for cell in cells],
        "curves": curves([(numbers[folder], by_number[folder]) for folder in ranked]),
        "importance": _importance(cells, settings, is_live),
        "mistakes": _mistakes(cells, results, numbers),
        "confusion": _matrices(ranked, results, numbers),
        "foot": _foot(asked, list(results.values()), folders),
    }


def _counts(runs: Sequence[ReadRun], asked: Asked) -> dict[str, Any]:
    statuses = Counter(run.state.status if isinstance(run.state, Result) else DAMAGED for run in runs if is_begun(run))
    return {"runs": max(len(runs), len(asked.runs)), "statuses": dict(statuses.most_common())}


def _setting(key: str, values: Sequence[str]) -> dict[str, Any]:
    numbers = [as_number(value) for value in values]
    known = [number for number in numbers if number is not None and np.isfinite(number)]
    if len(known) < len(values):
        return {"key": key, "kind": "text", "values": values}
    return {"key": key, "kind": "log" if is_log(known) else "linear", "values": values}


def _run(run: ReadRun, cell: int | None, metrics: Sequence[str]) -> dict[str, Any]:
    name = run.folder.name
    if not isinstance(run.state, Result):
        return {"name": name, "cell": None, "status": DAMAGED, "reason": run.state, "metrics": [None] * len(metrics)}
    result = run.state
    return {
        "name": name,
        "cell": cell,
        "seed": pairs(result.overrides).get("seed"),
        "status": result.status,
        "reason": result.reason,
        "diagnosis": run.diagnosis,
        "epochs": result.epochs,
        "seconds": result.timings.get("seconds"),
        "metrics": [_number(result.metrics.get(metric)) for metric in metrics],
    }


def _cell(
    cell: Cell, best: Cell, settings: Sequence[Mapping[str, Any]], metrics: Sequence[str], numbers: Mapping[Path, int]
) -> dict[str, Any]:
    values = [cell.metric(metric) for metric in metrics]
    known = [value[np.isfinite(value)] for value in values]
    return {
        "label": cell.label,
        "places": [cell.place.get(setting["key"], -1) for setting in settings],
        "beside": BEST if cell is best else beside(best, cell),
        "statuses": Counter(result.status for result in cell.results),
        "epochs": float(np.mean([result.epochs for result in cell.results])),
        "seconds": mean(np.array([result.timings.get("seconds") or np.nan for result in cell.results])),
        "mean": [_number(value.mean()) if len(value) else None for value in known],
        "std": [_number(value.std(ddof=1)) if len(value) > 1 else None for value in known],
        "runs": [numbers[folder] for folder in cell.folders],
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(f"{value:.7g}")


def _importance(cells: Sequence[Cell], settings: Sequence[Mapping[str, Any]], is_live: bool) -> dict[str, Any]:
    if is_live:  # a forest takes seconds, which training is to have
        return {"note": "Is found out when the study has ended.", "shares": []}
    ended = [cell for cell in cells if all(result.status != UNFINISHED for result in cell.results)]
    places = [
        [
            coordinate(cell.settings.get(s["key"], ""), cell.place.get(s["key"], -1), s["kind"])
            for s in settings
        ]
        for cell in ended
    ]  # fmt: skip
    values = np.array([mean(cell.accuracies) for cell in ended])
    found: Importance = importance([s["key"] for s in settings], np.array(places), values)
    return {"note": found.note, "shares": [[name, *shares] for name, shares in found.shares.items()]}


def _mistakes(cells: Sequence[Cell], results: Mapping[Path, Result], numbers: Mapping[Path, int]) -> dict[str, str]:
    """Of the best run of each cell, best first, as long as there is room: the misclassified digits, as an address."""
    found: dict[str, str] = {}
    room, without = PICTURES, 0
    for cell in cells:
        folder = min(cell.folders, key=lambda f: run_rank(results[f].status, results[f].metrics))
        picture = _picture(folder)
        without += picture is None
        if picture is not None and len(picture) < room:
            room -= len(picture)
            found[str(numbers[folder])] = picture
        elif without >= 8 or picture is not None:
            break
    return found


def _picture(folder: Path) -> str | None:
    """The last PNG in a run's TensorBoard file, which is the one of its misclassified digits."""
    try:
        content = max(folder.glob("events.out.tfevents.*")).read_bytes()
    except (ValueError, OSError):
        return None
    begin = content.rfind(PNG)
    end = content.find(PNG_END, begin)
    if begin < 0 or end < 0:
        return None
    return "data:image/png;base64," + base64.b64encode(content[begin : end + len(PNG_END)]).decode()


def _matrices(ranked: Sequence[Path], results: Mapping[Path, Result], numbers: Mapping[Path, int]) -> dict[str, Any]:
    found, room = {}, MATRICES
    for folder in ranked:
        matrix = results[folder].confusion
        if matrix is None:
            continue
        room -= 4 * len(matrix) ** 2
        if room < 0:
            break
        found[str(numbers[folder])] = matrix
    return found


def _foot(asked: Asked, results: Sequence[Result], folders: Sequence[Path]) -> list[list[str]]:
    versions: dict[str, set[str]] = {}
    for name, version in (pair for result in results for pair in result.versions.items()):
        versions.setdefault(name, set()).add(version)
    seconds = sum(result.timings.get("seconds") or 0.0 for result in results)
    ended = [result.finished for result in results if result.finished]
    rows = [
        ["study", ", ".join(folder.absolute().name for folder in folders)],
        ["command", asked.command],
        ["asked", asked.started],
        ["last run ended", max(ended, default="")],
        ["time of all runs", str(timedelta(seconds=round(seconds)))],
        ["machine", asked.machine],
        ["devices", ", ".join(sorted({result.device for result in results if result.device}))],
        ["versions", ", ".join(f"{name} {' and '.join(sorted(found))}" for name, found in versions.items())],
    ]  # fmt: skip
    return [row for row in rows if row[1]]
