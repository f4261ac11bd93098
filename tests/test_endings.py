"""How commands end: 0, 1, 2 or 130 and one line, whether they are interrupted, unheard, killed or out of disk."""

import json
import os
import shutil
import signal
import subprocess
import sys
from importlib import import_module

import pandas as pd
import pytest
from conftest import WITH_TORCH, WITHOUT_TORCH, run_command
from full_disk import largest_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from warm import Command, wait_for

from mlp_study.commands.reporting import report
from mlp_study.errors import NotWritten
from mlp_study.execution.carry_out import carry_out
from mlp_study.figures.saving import save
from mlp_study.sweeps.words import study_runs

QUICK = ["data=digits", "trainer.max_epochs=2", "trainer.limit_train_batches=4", "logger=none"]
LONG = ["data=digits", "trainer.max_epochs=100000", "logger=none"]
LAUNCHERS = ["stacked", "basic"]
INTERRUPTED = """\
interrupted: saving where training has come to; once more ends at once
mlp_study: error: interrupted
"""  # while it trains


@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_grid_shows_its_table_and_ends_with_130_even_where_a_run_has_failed(tmp_path, launcher, number):
    words = ["-m", "seed=1,2,3", *LONG, "hydra.sweep.dir=study", f"hydra/launcher={launcher}"]
    process = WITH_TORCH.start(Command(words, str(tmp_path), before="broken_networks"))  # seed 1 fails
    wait_for(tmp_path / "study" / "seed=2" / "history.csv")
    os.kill(process, number)
    ended = WITH_TORCH.wait(process)
    assert (ended.code, ended.err) == (130, INTERRUPTED)
    assert "3 runs, best first" in ended.out or "2 runs, best first" in ended.out  # basic has not begun the third
    assert list(pd.read_csv(tmp_path / "study" / "study.csv")["status"])[:2] == ["failed", "unfinished"]
    assert not list(tmp_path.rglob(".lock"))


def test_a_single_run_is_interrupted_by_sigterm(tmp_path):
    process = WITH_TORCH.start(Command([*LONG, "hydra.run.dir=run"], str(tmp_path)))
    wait_for(tmp_path / "run" / "history.csv")
    os.kill(process, signal.SIGTERM)
    ended = WITH_TORCH.wait(process)
    assert (ended.code, ended.err) == (130, INTERRUPTED)
    assert not (tmp_path / "run" / "result.json").exists()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_impatient_second_interrupt_while_python_takes_itself_down_changes_no_exit_code(name):
    again = f"atexit.register(lambda: os.kill(os.getpid(), signal.{name}))"
    code = f"import atexit, os, signal; {again}\nwith program(): raise KeyboardInterrupt"
    words = [sys.executable, "-c", f"from mlp_study.program import program; {code}"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (130, "mlp_study: error: interrupted\n")


@pytest.mark.parametrize("module", ["report", "predict", "inspect", "reproduce"])
def test_every_other_command_is_interrupted_in_one_line(tmp_path, module):
    words = ["keras_intro"] if module == "reproduce" else ["."]
    command = Command(words, str(tmp_path), f"mlp_study.{module}", before="soon_interrupted")
    (ended,) = WITH_TORCH.run(command)
    assert (ended.code, ended.out, ended.err.count("\n")) == (130, "", 1)
    assert ended.err.startswith("mlp_study: error: interrupted")


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        ("commands.reporting", [], "required: study"),
        ("commands.predicting", ["run", "--csv", "a", "--arrays", "b"], "not allowed with"),
        ("commands.inspecting", ["run", "--num", "many"], "'many'"),
        ("reproduce.reproducing", ["--bogus"], "--bogus"),
    ],
)
def test_words_that_a_command_does_not_take_are_one_line(capsys, module, words, said):
    with pytest.raises(SystemExit) as ended:
        import_module(f"mlp_study.{module}").main(words)
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("mlp_study: error: ")
    assert said in err


@pytest.mark.parametrize("words", [["-m", "seed=0,1", "hydra.sweep.dir=out"], ["hydra.run.dir=out/alone"]])
def test_training_goes_on_when_nobody_reads_what_it_prints(tmp_path, words):
    words = [*words, "data=digits", "trainer.max_epochs=20", "logger=none"]
    (ended,) = WITH_TORCH.run(Command(words, str(tmp_path), before="unheard"))
    assert ended.code == 0
    results = [json.loads(path.read_text()) for path in tmp_path.glob("out/*/result.json")]
    assert [result["status"] for result in results] == ["completed"] * (2 if words[0] == "-m" else 1)


