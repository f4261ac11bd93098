"""hydra/launcher=slurm, as far as it takes neither submitit nor Slurm: tests/cluster/ has the rest."""

import pytest
from conftest import WITH_TORCH, WITHOUT_TORCH
from warm import Command

from mlp_study.execution.mail import Mailbox, post
from mlp_study.execution.slurm_queue import SlurmQueue
from mlp_study.execution.workers import Ended, Lost, Taken, Told
from mlp_study.files import append_text
from mlp_study.runs.listener import Worker
from mlp_study.runs.result import read_result

SWEEP = ["-m", "seed=0,1", "data=digits", "trainer.max_epochs=1", "logger=none", "hydra.sweep.dir=study"]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("submitit", "hydra/launcher=slurm: needs submitit: pip install 'mlp_study[slurm]'"),
        ("sbatch", "hydra/launcher=slurm: no sbatch on PATH; expected a machine that submits to Slurm"),
    ],
)
def test_what_is_not_installed_is_named_before_anything_starts(tmp_path, missing, said):
    (tmp_path / "missing").write_text(missing)
    command = Command([*SWEEP, "hydra/launcher=slurm"], str(tmp_path), before="without_slurm")
    (ended,) = WITHOUT_TORCH.run(command)
    assert (ended.code, ended.err) == (2, f"mlp_study: error: {said}\n")
    assert not (tmp_path / "study").exists()
    assert "torch" not in ended.imported


MISTAKES = {
    "array_parallelism=0": "array_parallelism=0: expected a whole number >= 1",
    "timeout_min=long": "timeout_min='long': expected a whole number >= 1",
    "timeout_min=1 hydra.launcher.signal_delay_s=60": "signal_delay_s=60: expected fewer seconds than hydra.launcher.",
    "gpus_per_task=2": "gpus_per_task=2: expected null or a whole number >= 0 and <= 1",
    "mem_gb=0": "mem_gb=0: expected a number > 0",
    "max_members=0": "max_members=0: expected null or a whole number >= 1",
    "setup=module": "setup='module': expected a list, each entry a text",
    "additional_parameters=3": "additional_parameters=3: expected null or a mapping of sbatch's options to values",
    "partitions=gpu": "partitions",
}


def test_settings_that_are_none_are_one_line(tmp_path):
    commands = [
        Command([*SWEEP, "hydra/launcher=slurm", *f"hydra.launcher.{words}".split()], str(tmp_path))
        for words in MISTAKES
    ]
    for ended, said in zip(WITHOUT_TORCH.run(*commands), MISTAKES.values(), strict=True):
        assert ended.code == 2
        (line,) = ended.err.splitlines()
        assert said in line
    assert not (tmp_path / "study").exists()


def test_jobs_of_an_earlier_command_are_seen_to_first(tmp_path):
    command = Command(SWEEP, str(tmp_path), before="without_slurm")
    hidden = tmp_path / "study" / ".slurm"
    hidden.mkdir(parents=True)
    (hidden / "job_name").write_text("mlp-01234567\n")
    (ended,) = WITH_TORCH.run(command)
    assert ended.code == 2
    assert "squeue does not answer; where it does, end them with scancel --name=mlp-01234567" in ended.err
    assert not list(tmp_path.rglob("result.json"))
    # squeue knows of one, until scancel has been called.
    (tmp_path / "bin").mkdir()
    for name, script in {
        "squeue": "[ -e cancelled ] || echo 7_0 RUNNING; echo 7_1 COMPLETED",
        "scancel": "echo $1 > cancelled",
    }.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (ended,) = WITH_TORCH.run(command)
    assert ended.code == 0
    assert ended.err == "jobs of an earlier command are ended first: 1 of mlp-01234567\n"
    assert (tmp_path / "cancelled").read_text() == "--name=mlp-01234567\n"
    assert not hidden.exists()
    hidden.mkdir()  # of a command that was killed before it had a name, with nothing left to train
    (ended,) = WITH_TORCH.run(command)
    assert ended.code == 0
    assert "2 of 2 runs are already complete" in ended.out
    assert not hidden.exists()


@pytest.mark.parametrize(
    ("scontrol", "sacct", "said"),
    [
        ("JobState=FAILED Reason=None ExitCode=137:0", "", "FAILED, killed by SIGKILL, as for want of memory"),
        ("JobState=FAILED Reason=RaisedSignal:9(Killed) ExitCode=0:9", "", "FAILED, killed by SIGKILL, as for"),
        ("JobState=FAILED Reason=NonZeroExitCode ExitCode=3:0", "", "FAILED, ended with exit code 3"),
        ("JobState=OUT_OF_MEMORY Reason=OutOfMemory ExitCode=0:125", "", "OUT_OF_MEMORY"),
        ("JobState=CANCELLED Reason=None ExitCode=0:15", "", "CANCELLED"),
        ("", "NODE_FAIL|0:0", "NODE_FAIL"),
        ("", "", "gone, and Slurm does not know how"),
    ],
)
def test_how_a_job_ended_in_words(tmp_path, monkeypatch, scontrol, sacct, said):
    for name, answer in {"scontrol": f"JobId=7 {scontrol}", "sacct": sacct}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{answer}'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert SlurmQueue("mlp-01234567").reason("7").startswith(said)


def test_events_come_through_a_file_as_they_were_sent(tmp_path, grid):
    path = tmp_path / "3.jsonl"
    box = Mailbox(path, 3)
    assert box.new() == []
    run = next(grid.glob("*/result.json")).parent
    result = read_result(run)
    worker = Worker("job 7_0", "n1", 42, "cpu")
    first = [Taken(3, worker), Told(3, "advanced", (0.1, 32)), Told(3, "ended", (result.name, result))]
    for event in first:
        post(path, event)
    append_text(path, '{"told": "adv')  # and it is killed
    assert box.new() == first
    last = [Taken(3, worker), Ended(3, {run: result}), Lost(3, "FAILED")]
    for event in last:
        post(path, event)
    assert box.new() == last
    assert box.new() == []
