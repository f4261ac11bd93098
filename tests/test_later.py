"""What a command imports, and modules that are executed later."""

import importlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import run_command
from mnist_part import idx_folder
from PIL import Image

from mlp_study.engines.later import stand_in


@pytest.mark.long
def test_training_and_predicting_import_what_they_use(tmp_path):
    idx_folder(tmp_path / "mnist", num_train=200)
    done = run_command(
        "data.root=mnist", "trainer.max_epochs=1", "callbacks=checkpoint", "hydra.run.dir=run", cwd=tmp_path
    )
    assert done.code == 0, done.err
    digit = np.zeros((28, 28), np.uint8)
    digit[6:22, 13:15] = 255
    Image.fromarray(digit).save(tmp_path / "one.png")
    program = Path(__file__).with_name("few_modules.py")
    done = subprocess.run(
        [sys.executable, program, "run", "one.png"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that says when it is executed, in its place a module that knows `known`."""
    folder = tmp_path / "patient"
    folder.mkdir()
    (folder / "__init__.py").write_text("known, other, executed = 1, 2, True\n")
    (folder / "inner.py").write_text("import patient\nhas_parent = patient.executed\n")
    monkeypatch.syspath_prepend(tmp_path)
    stand_in(find_spec("patient"), {"known": lambda: 0})
    yield sys.modules["patient"]
    for name in ("patient", "patient.inner"):
        sys.modules.pop(name, None)


def test_a_name_that_is_known_executes_nothing(package):
    from patient import known

    assert known == 0
    assert "executed" not in vars(package)


def test_another_name_makes_it_the_real_one(package):
    assert package.known == 0
    assert package.other == 2
    assert package.known == 1
    assert importlib.import_module("patient") is package


def test_what_is_inside_finds_it_executed(package):
    from patient.inner import has_parent

    assert has_parent
    assert package.known == 1


def test_all_its_names_are_the_real_ones(package):
    names = {}
    exec("from patient import *", names)
    assert names["known"] == 1


def test_a_name_that_it_does_not_have_is_an_error(package):
    with pytest.raises(ImportError, match="cannot import name 'nothing' from 'patient'"):
        from patient import nothing  # noqa: F401