def test_help_that_nobody_reads(tmp_path):
    (ended,) = WITHOUT_TORCH.run(Command(["--help"], str(tmp_path), "mlp_study", before="unheard"))
    assert ended.code == 0


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_run_killed_just_as_its_result_appears_is_whole(tmp_path, launcher):
    words = ["-m", "seed=0,1", *QUICK[:-1], "hydra.sweep.dir=study", f"hydra/launcher={launcher}"]
    (ended,) = WITH_TORCH.run(Command(words, str(tmp_path), before="killed_at_the_end"))
    assert ended.code == -signal.SIGKILL
    (finished,) = [path.parent for path in tmp_path.rglob("result.json")]
    events = EventAccumulator(str(finished)).Reload()
    assert {"result/test_acc", "result/best_val_acc"} <= set(events.Tags()["scalars"])
    assert events.Tags()["images"]
    assert run_command(*words, cwd=tmp_path).code == 0
    assert list(pd.read_csv(tmp_path / "study" / "study.csv")["status"]) == ["completed"] * 2


@pytest.mark.parametrize("engine", ["lightning", "stack"])
def test_on_a_full_disk_what_was_recorded_stays_and_the_file_is_named(tmp_path, engine):
    words = [*QUICK[:-1], "seed=0,1", "model.hidden=[512]", "callbacks=checkpoint"]
    runs = study_runs(words, tmp_path)
    with largest_file(2**17):  # enough for a history, not for a checkpoint
        results = carry_out(runs, engine)
    assert [result.status for result in results] == ["failed", "failed"]
    for run, result in zip(runs, results, strict=True):
        assert result.reason.startswith(f"{run.folder}/")
        assert result.reason.endswith(": File too large")
        assert not [path for path in run.folder.rglob("*") if path.name.endswith(".tmp")]
    again = carry_out(runs, engine)
    assert [result.status for result in again] == ["completed", "completed"]


def test_a_report_on_a_full_disk_is_one_line_and_leaves_no_half_picture(grid, tmp_path):
    study = shutil.copytree(grid, tmp_path / "study", ignore=shutil.ignore_patterns("figures"))
    with largest_file(70_000), pytest.raises(NotWritten, match=r"study/figures/curves\.png: File too large"):
        report(study)
    assert not (study / "figures").exists()


def test_commands_on_a_full_disk_end_with_1_and_the_file(grid, tmp_path):
    study = shutil.copytree(grid, tmp_path / "study", ignore=shutil.ignore_patterns("figures"))
    run = f"{study}/optim=sgd,init=glorot"
    for module, word, file in (
        ("inspect", run, "inspection/dense_1.npy"),
        ("report", str(study), "figures/curves.png"),
    ):
        (ended,) = WITH_TORCH.run(Command([word], str(tmp_path), f"mlp_study.{module}", before="small_files"))
        assert (ended.code, ended.err.splitlines()[-1]) == (1, f"mlp_study: error: {word}/{file}: File too large")
    left = [path.name for name in ("inspection", "figures") for path in study.glob(f"*/{name}/*")]
    assert not [name for name in left if name.endswith((".tmp", ".lock", ".png", "dense_1.npy"))]


@pytest.mark.long
def test_two_at_once_are_refused_and_leftovers_of_a_killed_one_are_swept_up(grid, tmp_path):
    from mlp_study.errors import UserError
    from mlp_study.files import claimed

    study = shutil.copytree(grid, tmp_path / "study", ignore=shutil.ignore_patterns("figures"))
    (study / "figures").mkdir()
    leftover = study / "figures" / ".curves.svg.0123abcd.tmp"
    leftover.write_text("<svg half")
    (study / "figures" / ".notes.tmp").write_text("mine")
    with claimed(study / "figures"), pytest.raises(UserError, match="another process is writing there"):
        report(study)
    report(study)
    assert not leftover.exists()
    assert (study / "figures" / ".notes.tmp").read_text() == "mine"


def test_the_same_figure_is_the_same_bytes(tmp_path):
    from matplotlib.figure import Figure

    first, second = ([path.read_bytes() for path in save(Figure(), folder, "one")] for folder in (tmp_path, tmp_path))
    assert first == second


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_events_that_cannot_be_written_fail_their_runs_and_not_the_grid(tmp_path, launcher):
    words = [
        "-m",
        "seed=0,1",
        *QUICK[:-1],
        "model.hidden=[2048]",
        "hydra.sweep.dir=study",
        f"hydra/launcher={launcher}",
    ]
    words += ["trainer.max_epochs=400", "trainer.limit_train_batches=1", "trainer.limit_val_batches=1"]
    (ended,) = WITH_TORCH.run(Command(words, str(tmp_path), before="small_files"))
    assert ended.code == 1
    assert ended.err.count("\n") == 1
    assert "2 of 2 runs failed in study" in ended.err
    assert all(f"seed={seed}/" in ended.err for seed in (0, 1))
    assert "2 runs, best first" in ended.out


def test_a_single_run_that_fails_is_one_line(tmp_path):
    (ended,) = WITH_TORCH.run(Command([*QUICK, "seed=1", "hydra.run.dir=run"], str(tmp_path), before="broken_networks"))
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "the run failed: RuntimeError: no network today; the traceback is in" in ended.err
