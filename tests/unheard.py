"""Imported before a command: nobody reads what it prints, a closed pipe on one side, a terminal that hung up on the
other; and then the hangup itself."""

import os
import signal

read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
leader, terminal = os.openpty()
os.dup2(terminal, 2)
os.close(terminal)
os.close(leader)
signal.setitimer(signal.ITIMER_REAL, 0.1)
signal.signal(signal.SIGALRM, lambda number, frame: os.kill(os.getpid(), signal.SIGHUP))
