"""How many threads of the processor a step gets, as long as its result does not depend on it.

Where others keep the cores busy, the threads of a step wait for one another: a second one then makes it ten times
slower instead of faster. What holds at the moment is measured while training goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

WINDOW = 0.05  # seconds that are compared with as many of the other number
BETWEEN = (1.0, 5.0)  # seconds between two trials of the other number: at least, at most
SHARE = 0.02  # of the time may be lost by trials, as long as the most of these seconds are not over
GAIN = 0.95  # of the time per step is little enough to change


class Threads:
    """Changes between one thread and `most`, told of every step.

    Args:
        most: threads that a step deserves on a quiet machine.
        changes: whether the results leave it free to change.
        clock: seconds.
        use: sets the number of threads.

    Attributes:
        number: of threads that is thought to be the better one.
    """

    def __init__(
        self,
        most: int,
        changes: bool = True,
        clock: Callable[[], float] = time.perf_counter,
        use: Callable[[int], None] = torch.set_num_threads,
    ) -> None:
        self.number, self._other = most, 1 if changes else most
        self._clock, self._use = clock, use
        self._is_trial = False
        self._usual = 0.0  # seconds per step with `number`
        self._began, self._steps = clock(), 0
        self._next_trial = self._began + BETWEEN[0]
        use(most)

    def stepped(self) -> None:
        """A step is over."""
        if self.number == self._other:
            return
        self._steps += 1
        now = self._clock()
        if now - self._began < WINDOW:
            return
        each = (now - self._began) / self._steps
        if self._is_trial:
            self._judge(each, now)
        else:
            self._usual = each
            self._is_trial = now >= self._next_trial
            if self._is_trial:
                self._use(self._other)
        self._began, self._steps = now, 0

    def pause(self) -> None:
        """What was no step (validation, a snapshot) is over: do not count it."""
        self._began, self._steps = self._clock(), 0

    def _judge(self, each: float, now: float) -> None:
        """The trial took so many seconds for a step."""
        lost = max(0.0, each - self._usual) * self._steps
        if each < GAIN * self._usual:
            self.number, self._other = self._other, self.number
            self._usual = each
        self._use(self.number)
        self._is_trial = False
        self._next_trial = now + min(max(lost / SHARE, BETWEEN[0]), BETWEEN[1])
