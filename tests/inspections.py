"""What tests of `mlp inspect` share: a short training."""

from conftest import run_command


def train(folder, name, *overrides):
    outcome = run_command(
        "experiment=quick", "trainer.max_epochs=2", "logger=none", f"hydra.run.dir={name}", *overrides, cwd=folder
    )
    assert outcome.code == 0, outcome.err
    return folder / name
