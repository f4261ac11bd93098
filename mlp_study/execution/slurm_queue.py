"""Slurm's queue: the jobs of one sweep, which have a name of their own.

squeue and scontrol know a job for some minutes after its end. What knows it for longer, sacct, not every cluster has,
and without it submitit does not see that a job is gone.
"""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

from mlp_study.errors import UserError
from mlp_study.execution.local_workers import ending
from mlp_study.files import make_folder, write_text
from mlp_study.reading import text
from mlp_study.runs.listener import Listener
from mlp_study.runs.run import JOBS

OVER = (
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
    "TIMEOUT",
)  # fmt: skip
NAME = "job_name"  # the file in a study's folder of jobs
LAST_SECONDS = 60.0  # for jobs of an earlier command to save what they train and end
ANSWER_SECONDS = 20.0  # for Slurm's commands


class SlurmQueue:
    """The jobs of one name."""

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def of(cls, folder: Path) -> Self:
        """One with a new name, which stands in `folder`, made here, for whoever comes later."""
        name = f"mlp-{secrets.token_hex(4)}"
        write_text(make_folder(folder) / NAME, f"{name}\n")
        return cls(name)

    def states(self) -> dict[str, str] | None:
        """The state of each job that is known, by its number, an array's element as 17_3; None where nobody answers."""
        said = _ask("squeue", "--noheader", "--array", "--states=all", f"--name={self.name}", "--format=%i %T")
        return None if said is None else dict(line.split(maxsplit=1) for line in said.splitlines() if " " in line)

    def num_left(self, *over: str) -> int | None:
        """How many are there that have not ended, nor are in the states `over`; None where nobody answers."""
        states = self.states()
        return None if states is None else sum(state not in OVER + over for state in states.values())

    def reason(self, job: str) -> str:
        """How a job ended, in words."""
        found = dict(re.findall(r"(\w+)=(\S+)", _ask("scontrol", "show", "job", "--oneliner", job) or ""))
        state, code = found.get("JobState"), found.get("ExitCode")
        if state is None:
            said = _ask("sacct", "-nXP", "--format=State,ExitCode", f"--jobs={job}") or ""
            state, _, code = said.strip().partition("|")
        if not state:
            return "gone, and Slurm does not know how"
        # STATUS:SIGNAL of the script, whose status is 128 + SIGNAL where a signal has ended our process.
        status, _, number = (code or "0:0").partition(":")
        signal = int(number or 0) or max(0, int(status) - 128)
        if state != "FAILED" or status == number == "0":
            return state
        return f"{state}, {ending(-signal if signal else int(status))}"

    def cancel(self) -> None:
        """Have all of them end: the waiting at once, the others with SIGTERM and, a while later, SIGKILL."""
        _ask("scancel", f"--name={self.name}")

    def wait(self, seconds: float, *over: str) -> bool:
        """Wait until none is left, see `num_left`; returns whether that is so."""
        until = time.monotonic() + seconds
        while self.num_left(*over) != 0:
            if time.monotonic() > until:
                return False
            time.sleep(0.3)
        return True


def end_earlier_jobs(study: Path, listener: Listener) -> None:
    """End the jobs of a command that was killed; where they have come to is saved. The study is claimed.

    Raises:
        UserError: that cannot be done from here, or they do not end.
    """
    folder = study / JOBS
    if not folder.is_dir():
        return
    if (folder / NAME).exists():
        queue = SlurmQueue(text(folder / NAME, "damaged").strip())
        num_left = queue.num_left()
        if num_left is None:
            raise UserError(
                f"{study}: jobs of Slurm's that an earlier command has left may train there, and squeue does not "
                f"answer; where it does, end them with scancel --name={queue.name}, or else remove {folder}"
            )
        if num_left:
            listener.remarked(f"jobs of an earlier command are ended first: {num_left} of {queue.name}")
            queue.cancel()
            if not queue.wait(LAST_SECONDS):
                raise UserError(f"{study}: jobs of an earlier command still train there; squeue --name={queue.name}")
    shutil.rmtree(folder, ignore_errors=True)


def _ask(*command: str) -> str | None:
    """What a command of Slurm's prints; None where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
