"""Warm processes: each has imported what commands need, and forks a child for each, so that none imports it again.

    python warm.py SOCKET MODULE...

Run as a program, it is such a process: it listens on the socket with the file descriptor SOCKET, has a child of its own
for everyone who connects, and ends with its standard input. Imported, it is how tests talk to one.
"""

import functools
import gc
import importlib
import importlib.metadata
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

LIMIT = 170  # seconds that a command may take
# Options that many commands choose: composed before the fork.
OFTEN = (
    ["data=digits"], ["data=digits", "logger=none"], ["experiment=quick"], ["experiment=quick", "logger=none"],
    ["data=kaggle"],
)  # fmt: skip


@dataclass
class Command:
    """`python -m MODULE ARGUMENTS` in the directory `cwd`; first, `before`, a module of tests, changes something."""

    arguments: Sequence[str]
    cwd: str
    module: str = "mlp_study.train"
    before: str | None = None


@dataclass
class Outcome:
    """What a command left behind; `imported` are the packages that its process had at the end."""

    code: int
    out: str
    err: str
    imported: list[str] = field(default_factory=list)


class Warm:
    """A process that has imported `modules`, once it is first asked for a command; all processes of pytest share it."""

    def __init__(self, name: str, *modules: str) -> None:
        self.variable, self.modules = f"WARM_{name}", modules
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def open(self) -> None:
        """Start the process, unless the pytest that has started this one has done so."""
        if self.variable in os.environ:
            return
        self._folder = tempfile.TemporaryDirectory()
        os.environ[self.variable] = os.path.join(self._folder.name, "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.environ[self.variable])
            listener.listen()
            number = listener.fileno()
            command = [sys.executable, __file__, str(number), *self.modules]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[number])

    def close(self) -> None:
        """Let go of it; whoever has started it ends it, and waits until everyone has let go."""
        if self._connection is not None:
            self._answers.close()
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.communicate()
            self._process = None
            del os.environ[self.variable]
            self._folder.cleanup()

    def run(self, *commands: Command) -> list[Outcome]:
        """Run the commands at the same time, each in a fork of the process."""
        children = [self.start(command) for command in commands]
        return [self.wait(child) for child in children]

    def start(self, command: Command) -> int:
        """Start the command; returns the number of its process, for signals and for `wait`."""
        return int(self._ask({"start": asdict(command)}))

    def wait(self, child: int) -> Outcome:
        """What the command left behind, once it has ended."""
        return Outcome(**self._ask({"wait": child}))

    def _ask(self, request: dict[str, Any]) -> Any:
        if self._connection is None:
            self._connection = socket.socket(socket.AF_UNIX)
            self._connection.connect(os.environ[self.variable])
            self._answers = self._connection.makefile()
            self._group = json.loads(self._answers.readline())
        self._connection.sendall(json.dumps(request).encode() + b"\n")
        if not select.select([self._connection], [], [], LIMIT)[0]:
            os.killpg(self._group, signal.SIGKILL)
            self.close()
            raise AssertionError(f"no answer in {LIMIT} s: {request}")
        return json.loads(self._answers.readline())


def wait_for(path: Path) -> None:
    """Wait until a command has made the file."""
    deadline = time.time() + 60
    while not path.exists() and time.time() < deadline:
        time.sleep(0.02)
    assert path.exists()


def serve(listener: socket.socket, modules: Sequence[str]) -> NoReturn:
    """Fork a child for everyone who connects; the first one waits for the imports."""
    is_warm = False
    while sys.stdin not in (ready := select.select([listener, sys.stdin], [], [])[0]):
        connection, _ = listener.accept()
        if not is_warm:
            _warm_up(modules)
            is_warm = True
        if not os.fork():
            listener.close()
            os.setsid()  # a group of its own: what hangs is ended with all that it has started
            _answer(connection)
        connection.close()
    assert ready
    with suppress(ChildProcessError):
        while True:
            os.wait()
    os._exit(0)  # without taking apart all that was imported


def ask_for_entry_points_once() -> None:
    """Every Trainer of Lightning's looks through all that is installed; nothing is installed while tests run."""
    importlib.metadata.entry_points = functools.cache(importlib.metadata.entry_points)


def _warm_up(modules: Sequence[str]) -> None:
    """Import, and compose and check once what every command does."""
    ask_for_entry_points_once()
    for name in modules:
        importlib.import_module(name)
    from mlp_study.sweeps.checks import check_ready
    from mlp_study.sweeps.words import single_run

    check_ready(single_run([]).config)
    for words in OFTEN:
        single_run(words)
    # What is there by now stays: no child's garbage collector need go through it, nor copy the pages that it lies on.
    gc.collect()
    gc.freeze()


def _answer(connection: socket.socket) -> NoReturn:
    """Do as one who has connected asks."""
    questions, answers = connection.makefile("r"), connection.makefile("w")
    print(os.getpid(), file=answers, flush=True)
    homes: dict[int, Path] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, request in enumerate(map(json.loads, questions)):
            if "wait" in request:
                outcome = _outcome(request["wait"], homes.pop(request["wait"]))
                print(json.dumps(asdict(outcome)), file=answers, flush=True)
                continue
            home = Path(folder, str(number))
            home.mkdir()
            if not (child := os.fork()):
                connection.detach()
                _be(Command(**request["start"]), home)
            homes[child] = home
            print(child, file=answers, flush=True)
        # Whoever has not been waited for is not wanted any more.
        for child in homes:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    os._exit(0)


def _files(home: Path) -> tuple[Path, Path, Path]:
    """What a command leaves: its output, its errors and, if it comes to its end, the packages that it has imported."""
    return home / "out", home / "err", home / "imported"


def _outcome(child: int, home: Path) -> Outcome:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    out, err, imported = (path.read_text() if path.exists() else "" for path in _files(home))
    return Outcome(code, out, err, imported.split())


def _be(command: Command, home: Path) -> NoReturn:
    """Be the command, and end as it ends."""
    out, err, imported = _files(home)
    for number, path in enumerate((os.devnull, out, err)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, "w" if n else "r", buffering=1) for n in range(3))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # even if the tests run in the background of a shell
    os.chdir(command.cwd)
    sys.argv = [command.module, *command.arguments]
    code = 1
    try:
        if command.before is not None:
            importlib.import_module(command.before)
        runpy.run_module(command.module, run_name="__main__")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        imported.write_text(" ".join({name.partition(".")[0] for name in sys.modules}))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
