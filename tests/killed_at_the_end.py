"""Imported before a command: it is killed the moment that result.json is there."""

import os
import signal

from mlp_study.runs.record import RunRecord

plain = RunRecord.write


def write(self, result):
    plain(self, result)
    os.kill(os.getpid(), signal.SIGKILL)


RunRecord.write = write
