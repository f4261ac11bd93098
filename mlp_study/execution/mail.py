"""Events as lines of JSON in a file: from a worker with which one shares a file system and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlp_study.errors import UserError
from mlp_study.execution.workers import Ended, Event, Lost, Taken, Told
from mlp_study.files import append_text
from mlp_study.runs.listener import Worker
from mlp_study.runs.result import Result


def post(path: Path, event: Event) -> None:
    """Add an event to the file `path`; one for which there is no room is not missed.

    Who takes a task may have been preceded by one that was killed in the middle of a line, and ends that first.
    """
    line = json.dumps(_encoded(event), allow_nan=False)
    with suppress(UserError):
        append_text(path, f"\n{line}\n" if isinstance(event, Taken) else f"{line}\n")


class Mailbox:
    """The reader's side of such a file.

    Args:
        path: the file; made here, so that no file system remembers for a while that there was none.
        task: the number of the task that it is about.
    """

    def __init__(self, path: Path, task: int) -> None:
        self.path, self.task = path, task
        self._read = 0  # bytes
        append_text(path, "")

    def new(self) -> list[Event]:
        """What was posted since the last call."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        found = []
        for line in whole.splitlines():
            with suppress(ValueError, TypeError, LookupError, UserError):  # half a line of somebody who was killed
                found.append(_decoded(self.task, json.loads(line)))
        return found


def _encoded(event: Event) -> dict[str, Any]:
    if isinstance(event, Taken):
        return {"taken": asdict(event.worker)}
    if isinstance(event, Told):
        return {"told": event.method, "arguments": [_plain(value) for value in event.arguments]}
    if isinstance(event, Ended):
        return {"ended": {str(folder): _plain(result) for folder, result in event.results.items()}}
    assert isinstance(event, Lost)
    return {"lost": event.reason}


def _plain(value: Any) -> Any:
    return {"result": value.as_dict()} if isinstance(value, Result) else value


def _decoded(task: int, said: Mapping[str, Any]) -> Event:
    if "taken" in said:
        return Taken(task, Worker(**said["taken"]))
    if "told" in said:
        return Told(task, said["told"], tuple(_restored(value) for value in said["arguments"]))
    if "ended" in said:
        return Ended(task, {Path(folder): _restored(value) for folder, value in said["ended"].items()})
    return Lost(task, said["lost"])


def _restored(value: Any) -> Any:
    return Result.read("result", value["result"]) if isinstance(value, Mapping) and "result" in value else value
