"""hydra/launcher=slurm, as far as it takes neither submitit nor Slurm: tests/cluster/ has the rest."""

from types import SimpleNamespace

import pytest
from conftest import WITH_TORCH, WITHOUT_TORCH
from warm import Command

from mlp_study.errors import RunsFailed, UserError
from mlp_study.execution import slurm_workers
from mlp_study.execution.mail import Mailbox, post
from mlp_study.execution.slurm_queue import SlurmQueue
from mlp_study.execution.slurm_settings import SlurmSettings
from mlp_study.execution.slurm_submission import Refused
from mlp_study.execution.task import Task
from mlp_study.execution.workers import Ended, Lost, Taken, Told
from mlp_study.files import append_text
from mlp_study.runs.listener import Worker
from mlp_study.runs.result import read_result
from mlp_study.sweeps.words import study_runs

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


def commands(folder, **scripts):
    folder.mkdir(exist_ok=True)
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)


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
    "partition=gpu hydra.sweep.dir=study/100%": "study/100%': expected a directory without %",
}


def test_settings_that_are_none_are_one_line(tmp_path):
    asked = [
        Command([*SWEEP, "hydra/launcher=slurm", *f"hydra.launcher.{words}".split()], str(tmp_path))
        for words in MISTAKES
    ]
    for ended, said in zip(WITHOUT_TORCH.run(*asked), MISTAKES.values(), strict=True):
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
    commands(
        tmp_path / "bin",
        squeue="[ -e cancelled ] || echo 7_0 RUNNING; echo 7_1 COMPLETED",
        scancel="echo $1 > cancelled",
    )
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
    commands(tmp_path, scontrol=f"echo 'JobId=7 {scontrol}'", sacct=f"echo '{sacct}'")
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
    first.append(Told(3, "epoch", (result.name, {"val_acc": 0.5})))
    for event in first:
        post(path, event)
    append_text(path, '{"told": "adv')  # and it is killed
    assert box.new() == first
    last = [Taken(3, worker), Ended(3, {run: result}), Lost(3, "FAILED")]
    for event in last:
        post(path, event)
    assert box.new() == last
    assert box.new() == []


@pytest.fixture
def hired(tmp_path, monkeypatch):
    """Workers whose jobs nobody has; the queue says what ./states does, and sbatch refuses where ./refused is."""
    (tmp_path / "states").write_text("7_0 RUNNING\n7_1 PENDING\n")
    scripts = {"squeue": f"cat {tmp_path}/states", "scontrol": "echo JobState=OUT_OF_MEMORY ExitCode=0:125"}
    commands(tmp_path / "bin", **scripts, scancel=f"echo > {tmp_path}/states")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(slurm_workers, "LOOK_SECONDS", 0)
    monkeypatch.setattr(slurm_workers, "REFUSED_SECONDS", 0)

    def submit_array(jobs, *rest):
        if (tmp_path / "refused").exists():
            raise Refused("sbatch: no more")
        return [SimpleNamespace(job_id=f"7_{job.number}", paths=SimpleNamespace(stderr=tmp_path)) for job in jobs]

    monkeypatch.setattr(slurm_workers, "submit_array", submit_array)
    tasks = [Task.of([run], "stack") for run in study_runs(["seed=0,1", "data=digits"], tmp_path / "study")]
    (tmp_path / "study").mkdir()
    return slurm_workers.SlurmWorkers(SlurmSettings(), tmp_path / "study", "auto", 2), tasks


def test_a_job_that_begins_again_is_no_loss_and_one_that_ends_without_a_word_is(hired, tmp_path, grid):
    workers, tasks = hired
    posted = tmp_path / "study" / ".slurm" / "0.jsonl"
    result = read_result(next(grid.glob("*/result.json")).parent)
    worker, run = Worker("job 7_0", "n1", 42, "cpu"), tasks[0].runs[0]
    with workers:
        for number, task in enumerate(tasks):
            workers.submit(number, task)
        assert workers.events(0) == []
        began = [Taken(0, worker), Told(0, "advanced", (2.5, 80))]
        for event in began:
            post(posted, event)
        assert workers.events(0) == began
        post(posted, Taken(0, worker))  # requeued, it will tell of its epochs again
        assert workers.events(0) == [Told(0, "advanced", (-2.5, 0)), Taken(0, worker)]
        epochs = run.config.trainer.max_epochs
        ended = [Told(0, "advanced", (epochs, 0)), Told(0, "ended", (run.name, result)), Ended(0, {run.folder: result})]
        for event in ended:
            post(posted, event)
        assert workers.events(0) == ended
        (tmp_path / "states").write_text("7_1 OUT_OF_MEMORY\n")
        assert [*workers.events(0), *workers.events(0)] == [Lost(1, "job 7_1: OUT_OF_MEMORY")]
        (tmp_path / "states").write_text("")
    assert not posted.parent.exists()


def test_sbatch_may_refuse_for_a_while_but_not_at_first(hired, tmp_path):
    workers, tasks = hired
    (tmp_path / "refused").write_text("")
    workers.submit(0, tasks[0])
    with pytest.raises(UserError, match="sbatch: no more") as refused:
        workers.events(0)
    assert refused.value.exit_code == 2
    (tmp_path / "refused").unlink()
    assert workers.events(0) == []
    (tmp_path / "refused").write_text("")
    workers.submit(1, tasks[1])
    for _ in range(9):
        assert workers.events(0) == [Told(1, "remarked", ("sbatch: no more; once more in 0 s",))]
    with pytest.raises(RunsFailed), workers:
        workers.events(0)
    assert not (tmp_path / "study" / ".slurm").exists()
