"""The example notebook, executed from top to bottom in a kernel of its own, shows what its text says."""

import re
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient

pytestmark = pytest.mark.long

NOTEBOOK = Path(__file__).parents[1] / "examples" / "a_study.ipynb"


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> dict[str, list]:
    """The outputs of each cell, by the cell's id, after a run in an empty directory."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        # Nothing of the user's own is read or written: no settings, no start-up files, no history.
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(folder / ".jupyter"))
        # Without directories of kernels to look into, what is left is the Python that runs this test.
        kernel = AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
        assert kernel.kernel_spec.argv[0] == sys.executable
        client = NotebookClient(
            notebook,
            km=kernel,
            timeout=120,
            shutdown_kernel="immediate",  # a Python that has torch takes two seconds to end in good order
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(cleanup_kc=True)
    assert (folder / "outputs" / "digits" / "study.csv").is_file()
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def text(outputs: list) -> str:
    return "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")


def html(outputs: list) -> str:
    return "".join(output.data.get("text/html", "") for output in outputs if output.output_type == "execute_result")


def table(outputs: list) -> list[dict[str, str]]:
    """The rows of a DataFrame as it was shown, without its index."""
    lines = re.findall(r"<tr.*?>(.*?)</tr>", html(outputs), re.DOTALL)
    names = re.findall(r"<th>(.*?)</th>", lines[0])[1:]
    values = [re.findall(r"<td>(.*?)</td>", line) for line in lines]
    return [dict(zip(names, row, strict=True)) for row in values if row]


def test_the_notebook_is_ten_cells_and_kept_without_outputs():
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert len(cells) == 10
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def test_zeros_do_not_train_and_glorot_does(shown):
    rows = table(shown["table"])
    assert [row["n"] for row in rows] == ["3"] * 6
    assert rows[0]["init"] == "glorot"
    accuracies = {(row["optim"], row["init"]): float(row["best_val_acc"]) for row in rows}
    for optimizer in ("sgd", "adam"):
        zeros, large, glorot = (accuracies[optimizer, init] for init in ("zeros", "large", "glorot"))
        assert zeros < 0.2 < large < glorot
        assert glorot > 0.9


def test_the_figures_are_pictures_by_name(shown):
    pictures = re.findall(r'<img alt="(\w+)" src="data:image/png;base64,(\w+)', html(shown["figures"]))
    assert {"curves", "digits", "panels_acc", "heat_map_best_val_acc"} <= {name for name, _ in pictures}
    assert all(data.startswith("iVBORw0KGgo") for _, data in pictures)


def test_a_cell_has_a_spread_and_its_curves(shown):
    said = text(shown["cell"])
    assert "weights: 0.0\n" in said
    assert float(said.split("std")[1]) > 0
    curves = [[float(accuracy) for accuracy in row.values()] for row in table(shown["cell"])]
    assert len(curves) == 10
    # All three seeds are still rising when training ends.
    assert all(last > before for last, before in zip(curves[-1], curves[-3], strict=True))


def test_a_larger_rate_helps(shown):
    accuracies = {row["optim.lr"]: float(row["best_val_acc"]) for row in table(shown["rates"])}
    assert accuracies["0.100"] > accuracies["0.001"] + 0.2


def test_the_best_run_predicts_raw_images_as_it_was_tested(shown):
    assert text(shown["best"]).startswith("Run('optim=")
    assert [row["epoch"] for row in table(shown["best"])] == [str(epoch) for epoch in range(1, 11)]
    now, recorded = re.findall(r"(?:accuracy|record): ([\d.]+)", text(shown["network"]))
    assert now == recorded
    assert float(now) > 0.8


def test_own_arrays_are_learnt_and_predicted_by_their_classes(shown):
    assert re.search(r"predicted:( (setosa|versicolor|virginica)){4} ", text(shown["own"]))
    assert int(re.search(r"right: (\d+) of 30", text(shown["own"]))[1]) > 24


def test_everything_is_found_again_on_disk(shown):
    study, best, flowers = text(shown["open"]).splitlines()
    assert study == "Study('outputs/digits', 18 runs)"
    assert best == text(shown["best"]).strip()
    assert "completed" in flowers
