"""Imported before a command: it is killed when its runs have finished so many epochs together, as ./kill_after says."""

import os
import signal
from pathlib import Path

from mlp_study.engines.writer import RunWriter

left = [int(Path("kill_after").read_text())]
plain = RunWriter.epoch


def epoch(self, row, histograms):
    number = plain(self, row, histograms)
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


RunWriter.epoch = epoch
