"""Ctrl-C and SIGTERM while engines train: a snapshot between two steps, inside an epoch, from which all goes on."""

import os
import signal
import threading
import time

import pytest
from conftest import WITH_TORCH
from full_disk import largest_file
from test_snapshots import Stop, both_engines, same
from warm import Command, wait_for

from mlp_study.engines import interrupts
from mlp_study.engines.snapshot import Saver, Snapshot
from mlp_study.execution.carry_out import carry_out
from mlp_study.runs.listener import Listener
from mlp_study.runs.run import SNAPSHOT
from mlp_study.sweeps.words import study_runs

# Blocks of 4, 4 and 2 steps, or with two seeds in a stack of 2; one run ends after two epochs, in double precision.
WORDS = [
    "data=digits", "trainer.max_epochs=3", "trainer.limit_train_batches=10", "trainer.steps_per_execution=4",
    "model.hidden=[12]", "model.dropout=0.3", "model.activation=sigmoid", "model.batch_norm=true", "schedule=cosine",
    "optim.lr=0.1,1", "seed=0,1", "trainer.precision=64-true", "logger=none", "callbacks=[checkpoint,early_stopping]",
    "callbacks.early_stopping.patience=1", "callbacks.early_stopping.min_delta=0.1",
]  # fmt: skip
SAID = "interrupted: saving where training has come to; once more ends at once"


@pytest.fixture
def before_step(monkeypatch):
    """Have `calls[n]` called before step n of those taken from now on; steps are looked at before each, from 1."""
    calls, num_steps, is_due = {}, [0], Saver.is_due

    def watched(self, is_inside=False):
        if is_inside:
            num_steps[0] += 1
            calls.pop(num_steps[0], lambda: None)()
        return is_due(self, is_inside)

    def plan(wanted):
        calls.clear()
        calls.update(wanted)
        num_steps[0] = 0

    monkeypatch.setattr(Saver, "is_due", watched)
    return plan


def send(number):
    return lambda: os.kill(os.getpid(), number)


def position(study):
    """How many epochs are over and how many images of the next are done, in the one snapshot of a study."""
    (path,) = study.glob(f"*/{SNAPSHOT}")
    state = Snapshot.read(path).states[0]
    return len(state["writer"]["history"]), state["network"].get("part", {"num": 0})["num"]


@pytest.mark.long
@both_engines
def test_interrupted_again_and_again_inside_epochs_a_sweep_leaves_the_same_bytes(tmp_path, before_step, engine):
    carry_out(study_runs(WORDS, tmp_path / "whole"), engine)
    # In the first epoch, inside a block, at the end of one; in later ones, some already over; in the last step of one.
    expected = {4: (0, 96), 3: (0, 160), 10: (1, 128), 11: (2, 128), 6: (2, 288)}
    found = {}
    for step in expected:
        before_step({step: send(signal.SIGTERM if step % 2 else signal.SIGINT)})
        listener = Stop(-1)
        with pytest.raises(KeyboardInterrupt):
            carry_out(study_runs(WORDS, tmp_path / "study"), engine, listener)
        assert listener.remarks == [SAID]
        found[step] = position(tmp_path / "study")
    if engine == "stack":
        assert found == expected
    assert all(num for _, num in found.values())
    listener = Stop(-1)
    carry_out(study_runs(WORDS, tmp_path / "study"), engine, listener)
    assert [
        line for line in listener.said_lines if line.startswith("going on after epoch ") and "of 320 images" in line
    ]
    assert listener.remarks == []
    assert same(tmp_path / "study", tmp_path / "whole")


@both_engines
def test_a_snapshot_that_is_due_inside_an_epoch_is_taken_there(tmp_path, monkeypatch, before_step, engine):
    clock = [0.0]
    monkeypatch.setattr("mlp_study.engines.snapshot.time.monotonic", lambda: clock[0])
    carry_out(study_runs(WORDS, tmp_path / "whole"), engine)

    def killed():
        raise KeyboardInterrupt

    before_step({16: lambda: clock.__setitem__(0, 61.0), 18: killed})
    with pytest.raises(KeyboardInterrupt):
        carry_out(study_runs(WORDS, tmp_path / "study"), engine)
    assert position(tmp_path / "study") == (1, 160)
    before_step({})
    carry_out(study_runs(WORDS, tmp_path / "study"), engine)
    assert same(tmp_path / "study", tmp_path / "whole")


