"""Ctrl-C and SIGTERM while an engine trains: the first asks for the end, which comes between two steps."""

from __future__ import annotations

import _thread
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from mlp_study.program import interrupt

PATIENCE = 8.0  # seconds for a step, an evaluation and a snapshot; then it ends as if it were interrupted once more


class Interrupts:
    """Inside a `with` block, the first Ctrl-C or SIGTERM is only noted, and the second ends what is done at once.

    Whoever trains looks at `is_asked` where it can be ended, and raises KeyboardInterrupt; if it does not come to that,
    the end of the block does. Outside the main thread, where Python lets nobody handle signals, all is as it was.

    Attributes:
        is_asked: whether it is to end.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self._earlier: dict[int, Any] = {}
        self._is_over = threading.Event()
        self._is_over.set()

    def __enter__(self) -> Self:
        self._is_over.clear()
        self.take()
        return self

    def take(self) -> None:
        """Handle the signals, also where somebody else does so by now; outside the block nothing."""
        if self._is_over.is_set() or threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            found = signal.getsignal(number)
            is_background = number == signal.SIGINT and found is signal.SIG_IGN  # of a shell: Ctrl-C is for others
            if found is not None and not is_background:  # None is not Python's, and could not be put back
                self._earlier.setdefault(number, found)
                signal.signal(number, self._ask)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        for number, handler in self._earlier.items():
            signal.signal(number, handler)
        if self.is_asked and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:
        # Nothing here may wait for anybody: it comes between any two instructions.
        if self.is_asked:
            interrupt(number, frame)
        else:
            self.is_asked = True
            _thread.start_new_thread(self._insist, (signal.Signals(number),))

    def _insist(self, number: signal.Signals) -> None:
        if not self._is_over.wait(PATIENCE):
            _thread.interrupt_main(number)
