"""Every program in benchmarks/ runs, at its smallest size."""

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest
import torch
from browser import CHROMIUM
from conftest import WITH_TORCH
from PIL import Image
from warm import Command

from benchmarks import agreement, bench, diagnose_cases, page, pictures, search, sweeps

pytestmark = pytest.mark.long

FOLDER = Path(__file__).parent.parent / "benchmarks"
COVERED = {
    "__init__", "agreement", "bench", "diagnose_cases", "page", "pictures", "rivals", "rows", "search",
    "stacks", "sweeps",
}  # fmt: skip


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_program_is_run_here():
    assert {path.stem for path in FOLDER.glob("*.py")} == COVERED


@pytest.mark.filterwarnings("ignore:.*:Warning:lightning")  # a template does what Lightning advises against
def test_bench_times_every_way_and_prints_ratios(tmp_path, capsys, monkeypatch, threads):
    def run(words):  # not in an interpreter of its own, which takes seconds
        (ended,) = WITH_TORCH.run(Command(words, str(tmp_path), before="forked_workers"))
        return ended.code, 1.0

    monkeypatch.setattr(sweeps, "SMOKE", dataclasses.replace(sweeps.SMOKE, run=run))
    bench.main(["--smoke", "--threads", "1"])
    out = capsys.readouterr().out
    for way in ("plain PyTorch loop", "this project, one run", "Lightning template", "stacked, 48 members"):
        row = re.search(rf"│ {way} +│ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │", out)
        assert row, out
        assert float(row[4]) > 0
    for row in ("A: 12 settings, sgd", "D: 5 seeds, adagrad"):
        assert re.search(rf"│ {row} +│ +[\d.]+ │", out), out
    assert re.search(r"serial, 12 cells / stacked, 12 cells = [\d.]+", out)
    for way in ("workers=1", "workers=2", "workers=auto", "workers=2, 2 busy neighbours", "workers=1, no snapshots"):
        assert re.search(rf"^  {way} +[\d.]+ s +[\d.]+ x$", out, re.MULTILINE), out
    assert re.search(r"^2 runs on digits, workers=2: [\d.]+ s, -?\d+ ms a run outside training", out, re.MULTILINE)


def test_the_profile_names_what_takes_time(capsys, threads):
    bench.main(["--smoke", "--profile", "--threads", "1"])
    assert "train_epoch" in capsys.readouterr().out


def test_agreement_compares_stacked_with_serial_runs(tmp_path, capsys):
    words = ["init=glorot,zeros", "data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=3"]
    agreement.main([str(tmp_path), *words])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert "stacked - serial, points" in lines[0]


def test_a_search_is_compared_with_a_grid(tmp_path, capsys, monkeypatch):
    def trained(line, **_):  # not in an interpreter of its own, which takes seconds
        small = ["trainer.limit_train_batches=2", "model.hidden=[8]"]
        (ended,) = WITH_TORCH.run(Command([*line[3:], *small], str(tmp_path), before="forked_workers"))
        return subprocess.CompletedProcess(line, ended.code)

    monkeypatch.setattr(search, "GRID", ["optim=sgd,adam", "init=glorot", "optim.lr=0.01,0.1"])
    monkeypatch.setattr(search.subprocess, "run", trained)
    words = ["--data", "digits", "--epochs", "2", "--seeds", "2", "--repeats", "1", "--trials", "6"]
    search.main([*words, "--folder", str(tmp_path / "out")])
    out = capsys.readouterr().out
    assert re.search(r"^grid: 8 runs, 16 epochs, \d+ s; best optim=\w+ optim.lr=\S+: best_val_acc 0", out)
    assert re.search(r"^ +0 +\d+ +\d+ % +\d+ +optim=\w+ init=\w+ optim.lr=\S+ +0\.\d+ ± 0\.\d+ +\w+ +\w+$", out, re.M)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium or chrome on PATH")
def test_the_page_of_many_runs_is_opened(capsys):
    page.main(["--runs", "40", "--repeats", "1"])
    out = capsys.readouterr().out
    assert re.search(r"^40 runs: \d\.\d MB, made in", out)
    assert re.search(r"the table after [\d.]+ s, all after [\d.]+ s \(median of 1\)", out)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium or chrome on PATH")
def test_the_pictures_of_the_readme_are_made(tmp_path, capsys, monkeypatch):
    def train(*words):  # not in an interpreter of its own, which takes seconds
        small = ["trainer.limit_train_batches=2", "model.hidden=[8]"]
        (ended,) = WITH_TORCH.run(Command([*words, *small], str(tmp_path)))
        assert ended.code == 0, ended.err

    monkeypatch.setattr(pictures, "train", train)
    monkeypatch.setattr(pictures, "GRID", ["optim=sgd,adam", "optim.lr=0.1,0.01"])
    words = ["--data", "digits", "--epochs", "1", "--seeds", "1", "--study", str(tmp_path / "study")]
    pictures.main([*words, "--out", str(tmp_path / "out")])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"page.png", "learning_rates.png"}
    with Image.open(tmp_path / "out" / "page.png") as page:
        assert page.size == (pictures.WIDTH, pictures.HEIGHT)
        assert len(page.getcolors()) > 20


def test_known_cases_are_diagnosed_and_cured(tmp_path, capsys):
    words = ["--only", "TDC-HIGHLR,OK-SOFTREG", "--most-epochs", "3", "--budget", "2", "--converged", str(tmp_path)]
    also = ["data=digits", "model.hidden=[16]", "data.val_fraction=0.2"]
    folder = ["--folder", str(tmp_path / "cases"), "--out", str(tmp_path / "DIAGNOSIS.md")]
    diagnose_cases.main([*words, *folder, "--also", *also])
    text = (tmp_path / "DIAGNOSIS.md").read_text()
    assert re.search(r"^\| C \| 1 of 1 \| 1 of 1 \(100%\) \| 1 of 1 \(100%\) \|", text, re.MULTILINE), text
    assert "| TDC-HIGHLR | C | lr_too_high, dying_relu |" in text
    assert "of 1 healthy cases" in text
    before = (tmp_path / "cases" / "TDC-HIGHLR" / "judged.json").stat().st_mtime
    diagnose_cases.main([*words, *folder, "--also", *also])
    assert (tmp_path / "cases" / "TDC-HIGHLR" / "judged.json").stat().st_mtime == before
