"""A Ray cluster: what is asked of it, how it is reached, what room it has. Ray is imported when it is used.

Ray is quiet here: what it logs is in its own files, /tmp/ray/session_latest/logs, and no line of it reaches the
terminal, which has a bar.
"""

from __future__ import annotations

import atexit
import importlib
import math
import os
import re
import secrets
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlp_study
from mlp_study.errors import INTERRUPTED_EXIT_CODE, UserError
from mlp_study.machine import device_names, num_cores

SECONDS = 5.0  # for an address to answer
STORE = 100 * 2**20  # bytes of shared memory of a local cluster, which sends little
# Read when Ray is imported; whoever has set one of them means it.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_worker_niceness": "0"}
# So that what answers, but is no cluster, is waited for a quarter of a minute and not ten.
EXISTING = {"RAY_py_gcs_connect_timeout_s": "5", "RAY_NUM_REDIS_GET_RETRIES": "1"}


@dataclass(frozen=True)
class Asked:
    """What is asked of a cluster, as typed.

    Attributes:
        address: None for one of this machine alone, "auto" or HOST:PORT.
        workers: tasks at the same time; "auto" for as many as there is room for.
        cpus: of each task.
        gpus: of each task; None for one where the cluster has any.
    """

    address: str | None = None
    workers: Any = "auto"
    cpus: Any = 1
    gpus: Any = None

    def check(self) -> None:
        """See that Ray is installed, and that these are settings.

        Raises:
            UserError: it is not, or they are not.
        """
        if self.address not in (None, "auto") and not re.fullmatch(r"[^\s:/]+:\d{1,5}", str(self.address)):
            raise UserError(f"hydra.launcher.address={self.address}: expected null, auto or HOST:PORT")
        if type(self.cpus) is not int or self.cpus < 1:
            raise UserError(f"hydra.launcher.cpus_per_task={self.cpus}: expected a whole number >= 1")
        if self.gpus is not None and (type(self.gpus) not in (int, float) or not 0 <= self.gpus <= 1):
            raise UserError(f"hydra.launcher.gpus_per_task={self.gpus}: expected null or a number from 0 to 1")
        import_ray(self.address is None)


@dataclass(frozen=True)
class Room:
    """What a cluster has room for.

    Attributes:
        num: tasks at the same time.
        memory: bytes for each.
        gpus: CUDA devices of each.
        nodes: the names of the nodes that have it, by their address.
    """

    num: int
    memory: float
    gpus: float
    nodes: dict[str, str]


def import_ray(is_local: bool) -> Any:
    """The module `ray`.

    Raises:
        UserError: it is not installed.
    """
    if is_local and "RAY_AUTH_MODE" not in os.environ:
        # Whoever could talk to the cluster could run code as this user. The token is nowhere else, in no file.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    settings = SETTINGS if is_local else SETTINGS | EXISTING
    os.environ |= {key: value for key, value in settings.items() if key not in os.environ}
    try:
        importlib.import_module("ray.exceptions")  # a directory called "ray" has none
    except ImportError:
        raise UserError("hydra/launcher=ray: needs Ray; pip install 'mlp_study[ray]'") from None
    return importlib.import_module("ray")


