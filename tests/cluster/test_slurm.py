"""Sweeps through a toy Slurm of three nodes on this machine: `make cluster-test`, which installs what it needs.

Whatever becomes of jobs, and of the command itself, the bytes are those of a sweep in one process.
"""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from soak.kills import WORDS, differences, files

MISSING = [name for name in ("slurmctld", "slurmd", "sbatch", "munged") if shutil.which(name) is None]
MISSING += [] if importlib.util.find_spec("submitit") else ["submitit"]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
HERE = Path(__file__).parent / "slurm"
# Four stacks of six, however many train at the same time: sums may differ by a last bit with other neighbours.
SWEEP = [
    "-m", *WORDS, "trainer.max_epochs=300", "callbacks.early_stopping.patience=90", "hydra.launcher.max_members=6",
    "hydra.sweep.dir=study",
]  # fmt: skip
SLURM = ["hydra/launcher=slurm", "hydra.launcher.array_parallelism=3", "hydra.launcher.mem_gb=1"]
LONGEST = 300.0  # seconds that a sweep may take


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm") / "toy"
    subprocess.run([HERE / "up.sh", folder], check=True, timeout=60)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        yield
    subprocess.run([HERE / "down.sh", folder], check=True, timeout=60)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    process = start(folder, "hydra.launcher.workers=1")
    assert process.wait(LONGEST) == 0
    return folder / "study"


def start(folder, *words):
    """The sweep, in `folder`, by the command line; what it says goes to ./out and ./err."""
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        command = [sys.executable, "-m", "mlp_study.train", *SWEEP, *words]
        return subprocess.Popen(command, cwd=folder, stdout=out, stderr=err)


def errors(folder):
    return (folder / "err").read_text().splitlines()


def training(folder, least, process):
    """The processes that train and have come to something, by their tasks' numbers, once there are `least`."""
    until, found = time.monotonic() + 90, {}
    while len(found) < least:
        assert process.poll() is None, errors(folder)
        assert time.monotonic() < until, errors(folder)
        time.sleep(0.1)
        found = {}
        for path in (folder / "study" / ".slurm").glob("*.jsonl"):
            for line in filter(None, path.read_text().split("\n")[:-1]):
                said = json.loads(line)
                if "taken" in said:
                    worker = said["taken"]
                elif said.get("told") == "advanced" and said["arguments"][0] > 0:
                    found[int(path.stem)] = worker
                if "ended" in said:
                    found.pop(int(path.stem), None)
    return found


def name_of_jobs(folder):
    path = folder / "study" / ".slurm" / "job_name"
    return path.read_text().strip() if path.exists() else None


def queue():
    done = subprocess.run(["squeue", "-h", "-r", "-o", "%i %T"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def left(folder):
    """What should not be there after the end: jobs, processes, the hidden folder, locks."""
    found = [*queue(), *map(str, (folder / "study").rglob(".lock")), *map(str, (folder / "study").glob(".slurm"))]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder) in path.read_text():
                found.append(path.read_text())
        except OSError:
            pass
    return found


def num_going_on(folder):
    """How many runs were gone on with: at first, snapshots are saved by who is told of the end, and not otherwise."""
    logs = [path.read_text() for path in (folder / "study").glob("*/train.log")]
    return sum("going on after epoch" in log for log in logs)


def slurm(*command):
    subprocess.run(command, check=True)


def number_of(worker):
    return worker["name"].removeprefix("job ")


def test_a_requeued_a_killed_and_a_timed_out_job_leave_the_bytes_of_an_undisturbed_sweep(
    cluster, tmp_path, undisturbed
):
    process = start(tmp_path, *SLURM)
    workers = training(tmp_path, 3, process)
    assert {worker["host"] for worker in workers.values()} == {"n1", "n2", "n3"}
    requeued, killed, timed_out = list(workers.values())[:3]
    slurm("scontrol", "requeue", number_of(requeued))
    os.kill(killed["pid"], signal.SIGKILL)
    slurm("scancel", "--signal=USR2", number_of(timed_out))  # as Slurm itself says it before the time is up
    assert process.wait(LONGEST) == 0, errors(tmp_path)
    (line,) = errors(tmp_path)
    assert line.startswith(f"{killed['name']} (process {killed['pid']} on {killed['host']}): FAILED, killed by SIGKILL")
    assert "another goes on with" in line
    assert differences(tmp_path / "study", undisturbed) == []
    assert len(files(tmp_path / "study")) == len(files(undisturbed)) >= 24 * 5
    assert num_going_on(tmp_path) > 6  # those of the requeued and of the timed-out one, which had time to save them
    assert left(tmp_path) == []


def test_the_same_command_goes_on_after_a_kill_and_after_an_interrupt(cluster, tmp_path, undisturbed):
    first = start(tmp_path, *SLURM)
    training(tmp_path, 2, first)
    first.kill()
    first.wait()
    earlier = name_of_jobs(tmp_path)
    assert queue()  # they go on
    second = start(tmp_path, *SLURM)
    until = time.monotonic() + 90
    while name_of_jobs(tmp_path) in (None, earlier):
        assert second.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)
    (line,) = errors(tmp_path)
    assert line.startswith("jobs of an earlier command are ended first: ")
    assert line.endswith(f" of {earlier}")
    training(tmp_path, 1, second)
    interrupted = time.monotonic()
    second.send_signal(signal.SIGINT)
    assert second.wait(60) == 130
    assert time.monotonic() - interrupted < 11
    assert errors(tmp_path)[-1].startswith("mlp_study: error: interrupted")
    assert left(tmp_path) == []
    assert start(tmp_path, *SLURM).wait(LONGEST) == 0, errors(tmp_path)
    assert errors(tmp_path) == []
    assert num_going_on(tmp_path) > 6
    assert differences(tmp_path / "study", undisturbed) == []
    assert left(tmp_path) == []


def test_what_sbatch_refuses_is_one_line(cluster, tmp_path):
    process = start(tmp_path, *SLURM, "hydra.launcher.partition=nowhere")
    assert process.wait(60) == 2
    (line,) = errors(tmp_path)
    assert line.startswith("mlp_study: error: sbatch: invalid partition specified: nowhere")
    assert left(tmp_path) == []


def test_jobs_that_cannot_begin_end_the_sweep(cluster, tmp_path):
    process = start(tmp_path, *SLURM, "hydra.launcher.setup=['echo no module of ours >&2','exit 3']")
    assert process.wait(90) == 1
    (line,) = errors(tmp_path)
    assert "did not begin to train: FAILED, ended with exit code 3: no module of ours" in line
    assert left(tmp_path) == []
