"""What a person sees in a terminal while something is trained."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

from mlp_study.execution.messages import Telling
from mlp_study.runs.listener import Listener


def seen(columns, words, cwd):
    """What `mlp train WORDS` writes to a terminal of so many columns, piece by piece."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "TTY_COMPATIBLE")}
    command = [sys.executable, "-m", "mlp_study.train", *words]
    process = subprocess.Popen(
        command, cwd=cwd, stdin=slave, stdout=slave, stderr=slave, env={**environment, "TERM": "xterm"}
    )
    os.close(slave)
    pieces = []
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # everybody has closed it
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(master)
    assert process.wait(timeout=60) == 0, b"".join(pieces).decode()
    return b"".join(pieces).decode()


def test_first_a_word_then_a_bar_of_one_line_with_loss_and_best_accuracy(tmp_path):
    words = ["-m", "data=digits", "optim=sgd,adam", "trainer.max_epochs=60", "hydra.sweep.dir=study", "logger=none"]
    text = seen(80, words, tmp_path)
    assert text.startswith("starting\r")
    pieces = re.split(r"[\r\n]|\x1b\[[0-9;?]*[A-HJKf]", text)  # where the cursor goes elsewhere
    plain = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", piece) for piece in pieces]
    bars = [line for line in plain if re.search(r"epoch \d+\.\d/\d+", line)]
    assert any("loading torch and the images" in bar for bar in bars)
    assert any(re.search(r"loss \d\S*, best val_acc 0\.\d{4}", bar) for bar in bars), bars[-3:]
    assert max(map(len, bars)) <= 80


def test_a_worker_tells_of_the_best_epoch_so_far_and_of_no_other():
    told = []

    class Sink:
        def put(self, event):
            told.append((event.method, event.arguments))

    telling = Telling(0, Sink())
    for name, accuracy in (("a", 0.5), ("b", 0.7), ("a", 0.6)):
        telling.epoch(name, {"train_loss": 1.0, "val_acc": accuracy, "grad_norm/dense_1": 2.0})
    telling.flush()
    telling.flush()
    assert [event for event in told if event[0] == "epoch"] == [("epoch", ("b", {"train_loss": 1.0, "val_acc": 0.7}))]
    assert isinstance(telling, Listener)
