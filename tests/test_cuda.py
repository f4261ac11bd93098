"""On a CUDA device: the same numbers as on the processor, and no waiting for the device inside an epoch."""

import numpy as np
import pytest
import torch

from mlp_study.choices.optimizers import OPTIMIZERS
from mlp_study.engines.attempt import Attempt
from mlp_study.engines.image_data import ImageData
from mlp_study.engines.learner import Learner
from mlp_study.engines.snapshot import Saver
from mlp_study.engines.stack.trainer import StackTrainer
from mlp_study.runs.listener import Listener
from mlp_study.sweeps.words import study_runs

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
WORDS = (
    "data=digits", "logger=none", "model.hidden=[20,12]", "model.activation=sigmoid", "trainer.limit_train_batches=7",
)  # fmt: skip


def trainer_of(folder, device, *words):
    runs = study_runs([*WORDS, *words], folder)
    data = ImageData.of(runs[0].config, torch.device(device))
    attempts = [Attempt(run, Listener()) for run in runs]
    for attempt in attempts:
        attempt.run.folder.mkdir(parents=True)
        attempt.begin(data, Learner)
    return StackTrainer(attempts, data, Listener(), Saver(runs, "stack"))


@pytest.mark.parametrize(("precision", "tolerance"), [("64-true", 1e-9), ("32-true", 1e-4)])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_losses_are_those_of_the_processor(tmp_path, name, precision, tolerance):
    words = (f"optim={name}", "seed=0,1", f"trainer.precision={precision}")
    there, here = (trainer_of(tmp_path / device, device, *words) for device in ("cuda:0", "cpu"))
    for _ in range(2):
        found = [trainer.train_epoch() for trainer in (there, here)]
        np.testing.assert_allclose(found[0][0].cpu(), found[1][0], rtol=tolerance)
        np.testing.assert_allclose(found[0][1].cpu(), found[1][1], atol=0 if tolerance < 1e-6 else 2)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("more", ["model.dropout=0.2", "model.batch_norm=true", "schedule=cosine", "model.l2=0.01"])
def test_no_step_of_an_epoch_waits_for_the_device(tmp_path, more):
    trainer = trainer_of(tmp_path, "cuda:0", f"optim={','.join(OPTIMIZERS)}", "seed=0,1", more)
    trainer.train_epoch()
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses, hits, _ = trainer.train_epoch()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert losses.isfinite().all()
    assert hits.min() >= 0
