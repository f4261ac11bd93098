"""The number of threads follows what is measured, and changes no bit of a result."""

import pytest
import torch
from test_one_path import histories

from mlp_study.engines import device
from mlp_study.engines.stack import trainer
from mlp_study.engines.threads import Threads
from mlp_study.execution.carry_out import carry_out
from mlp_study.sweeps.words import study_runs


class Machine:
    """Steps that take so many seconds with one thread and with two."""

    def __init__(self, one, two):
        self.seconds, self.now, self.threads, self.steps = {1: one, 2: two}, 0.0, 0, 0
        self.spent = {1: 0.0, 2: 0.0}

    def use(self, number):
        self.threads = number

    def train(self, threads, seconds):
        until = self.now + seconds
        self.spent = {1: 0.0, 2: 0.0}
        while self.now < until:
            self.now += self.seconds[self.threads]
            self.spent[self.threads] += self.seconds[self.threads]
            threads.stepped()


def threads_of(machine, **settings):
    return Threads(2, clock=lambda: machine.now, use=machine.use, **settings)


def test_the_better_number_is_used_whatever_the_machine_does_meanwhile():
    machine = Machine(one=0.010, two=0.006)
    threads = threads_of(machine)
    machine.train(threads, 60)
    assert threads.number == 2
    assert machine.spent[1] < 0.08 * 60  # of which it would have been more than half anyway
    machine.seconds = {1: 0.015, 2: 0.150}  # others have come
    machine.train(threads, 60)
    assert threads.number == 1
    assert machine.spent[2] < 0.08 * 60
    machine.seconds = {1: 0.010, 2: 0.006}  # and gone
    machine.train(threads, 60)
    assert threads.number == 2
    assert machine.spent[1] < 0.2 * 60


def test_a_step_that_falls_off_the_cliff_is_tried_rarely():
    machine = Machine(one=0.010, two=0.500)
    threads = threads_of(machine)
    machine.train(threads, 200)
    assert threads.number == 1
    assert machine.spent[2] < 0.1 * 200 + 2


def test_where_the_result_depends_on_it_the_number_stays():
    machine = Machine(one=0.001, two=0.5)
    threads = threads_of(machine, changes=False)
    machine.train(threads, 20)
    assert machine.spent[1] == 0


@pytest.mark.parametrize(
    "word",
    [
        *(f"model.activation={name}" for name in ("tanh", "relu", "sigmoid", "gelu", "softplus")),
        "trainer.precision=64-true", "model.batch_norm=true", "loss=binary_cross_entropy",
    ],
)  # fmt: skip
def test_bytes_do_not_depend_on_when_it_changes(tmp_path, monkeypatch, word):
    class Alternating(Threads):
        def stepped(self):
            self.number = 3 - self.number
            torch.set_num_threads(self.number if is_alternating else 1)

    monkeypatch.setattr(device, "_all_threads", lambda: 2)
    monkeypatch.setattr(device, "FLOPS_PER_THREAD", 1)
    monkeypatch.setattr(trainer, "Threads", Alternating)
    words = [
        "data=digits", "logger=none", "trainer.max_epochs=2", "trainer.limit_train_batches=3", "data.batch_size=127",
        "model.hidden=[255,77]", word, "optim=sgd,adam", "seed=0,1", "model.dropout=0.3",
    ]  # fmt: skip
    found = []
    try:
        for is_alternating in (False, True):
            runs = study_runs(words, tmp_path / str(is_alternating))
            carry_out(runs)
            found.append(histories(runs))
    finally:
        torch.set_num_threads(1)
    assert found[0] == found[1]
    assert len(found[0]) == 4
