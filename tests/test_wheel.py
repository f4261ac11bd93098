"""A wheel of this project works from anywhere: conf/, the plugins and MNIST are in it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
# One process: importing torch takes longer than all of this.
SCRIPT = """
import sys
import mlp_study
from mlp_study.__main__ import main
from mlp_study.sweeps.explain import conf_dir
site = sys.argv[1]
assert mlp_study.__file__.startswith(site), mlp_study.__file__
assert str(conf_dir()).startswith(site), conf_dir()
words = ["data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=3"]
main(["train", *words, "hydra.run.dir=run"])
main(["train", "-m", "optim=sgd,adam", "seed=0,1", *words, "hydra.sweep.dir=study"])
main(["report", "study"])
from mlp_study.data import idx
idx.stage(idx.find(idx.SHIPPED_MNIST, "MNIST"), into=None)
from hydra_plugins.mlp_study_plugins import stacked_launcher
assert stacked_launcher.__file__.startswith(site), stacked_launcher.__file__
"""


def test_a_wheel_trains_sweeps_and_reports_from_another_directory(tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-python-version-warning"]
    environment = {**os.environ, "PIP_NO_INDEX": "1"}
    wheels, site, elsewhere = tmp_path / "wheels", tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, ROOT]
    done = subprocess.run(build, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = wheels.iterdir()
    names = zipfile.ZipFile(wheel).namelist()
    assert {"mlp_study/conf/train.yaml", "mlp_study/py.typed", "mlp_study/inspect/__main__.py"} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "outputs/", "examples/"))]
    install = [*pip, "install", "--no-deps", "--target", site, wheel]
    done = subprocess.run(install, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, site], cwd=elsewhere, env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list(elsewhere.glob("study/*/result.json"))) == 4
    assert (elsewhere / "study" / "figures" / "curves.png").is_file()
    assert (elsewhere / "study" / "study.html").is_file()
