"""hydra/launcher=ray before it reaches a cluster; `make cluster-test` has one."""

import pytest
from conftest import WITHOUT_TORCH
from warm import Command


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("max_members=2", "hydra/launcher=ray: needs Ray; pip install 'mlp_study[ray]'"),
        ("address=somewhere", "hydra.launcher.address=somewhere: expected null, auto or HOST:PORT"),
        ("address=ray://head:10001", "hydra.launcher.address=ray://head:10001: expected null, auto or HOST:PORT"),
        ("cpus_per_task=0", "hydra.launcher.cpus_per_task=0: expected a whole number >= 1"),
        ("cpus_per_task=1.5", "hydra.launcher.cpus_per_task=1.5: expected a whole number >= 1"),
        ("gpus_per_task=2", "hydra.launcher.gpus_per_task=2: expected null or a number from 0 to 1"),
        ("gpus_per_task=many", "hydra.launcher.gpus_per_task=many: expected null or a number from 0 to 1"),
        ("workers=0", "hydra.launcher.workers=0: expected auto or a whole number >= 1"),
        ("max_members=0", "hydra.launcher.max_members=0: expected null or a whole number >= 1"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_starts(tmp_path, word, message):
    words = ["-m", "data=digits", "seed=0,1", "hydra/launcher=ray", f"hydra.launcher.{word}", "hydra.sweep.dir=study"]
    (ended,) = WITHOUT_TORCH.run(Command(words, str(tmp_path), before="without_ray"))
    assert (ended.code, ended.err) == (2, f"mlp_study: error: {message}\n")
    assert not (tmp_path / "study").exists()
    assert "torch" not in ended.imported
