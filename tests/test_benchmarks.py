"""Every program in benchmarks/ runs, at its smallest size."""

import re
from pathlib import Path

import pytest
import torch

from benchmarks import agreement, bench

FOLDER = Path(__file__).parent.parent / "benchmarks"
COVERED = {"__init__", "agreement", "bench", "grid"}


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_program_is_run_here():
    assert {path.stem for path in FOLDER.glob("*.py")} == COVERED


@pytest.mark.filterwarnings("ignore:.*:Warning:lightning")  # a template does what Lightning advises against
def test_bench_times_every_way_and_prints_ratios(capsys, threads):
    bench.main(["--smoke", "--threads", "1"])
    out = capsys.readouterr().out
    for way in ("plain PyTorch loop", "this project, one run", "Lightning template", "stacked, 48 members"):
        row = re.search(rf"│ {way} +│ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │", out)
        assert row, out
        assert float(row[4]) > 0
    assert re.search(r"serial, 12 cells / stacked, 12 cells = [\d.]+", out)


def test_the_profile_names_what_takes_time(capsys, threads):
    bench.main(["--smoke", "--profile", "--threads", "1"])
    assert "train_epoch" in capsys.readouterr().out


def test_agreement_compares_stacked_with_serial_runs(tmp_path, capsys):
    words = ["init=glorot,zeros", "data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=3"]
    agreement.main([str(tmp_path), *words])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert "stacked - serial, points" in lines[0]
