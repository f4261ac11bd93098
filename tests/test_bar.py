"""What a terminal shows while runs are trained: a line at once, then a bar with numbers, as wide as it may be."""

import re

import pytest
from conftest import WITH_TORCH
from rich.cells import cell_len
from warm import Command

from mlp_study.execution.messages import Telling
from mlp_study.progress import TrainingBar

QUICK = ["data=digits", "trainer.max_epochs=2", "trainer.limit_train_batches=20", "logger=none"]
COLOUR, ELSEWHERE = re.compile(r"\x1b\[[0-9;]*m"), re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


def shown(folder, columns, *words):
    """The lines that a terminal is told to show, one after the other."""
    (folder / "columns").write_text(str(columns))
    (ended,) = WITH_TORCH.run(Command([*words, *QUICK], str(folder), before="on_a_terminal"))
    assert ended.code == 0, (folder / "shown").read_text()
    written = COLOUR.sub("", (folder / "shown").read_text())
    return [line.rstrip() for line in ELSEWHERE.sub("\n", written).split("\n") if line.strip()]


@pytest.mark.parametrize("columns", [80, 160])
def test_a_run_shows_its_loss_and_its_best_accuracy_so_far(tmp_path, columns):
    lines = shown(tmp_path, columns, "hydra.run.dir=run")
    assert lines[0] == "mlp train: starting ..."
    bars = [line for line in lines if "━" in line]
    assert all(re.match(r" ━+.* epoch \d\.\d/2  ", line) for line in bars)
    assert "  loading torch and the images  " in bars[0]
    first = re.search(r"train_loss (\S+) .*val_acc (\S+)", next(line for line in lines if line.startswith("epoch 1/2")))
    assert any(f"  loss {first[1]}  best val_acc {first[2]}" in line for line in bars)
    assert max(map(cell_len, bars)) < columns


@pytest.mark.parametrize(("columns", "workers"), [(80, 1), (160, 2)])
def test_a_grid_shows_its_best_run_so_far_by_workers_too(tmp_path, columns, workers):
    words = ["-m", "optim=sgd,adam", "seed=0,1", "optim.lr=0.01", "hydra.sweep.dir=study"]
    lines = shown(tmp_path, columns, *words, f"hydra.launcher.workers={workers}")
    assert lines[0] == "mlp train: starting ..."
    bars = [line for line in lines if "runs ━" in line]
    final = max(float(line.split("val_acc ")[1].split()[0]) for line in lines if ": completed after" in line)
    numbers = [re.search(r"loss \d\.\d+  best(?: val_acc)? (\d\.\d+) optim=(sgd|adam),se", line) for line in bars]
    values = [float(found[1]) for found in numbers if found]
    assert values == sorted(values)
    assert values[-1] >= final > 0.5
    assert any("  best val_acc " in line and re.search(r"seed=\d  .* images/s", line) for line in bars) == (
        columns == 160
    )
    assert max(map(cell_len, bars)) < columns


def test_a_pipe_gets_no_line_and_no_bar(train):
    ended = train(*QUICK)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Layer (type)")


def test_a_worker_tells_of_its_best_epochs_now_and_then_and_of_no_other():
    class Outbox(list):
        put = list.append

    outbox = Outbox()
    telling = Telling(0, outbox)
    for epoch, acc in enumerate((0.1, 0.5, 0.4, float("nan"))):
        telling.epoch(f"run {epoch}", {"lr": 0.1, "train_loss": float("inf"), "train_acc": 0.9, "val_acc": acc})
    assert not outbox
    telling.flush()
    telling.epoch("run 9", {"train_loss": 0.1, "val_acc": 0.5})
    telling.flush()
    told = [event.arguments for event in outbox if event.method == "epoch"]
    assert told == [("run 1", {"val_acc": 0.5})]


def test_what_does_not_fit_is_left_out_and_a_long_name_is_cut(monkeypatch):
    long = "init=" + "w" * 300
    for columns in (20, 40, 60, 80, 120, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        bar = TrainingBar("3/12 runs", 180)
        bar.advance(100.0, 60_000)
        bar.show({"train_loss": 0.25, "val_acc": 0.5}, long)
        (task,) = bar._progress.tasks
        whole = f"{bar._front(task)} {'-' * bar._bar_width} {bar._rest(task)}"
        assert cell_len(whole) < max(columns, 23)
        assert (" 0.5000" in whole) == (columns > 40)
        assert ("init=www" in whole) == (columns >= 60)
        assert ("images/s" in whole) == (columns > 100)