class Impatient(Stop):
    """Interrupts once more when it is told that it has been heard."""

    def remarked(self, line):
        super().remarked(line)
        send(signal.SIGINT)()


@both_engines
def test_a_second_interrupt_ends_at_once(tmp_path, before_step, engine):
    before_step({15: send(signal.SIGTERM)})
    listener = Impatient(-1)
    with pytest.raises(KeyboardInterrupt):
        carry_out(study_runs(WORDS[:9], tmp_path), engine, listener)
    assert listener.remarks == [SAID]
    assert not list(tmp_path.glob(f"*/{SNAPSHOT}"))


@both_engines
def test_whoever_does_not_come_to_the_end_of_a_step_is_ended(tmp_path, monkeypatch, before_step, engine):
    monkeypatch.setattr(interrupts, "PATIENCE", 0.05)

    def endless():
        send(signal.SIGINT)()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            time.sleep(0.01)

    before_step({5: endless})
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        carry_out(study_runs(WORDS, tmp_path), engine)
    assert time.monotonic() - started < 20


@both_engines
@pytest.mark.parametrize("earlier", [signal.SIG_IGN, signal.SIG_DFL, lambda number, frame: None])
def test_others_handlers_are_put_back(tmp_path, before_step, engine, earlier):
    ours = signal.signal(signal.SIGTERM, earlier)
    try:
        before_step({5: send(signal.SIGTERM)})
        with pytest.raises(KeyboardInterrupt):
            carry_out(study_runs(WORDS, tmp_path), engine)
        assert position(tmp_path)[1] > 0
        assert signal.getsignal(signal.SIGTERM) is earlier
    finally:
        signal.signal(signal.SIGTERM, ours)


class Handlers(Listener):
    """Notes who handles Ctrl-C while it trains."""

    def __init__(self):
        self.found = set()

    def advanced(self, num_epochs, num_images):
        self.found.add(signal.getsignal(signal.SIGINT))


@both_engines
def test_outside_the_main_thread_and_without_snapshots_nothing_is_handled(tmp_path, before_step, engine):
    words, listener = WORDS[:9], Handlers()
    thread = threading.Thread(target=carry_out, args=(study_runs(words, tmp_path / "thread"), engine, listener))
    thread.start()
    thread.join()
    carry_out(study_runs([*words, "trainer.snapshot_seconds=null"], tmp_path / "never"), engine, listener)
    assert listener.found == {signal.getsignal(signal.SIGINT)}
    carry_out(study_runs(words, tmp_path / "main"), engine, listener)
    assert len(listener.found) == 2


@both_engines
def test_an_interrupt_in_the_last_evaluation_is_not_lost(tmp_path, engine):
    class Last(Listener):
        def ended(self, name, result):
            send(signal.SIGINT)()

    runs = study_runs([*WORDS[:9], "seed=1"], tmp_path)
    with pytest.raises(KeyboardInterrupt):
        carry_out(runs, engine, Last())
    assert [run.is_complete() for run in runs] == [True]
    assert not list(tmp_path.glob(f"*/{SNAPSHOT}"))


@both_engines
def test_what_cannot_be_saved_is_said(tmp_path, before_step, engine):
    runs, listener = study_runs([*WORDS[:4], "model.hidden=[512]"], tmp_path), Stop(-1)
    before_step({5: send(signal.SIGINT)})
    with largest_file(2**17), pytest.raises(KeyboardInterrupt):
        carry_out(runs, engine, listener)
    assert listener.remarks == [SAID, f"not saved: {runs[0].folder / SNAPSHOT}: File too large"]


def test_a_command_is_ended_by_two_signals_at_once(tmp_path):
    words = ["data=digits", "trainer.max_epochs=100000", "logger=none", "hydra.run.dir=run"]
    process = WITH_TORCH.start(Command(words, str(tmp_path)))
    wait_for(tmp_path / "run" / "history.csv")
    os.kill(process, signal.SIGINT)
    os.kill(process, signal.SIGTERM)
    ended = WITH_TORCH.wait(process)
    assert ended.code == 130
    assert ended.err.endswith("mlp_study: error: interrupted\n")
