"""Settings that the data, or the machine, cannot follow: refused before anything starts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import WITHOUT_TORCH, run_command
from sklearn.model_selection import train_test_split

from mlp_study.choices.optimizers import OPTIMIZERS
from mlp_study.config.memory import check_fits
from mlp_study.config.sections import Digits
from mlp_study.data.split import check_stratified
from mlp_study.errors import UserError
from mlp_study.sweeps.checks import check_ready
from mlp_study.sweeps.words import single_run

QUICK = ["data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "logger=none", "model.hidden=[4]"]


@pytest.mark.parametrize("counts", [[5, 5], [50, 1], [30, 30, 2], [10] * 10, [2] * 40, [1], [3, 3, 3]])
@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.3, 0.6, 0.9, 0.97])
def test_whether_a_split_can_be_stratified_is_scikit_learns_rule(counts, fraction):
    labels = np.repeat(np.arange(len(counts)), counts)
    data = Digits(stratify=True, val_fraction=fraction, batch_size=1)
    try:
        train_test_split(labels, test_size=fraction, stratify=labels)
        can_be = True
    except ValueError:
        can_be = False
    try:
        check_stratified(data, labels)
    except UserError:
        assert not can_be
    else:
        assert can_be
    check_stratified(replace(data, stratify=False, val_fraction=0.0), labels)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data.stratify=true", "data.val_fraction=0.005"], "leaves 8 validation images for 10 classes"),
        (["model.hidden=[100000000000000000000]"], "10^21 weights"),
        (["model.hidden=[10,1000000,1000000]", "optim=adam"], "optimizer's state take 14,9"),
        (["data.batch_size=100000000000000000000"], "larger than the training split"),
    ],
)
def test_what_cannot_be_is_refused_before_torch_is_imported(tmp_path, words, said):
    done = run_command(*QUICK, *words, cwd=tmp_path, warm=WITHOUT_TORCH)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
    assert not {"torch", "lightning"} & set(done.imported)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_numbers_that_an_optimizer_keeps_for_a_weight(name, monkeypatch):
    config = single_run([f"optim={name}", "model.hidden=[30]"]).config
    weights = torch.nn.Parameter(torch.ones(50, 50))
    weights.grad = torch.ones_like(weights)
    optimizer = config.optim.over([weights])
    optimizer.step()
    kept = sum(value.numel() for value in optimizer.state[weights].values() if torch.is_tensor(value))
    assert kept // weights.numel() == config.optim.STATES
    needed = 4 * (2 + config.optim.STATES) * (785 * 30 + 31 * 10)
    monkeypatch.setattr("mlp_study.config.memory.physical_memory", lambda: needed)
    check_fits(config, 784, 10)
    check_ready(config)
    monkeypatch.setattr("mlp_study.config.memory.physical_memory", lambda: needed - 1)
    with pytest.raises(UserError, match=r"model.hidden=\[30\]: 23,860 weights"):
        check_ready(config)
    check_fits(config, 784, 10, is_trained=False)