def connect(address: str | None, accelerator: str) -> Any:
    """Reach a cluster, or start one; returns the module `ray`.

    Raises:
        UserError: nobody answers there, or no cluster that this process could use.
    """
    ray = import_ray(address is None)
    # Even if it is not to log into the terminal, it prints lines of its nodes there.
    vars(importlib.import_module("ray._private.worker"))["_worker_logs_enabled"] = False
    own: dict[str, Any] = {"address": address or "local"}
    if address is None:
        own |= {"num_cpus": num_cores(), "num_gpus": len(device_names(accelerator)), "object_store_memory": STORE}
        own |= {"include_dashboard": False}
    elif address != "auto":
        host, _, port = address.partition(":")
        try:
            socket.create_connection((host, int(port)), SECONDS).close()
        except (OSError, OverflowError) as error:
            said = getattr(error, "strerror", None) or error
            raise UserError(f"hydra.launcher.address={address}: does not answer ({said})") from None
    code = [str(Path(mlp_study.__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, code))}}
    try:
        with _quiet(), _own_signals():
            ray.init(**own, runtime_env=environment, log_to_driver=False, logging_level="critical")
    except BaseException as error:
        let_go(ray)
        if isinstance(error, (KeyboardInterrupt, SystemExit)):  # what Ray makes of SIGTERM
            # Torn from its start, Ray would crash while the process ends.
            atexit.register(os._exit, INTERRUPTED_EXIT_CODE)
            raise KeyboardInterrupt from None
        if not isinstance(error, (OSError, RuntimeError, ValueError, ray.exceptions.RayError)):
            raise
        where = "hydra/launcher=ray" if address is None else f"hydra.launcher.address={address}"
        is_none = address == "auto" and isinstance(error, ConnectionError)
        said = "this machine is a node of no Ray cluster that runs" if is_none else one_line(error)
        raise UserError(f"{where}: {said}") from None
    return ray


def let_go(ray: Any) -> None:
    """Leave a cluster; one that was started here ends, with all that train there."""
    psutil = importlib.import_module("psutil")  # Ray has its own
    nodes = [child for child in psutil.Process().children() if child.name() == "raylet"]
    started = [process for node in nodes for process in node.children(recursive=True)]
    ray.shutdown()
    for process in started:  # a node that is slow to end is killed, and its children would take half a minute to see it
        with suppress(psutil.NoSuchProcess):
            process.kill()


def see_room(nodes: list[dict[str, Any]], asked: Asked, accelerator: str) -> Room:
    """What the cluster has room for; Ray would wait for ever for a node that has what none has.

    Args:
        nodes: as Ray lists them.
        asked: of it.
        accelerator: auto, cpu or cuda.

    Raises:
        UserError: a task fits on no node.
    """
    alive = [(node, node["Resources"]) for node in nodes if node["Alive"]]
    gpus = asked.gpus
    if gpus is None:
        gpus = int(accelerator != "cpu" and any(has.get("GPU", 0) >= 1 for _, has in alive))
    room = {id(node): _tasks(has, asked.cpus, gpus) for node, has in alive}
    fit = [(node, has) for node, has in alive if room[id(node)]]
    if not fit:
        best = sorted({(int(has.get("GPU", 0)), int(has.get("CPU", 0))) for _, has in alive}, reverse=True)[:3]
        theirs = ", ".join(f"{num_cpus} CPUs and {num_gpus} GPUs" for num_gpus, num_cpus in best)
        raise UserError(
            f"hydra.launcher.cpus_per_task={asked.cpus}, gpus_per_task={gpus}: no node of the Ray cluster has so many; "
            f"expected what one has, such as {theirs}"
        )
    memory = min(0.5 * has.get("memory", math.inf) / room[id(node)] for node, has in fit)
    return Room(sum(room.values()), memory, gpus, {node["NodeID"]: node["NodeManagerHostname"] for node, _ in fit})


def _tasks(has: dict[str, float], cpus: int, gpus: float) -> int:
    """How many tasks a node with these resources has room for."""
    num = has.get("CPU", 0) // cpus
    return int(min(num, has.get("GPU", 0) // gpus) if gpus else num)


def one_line(error: BaseException) -> str:
    """What an error says, short."""
    said = " ".join(re.sub(r"\x1b\[\d*m", "", str(error)).split()) or type(error).__name__
    return said if len(said) < 300 else said[:300] + " ..."


@contextmanager
def _quiet() -> Iterator[None]:
    """Let nothing be printed, by compiled code either."""
    kept = [os.dup(number) for number in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in (1, 2):
            os.dup2(nowhere, number)
        yield
    finally:
        for number, before in enumerate(kept, start=1):
            os.dup2(before, number)
            os.close(before)
        os.close(nowhere)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handlers of signals as they are: Ray sets its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                with suppress(TypeError):  # one that Python does not know
                    signal.signal(number, handler)
