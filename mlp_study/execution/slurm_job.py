"""What Slurm's job does: train one task, post what happens, and save it and be requeued when its time is up.

submitit starts it, having set handlers of its own: for SIGTERM one that ignores it, for SIGUSR2, which comes before the
time is up, one that calls `checkpoint` and requeues the job. Here either is the engines' interrupt first, upon which
they save where they have come to. SIGTERM is what Slurm says before it kills: it is preempted and requeued by Slurm,
cancelled, or requeued by hand.
"""

from __future__ import annotations

import _thread
import os
import signal
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mlp_study.errors import INTERRUPTED_EXIT_CODE
from mlp_study.execution.mail import post
from mlp_study.execution.messages import Outbox, Telling, carried_out
from mlp_study.execution.task import Task
from mlp_study.execution.workers import Lost, Taken
from mlp_study.machine import device_names
from mlp_study.runs.listener import Worker

PATIENCE = 120.0  # seconds for the locks of a node that is gone: a file server may hold them for a minute and a half
SIGNALS = (signal.SIGTERM, signal.SIGUSR2)


@dataclass(frozen=True)
class SlurmJob:
    """A task, pickled and called by submitit.

    Attributes:
        number: that the task was submitted with.
        task: to be trained.
        mail: the file that is posted to.
    """

    number: int
    task: Task
    mail: Path

    def __call__(self) -> None:
        """Train the task, or what is left of it."""
        requeue: Any = signal.getsignal(signal.SIGUSR2)
        asked = Asked()
        try:
            with Outbox(partial(post, self.mail)) as outbox:
                outbox.put(Taken(self.number, _worker(self.task)))
                import mlp_study.execution.train_task  # noqa: F401  before it can be interrupted

                asked.listen()
                outbox.put(carried_out(self.task, _Telling(self.number, outbox, asked), PATIENCE))
        except KeyboardInterrupt:
            if asked.signal == signal.SIGUSR2:
                self._requeue(requeue)
            os._exit(INTERRUPTED_EXIT_CODE)  # with torch, Python takes a second or more to take itself down

    def checkpoint(self) -> Any:
        """What submitit is to call when the job begins again: itself."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _requeue(self, handler: Any) -> None:
        """Let submitit do it, which counts the times; where it does not, the task is lost."""
        try:
            with suppress(SystemExit):
                handler(signal.SIGUSR2, None)
        except Exception as error:
            post(self.mail, Lost(self.number, str(error)))


class Asked:
    """Waits for SIGTERM or SIGUSR2 in a thread, and interrupts the main thread.

    Once: srun and slurmd may both deliver a signal, and to the engines a second one means that nothing is to be saved.

    Attributes:
        signal: that came first.
    """

    def __init__(self) -> None:
        # Threads that are started from now on leave the signals to that one, too; torch's, say.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self.signal: int | None = None
        self._listens = threading.Event()
        threading.Thread(target=self._wait, daemon=True).start()

    def listen(self) -> None:
        """From now on, the main thread can be interrupted; an import would not survive it."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        self._listens.set()

    def _wait(self) -> None:
        self.signal = signal.sigwait(SIGNALS)
        if self.signal == signal.SIGTERM and not self._listens.is_set():
            os._exit(INTERRUPTED_EXIT_CODE)  # nothing has begun
        self._listens.wait()
        _thread.interrupt_main(signal.SIGTERM)


class _Telling(Telling):
    """Is not to say that a signal came: who looks at the sweep did not send it, and it goes on."""

    def __init__(self, task: int, outbox: Outbox, asked: Asked) -> None:
        super().__init__(task, outbox)
        self._asked = asked

    def remarked(self, line: str) -> None:
        """Say it, but for the end."""
        if self._asked.signal is None:
            super().remarked(line)


def _worker(task: Task) -> Worker:
    """This process, as a person would look for it."""
    job, element = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    name = f"job {os.environ['SLURM_JOB_ID'] if job is None else f'{job}_{element}'}"
    host = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
    devices = device_names(task.runs[0].config.trainer.accelerator)
    return Worker(name, host, os.getpid(), f"cuda {devices[0]}" if devices else "cpu")
