"""A wheel of this project works from anywhere: conf/, the plugins and MNIST are in it."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

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
idx.read_parts(idx.find(idx.SHIPPED_MNIST, "MNIST"))
from hydra_plugins.mlp_study_plugins import stacked_launcher
assert stacked_launcher.__file__.startswith(site), stacked_launcher.__file__
"""


RELATIVE_LINK = re.compile(r"\]\((?!https?://|#)([^)\s]*)\)")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The archive that is published, of the working tree."""
    folder = tmp_path_factory.mktemp("source")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", folder]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (archive,) = folder.iterdir()
    return archive


def test_the_source_archive_has_whatever_its_documents_lead_to(source):
    with tarfile.open(source) as archive:
        top = archive.getnames()[0].split("/")[0]
        names = {name.removeprefix(f"{top}/") for name in archive.getnames()}
        documents = ["README.md", "REPRODUCTION.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        assert {*documents, "LICENSE", "Makefile", "pyproject.toml", "tests/conftest.py"} <= names
        links = set()
        for document in documents:
            links |= set(RELATIVE_LINK.findall(archive.extractfile(f"{top}/{document}").read().decode()))
    assert "benchmarks/reproduction/A1.png" in links
    assert links <= names
    assert not [name for name in names if name.startswith((".ci", "outputs", ".venv")) or "__pycache__" in name]


def test_what_a_package_index_shows_has_no_dead_link(source):
    with tarfile.open(source) as archive:
        top = archive.getnames()[0].split("/")[0]
        shown = archive.extractfile(f"{top}/PKG-INFO").read().decode()
    head, _, text = shown.partition("\n\n")
    assert "Description-Content-Type: text/markdown" in head
    assert "Classifier: Intended Audience :: Science/Research" in head
    assert "Keywords: " in head
    assert "*What makes a multilayer perceptron train" in text
    assert "[Ray](https://docs.ray.io)" in text
    assert "\nREPRODUCTION.md has a verdict for each claim" in text
    assert not RELATIVE_LINK.findall(text)


def test_relative_pictures_go_with_their_lines():
    sys.path.insert(0, str(ROOT))
    try:
        from hatch_build import without_relative_links
    finally:
        sys.path.remove(str(ROOT))
    text = (
        "# A\n\n![a page](docs/a.png)\n\n[![b](docs/b.png)](docs/b.html)\n\nSee [C](C.md) and ![d](d.png), [E](#e).\n"
    )
    assert without_relative_links(text) == "# A\n\nSee C and , [E](#e).\n"
    kept = "![badge](https://example.org/a.svg) [x](https://example.org)\n"
    assert without_relative_links(kept) == kept


def test_a_wheel_trains_sweeps_and_reports_from_another_directory(tmp_path, source):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-python-version-warning"]
    environment = {**os.environ, "PIP_NO_INDEX": "1"}
    wheels, site, elsewhere = tmp_path / "wheels", tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source]
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
