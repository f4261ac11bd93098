"""`mlp`, the one command; and what a command leaves of the process it runs in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import run_command

from mlp_study import __main__ as command
from mlp_study import __version__
from mlp_study.__main__ import SUBCOMMANDS
from mlp_study.commands import training

BIN = Path(sys.executable).parent


def run(argv, capsys):
    try:
        command.main(argv)
        code = 0
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_help_lists_every_subcommand(argv, capsys):
    code, out, err = run(argv, capsys)
    assert (code, err) == (0, "")
    assert set(SUBCOMMANDS) == {"train", "predict", "inspect", "status", "diagnose", "report", "reproduce"}
    for name in SUBCOMMANDS:
        assert f"\n  {name} " in out


def test_an_unknown_command_is_one_line_with_the_known_ones(capsys):
    code, out, err = run(["trian"], capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "Did you mean train? Known: train, predict, inspect, status, diagnose, report, reproduce" in err


def test_help_is_quick_and_the_console_script_is_there():
    script = [sys.executable, "-X", "importtime", str(BIN / "mlp"), "--help"]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not {"torch", "hydra", "pandas", "numpy"} & imported
    assert done.stdout.startswith("usage: mlp COMMAND")


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_is_a_module_too(name, tmp_path):
    done = run_command("--help", cwd=tmp_path, module=f"mlp_study.{name}")
    assert (done.code, done.err) == (0, "")
    assert "mlp_study" in done.out


@pytest.mark.parametrize("main", [command.main, training.main])
def test_the_version_is_ours(main, capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"mlp_study {__version__}\n"


def test_a_subcommand_does_its_work_and_a_second_one_in_the_same_process_too(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    before = sys.argv
    words = ["data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=3", "logger=none", "seed=0,1"]
    code, out, err = run(["train", "-m", *words, "hydra.sweep.dir=study"], capsys)
    assert code == 0, err
    assert "2 runs, best first" in out
    assert run(["report", "study"], capsys)[0] == 0
    # A mistake after that is one line as before, not one of Hydra's tracebacks.
    for _ in range(2):
        code, _, err = run(["train", "optim.lr=fast"], capsys)
        assert (code, err.count("\n")) == (2, 1)
    assert "HYDRA_FULL_ERROR" not in os.environ
    assert sys.argv is before


def test_the_line_of_a_run_shows_what_differs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fixed = ["data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=3", "logger=none", "optim.lr=0.05"]
    _, out, _ = run(["train", "-m", *fixed, "seed=0,1", "hydra.sweep.dir=study"], capsys)
    lines = [line for line in out.splitlines() if "completed after" in line]
    assert [line.split(":")[0] for line in lines] == ["seed=0", "seed=1"]


def test_a_user_who_asks_for_tracebacks_gets_them(tmp_path, monkeypatch):
    from mlp_study.errors import UserError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    words = ["-m", "seed=0,1", "optim.lr=fast"]
    with pytest.raises(UserError):
        training.main(words)
    assert os.environ["HYDRA_FULL_ERROR"] == "1"
