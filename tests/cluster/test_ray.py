"""Sweeps on a real Ray cluster, all of whose nodes are on this machine.

    make cluster-test

What a sweep leaves whose processes are killed and whose nodes go is compared, byte for byte, with what it leaves when
nobody disturbs it, in one process.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from soak.kills import WORDS, differences, left_behind

from mlp_study.engines.snapshot import SNAPSHOT, Snapshot
from mlp_study.errors import UserError
from mlp_study.execution.carry_out import carry_out
from mlp_study.execution.ray_cluster import Asked
from mlp_study.execution.ray_workers import hire
from mlp_study.files import LOCK
from mlp_study.runs.listener import Listener
from mlp_study.sweeps.words import study_runs

# Read when Ray is imported.
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "of-these-tests" * 3, "RAY_worker_niceness": "0"}
Cluster = pytest.importorskip("ray.cluster_utils").Cluster

LIMIT = 300  # seconds that a sweep may take
# Long enough for a node to go midway.
SETTINGS = [
    "model.hidden=[64]", "trainer.max_epochs=40", "callbacks.early_stopping.patience=15",
    "trainer.snapshot_seconds=0.05",
]  # fmt: skip
NODE = {"object_store_memory": 80 * 2**20}


@pytest.fixture(scope="module")
def cluster():
    """Three nodes with a processor each, and one that has none and is never removed."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **NODE})
    try:
        for _ in range(3):
            cluster.add_node(num_cpus=1, **NODE)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    sweep = Sweep(tmp_path_factory.mktemp("undisturbed"), "hydra/launcher=stacked", "hydra.launcher.workers=1")
    assert sweep.end()[0] == 0
    return sweep.study


class Sweep:
    """The command of 24 runs, in an interpreter of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.study = folder / "study"
        command = [sys.executable, "-m", "mlp_study.train", "-m", *WORDS, *SETTINGS, "hydra.sweep.dir=study", *words]
        self.process = subprocess.Popen(
            command, cwd=folder, text=True, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def training(self) -> dict[int, tuple[int, list[Path]]]:
        """The processes that hold runs' directories: who started each, and which it holds."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                links = [Path(os.readlink(link)) for link in process.glob("fd/*")]
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            held = sorted(link.parent for link in links if link.name == LOCK and link.parent.parent == self.study)
            if held and int(process.name) != self.process.pid:
                found[int(process.name)] = (parent, held)
        return found

    def begun(self, *but: Path) -> tuple[int, int, Path]:
        """A process, once it has come so far that another could go on with what it trains, and as `training`."""
        until = time.monotonic() + LIMIT
        while True:
            for pid, (parent, folders) in self.training().items():
                for folder in folders:
                    if folder not in but and can_go_on(folder):
                        return pid, parent, folder
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, out, err


def can_go_on(folder: Path) -> bool:
    """Whether a snapshot says how far training has come; the first one only says who trains together."""
    try:
        return Snapshot.read(folder / SNAPSHOT).states is not None
    except (OSError, UserError):  # not there, or no longer
        return False


def gone(sweep: Sweep, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while sweep.training() and time.monotonic() < until:
        time.sleep(0.02)
    return not sweep.training()


def on(cluster) -> tuple[str, str]:
    return "hydra/launcher=ray", f"hydra.launcher.address={cluster.address}"


def test_a_killed_process_and_a_node_that_goes_change_no_byte(tmp_path, cluster, undisturbed):
    sweep = Sweep(tmp_path, *on(cluster))
    nodes = {node.all_processes["raylet"][0].process.pid: node for node in cluster.worker_nodes}
    killed, _, folder = sweep.begun()
    os.kill(killed, signal.SIGKILL)
    lost, parent, _ = sweep.begun(folder)
    cluster.remove_node(nodes[parent], allow_graceful=False)
    cluster.add_node(num_cpus=1, **NODE)  # for the tests that follow
    code, out, err = sweep.end()
    assert code == 0, err
    lines = sorted(err.splitlines(), key=lambda line: "node" in line)
    assert len(lines) == 2, err
    assert f"(process {killed} on " in lines[0]
    assert "killed, as for want of memory; another goes on with" in lines[0]
    assert f"(process {lost} on " in lines[1]
    assert "its node is gone; another goes on with" in lines[1]
    assert "ray" not in out
    assert "by 3 workers" in out
    logs = [path.read_text() for path in sweep.study.rglob("train.log")]
    assert sum("going on after epoch" in log for log in logs) >= 2
    assert differences(sweep.study, undisturbed) == []
    assert gone(sweep, 0)


def test_an_interrupted_sweep_is_gone_on_with(tmp_path, cluster, undisturbed):
    sweep = Sweep(tmp_path, *on(cluster))
    sweep.begun()
    os.killpg(sweep.process.pid, signal.SIGINT)  # as a terminal does
    asked = time.monotonic()
    code, _, err = sweep.end()
    assert (code, err.splitlines()[-1]) == (130, "mlp_study: error: interrupted")
    assert "ray" not in err
    assert time.monotonic() - asked < 10
    assert gone(sweep, 0)
    assert set(left_behind(sweep.study)) == {SNAPSHOT}
    code, out, err = Sweep(tmp_path, *on(cluster)).end()
    assert (code, err) == (0, "")
    assert "going on with " in out
    assert differences(sweep.study, undisturbed) == []


def test_what_trains_ends_with_a_command_that_is_killed(tmp_path, cluster):
    sweep = Sweep(tmp_path, *on(cluster))
    sweep.begun()
    sweep.process.kill()
    sweep.end()
    assert gone(sweep, 10)


def test_a_cluster_of_this_machine_alone_starts_and_ends_with_the_command(tmp_path, undisturbed):
    sweep = Sweep(tmp_path, "hydra/launcher=ray")
    code, _, err = sweep.end()
    assert (code, err) == (0, "")
    assert differences(sweep.study, undisturbed) == []
    assert gone(sweep, 0)


def test_more_than_a_node_has_is_refused(tmp_path, cluster):
    sweep = Sweep(tmp_path, *on(cluster), "hydra.launcher.cpus_per_task=2")
    code, _, err = sweep.end()
    (line,) = err.splitlines()
    assert code == 2
    assert "hydra.launcher.cpus_per_task=2, gpus_per_task=0: no node of the Ray cluster has so many" in line
    assert line.endswith("expected what one has, such as 1 CPUs and 0 GPUs, 0 CPUs and 0 GPUs")


class Devices(Listener):
    """Who trains on what."""

    def __init__(self) -> None:
        self.busy: list[tuple[int, str]] = []
        self.most: list[tuple[int, str]] = []

    def taken(self, worker, names: Sequence[str]) -> None:
        self.busy.append((worker.pid, worker.device))
        self.most = max(self.most, list(self.busy), key=len)

    def freed(self, worker) -> None:
        self.busy.remove((worker.pid, worker.device))


def test_each_task_has_a_device_of_its_own_and_all_are_used_at_once(tmp_path, cluster):
    cluster.add_node(num_cpus=4, num_gpus=4, **NODE)
    seen = Devices()
    runs = study_runs([*WORDS, "trainer.max_epochs=2"], tmp_path / "study")
    results = carry_out(runs, listener=seen, workers=hire(Asked(cluster.address)))
    assert [result.status for result in results] == ["completed"] * 24
    assert sorted(device for _, device in seen.most) == ["cuda 0", "cuda 1", "cuda 2", "cuda 3"]
    assert len({pid for pid, _ in seen.most}) == 4
