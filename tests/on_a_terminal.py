"""Imported before a command: its output is a terminal of ./columns columns, and ./shown is all that is written to it.

Its workers, if any, are those of `forked_workers`.
"""

import fcntl
import os
import struct
import termios
import threading
from pathlib import Path

import forked_workers  # noqa: F401

leader, terminal = os.openpty()
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, int(Path("columns").read_text()), 0, 0))
os.environ["TERM"] = "xterm-256color"
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)
for number in (1, 2):
    os.dup2(terminal, number)


def keep() -> None:
    with Path("shown").open("ab", buffering=0) as file:
        while True:
            file.write(os.read(leader, 2**16))


threading.Thread(target=keep, daemon=True).start()
