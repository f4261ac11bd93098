"""Jobs of Slurm, submitted through submitit: a task is an element of a job array.

A job and this process share the file system: the directory of the study has a hidden folder, with what submitit writes,
and for each task a file to which its job posts what happens (`mlp_study.execution.mail`). A job whose time is up, or
that is preempted, is requeued and goes on; one that ends without a last word is lost.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

from mlp_study.errors import RunsFailed, UserError
from mlp_study.execution.cost import seconds
from mlp_study.execution.mail import Mailbox
from mlp_study.execution.slurm_job import SlurmJob
from mlp_study.execution.slurm_queue import OVER, SlurmQueue
from mlp_study.execution.slurm_settings import SlurmSettings
from mlp_study.execution.slurm_submission import Refused, submit_array
from mlp_study.execution.task import Task
from mlp_study.execution.workers import Ended, Event, Lost, Taken, Told
from mlp_study.reading import GIB
from mlp_study.runs.run import JOBS, Run

LOOK_SECONDS = 10.0  # between two looks into the queue; a job is lost that is over in two of them
END_SECONDS = 9.0  # for jobs to save what they train and end
WORK_SECONDS = 60.0  # for which a job is worth its start
LARGEST_ARRAY = 1000  # what Slurm takes, unless a cluster says otherwise
MOST_REFUSALS, REFUSED_SECONDS = 10, 60.0  # by sbatch, once it has accepted something; between two of them


def hire(settings: SlurmSettings, study: Path) -> Callable[[Sequence[Run]], SlurmWorkers]:
    """What gives the jobs that train some runs of the study in the directory `study`, which is claimed."""

    def workers(runs: Sequence[Run]) -> SlurmWorkers:
        num = min(settings.array_parallelism, max(1, int(sum(map(seconds, runs)) / WORK_SECONDS)))
        return SlurmWorkers(settings, study, runs[0].config.trainer.accelerator, num)

    return workers


@dataclass
class _Submitted:
    """A task that Slurm has.

    Attributes:
        job: its number, of an array's element as 17_3.
        log: what it has printed.
        mailbox: where it is told of.
        is_taken: whether it has begun, once at least.
        epochs: that are told of, less those of runs that have ended since.
        looks: at the queue since it is over.
    """

    task: Task
    job: str
    log: Path
    mailbox: Mailbox
    is_taken: bool = False
    epochs: float = 0.0
    looks: int = 0


class SlurmWorkers:
    """The jobs of a sweep.

    Args:
        settings: what is asked of Slurm.
        study: the directory of the study, which is claimed.
        accelerator: auto, cpu or cuda.
        num: a hint for how many tasks to make of the runs.
    """

    def __init__(self, settings: SlurmSettings, study: Path, accelerator: str, num: int) -> None:
        self.num, self.memory = num, 0.5 * settings.mem_gb * GIB
        self._settings, self._folder, self._accelerator = settings, study / JOBS, accelerator
        self._queue: SlurmQueue | None = None
        self._waiting: list[tuple[int, Task]] = []
        self._submitted: dict[int, _Submitted] = {}
        self._is_accepted, self._refusals = False, 0
        self._next_try = self._next_look = 0.0

    def submit(self, number: int, task: Task) -> None:
        """Have a task carried out."""
        self._waiting.append((number, task))

    def events(self, seconds: float) -> Sequence[Event]:
        """What has happened."""
        found = self._submit() or self._read()
        if not found:
            time.sleep(seconds)
            found = self._read()
        if time.monotonic() > self._next_look:
            found += self._look()
            self._next_look = time.monotonic() + LOOK_SECONDS
        return found

    def _submit(self) -> list[Event]:
        """Submit what waits. If sbatch refuses, it may be for a while only, unless it never accepted anything."""
        if not self._waiting or time.monotonic() < self._next_try:
            return []
        try:
            while self._waiting:
                chunk = list(islice(self._waiting, LARGEST_ARRAY))
                self._submit_array(chunk)
                del self._waiting[: len(chunk)]
                self._is_accepted, self._refusals = True, 0
        except Refused as error:
            self._refusals += 1
            if not self._is_accepted:
                raise UserError(str(error)) from None
            if self._refusals == MOST_REFUSALS:
                raise RunsFailed(str(error)) from None
            self._next_try = time.monotonic() + REFUSED_SECONDS
            return [Told(self._waiting[0][0], "remarked", (f"{error}; once more in {REFUSED_SECONDS:.0f} s",))]
        return []

    def _submit_array(self, tasks: Sequence[tuple[int, Task]]) -> None:
        if self._queue is None:
            self._queue = SlurmQueue.of(self._folder)
        boxes = [Mailbox(self._folder / f"{number}.jsonl", number) for number, _ in tasks]
        jobs = submit_array(
            [SlurmJob(number, task, box.path) for (number, task), box in zip(tasks, boxes, strict=True)],
            self._folder,
            self._queue.name,
            self._settings,
            self._accelerator,
        )
        for (number, task), job, box in zip(tasks, jobs, boxes, strict=True):
            self._submitted[number] = _Submitted(task, job.job_id, job.paths.stderr, box)
        self._next_look = time.monotonic() + LOOK_SECONDS

    def _read(self) -> list[Event]:
        """What the jobs have posted."""
        found: list[Event] = []
        for number, each in list(self._submitted.items()):
            for event in each.mailbox.new():
                found += self._heard(each, event)
                if isinstance(event, (Ended, Lost)):
                    del self._submitted[number]
                    break
        return found

    def _heard(self, each: _Submitted, event: Event) -> list[Event]:
        """An event, and what follows from it."""
        if isinstance(event, Taken):
            # Requeued, it tells once more of the epochs of runs that have not ended.
            again, each.epochs = each.epochs, 0.0
            each.is_taken = True
            return [Told(event.task, "advanced", (-again, 0)), event] if again else [event]
        if isinstance(event, Told) and event.method == "advanced":
            each.epochs += event.arguments[0]
        elif isinstance(event, Told) and event.method == "ended":
            run = next(run for run in each.task.runs if run.name == event.arguments[0])
            each.epochs -= run.config.trainer.max_epochs
        return [event]

    def _look(self) -> list[Event]:
        """See whose job has ended without a last word."""
        states = self._queue.states() if self._queue is not None and self._submitted else None
        if states is None:
            return []
        found = self._read()  # later than the states
        for number, each in list(self._submitted.items()):
            each.looks = each.looks + 1 if states.get(each.job, OVER[0]) in OVER else 0
            if each.looks == 2:
                del self._submitted[number]
                found.append(Lost(number, self._reason(each)))
        return found

    def _reason(self, each: _Submitted) -> str:
        """How a job has ended.

        Raises:
            RunsFailed: it could not even begin, and so none will.
        """
        assert self._queue is not None
        reason = self._queue.reason(each.job)
        if each.is_taken:
            return reason
        if reason.startswith("FAILED"):
            said = [line for line in _lines(each.log) if not line.startswith(("srun:", "slurmstepd:", "submitit "))]
            raise RunsFailed(f"job {each.job} did not begin to train: {reason}: {' '.join(said[-1:])}")
        return f"job {each.job}: {reason}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        """See all jobs end."""
        if self._queue is None:
            return
        # After the last word of a job that was not cancelled, COMPLETING is what the cluster does behind it.
        is_over = kind is None and self._queue.wait(END_SECONDS, "COMPLETING")
        if not is_over:
            self._queue.cancel()
            is_over = self._queue.wait(END_SECONDS)
        if is_over:  # otherwise the next command sees to it
            shutil.rmtree(self._folder, ignore_errors=True)


def _lines(path: Path) -> list[str]:
    """Of a log; none where there is none."""
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
