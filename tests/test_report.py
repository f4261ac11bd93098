"""Figures of a study, through the command line and the files it leaves."""

import shutil

import numpy as np
from conftest import WITHOUT_TORCH, run_command
from PIL import Image


def report(folder, study):
    return run_command(study, cwd=folder, module="mlp_study.report", warm=WITHOUT_TORCH)


def test_report_of_a_grid_draws_curves_and_heat_maps_without_torch(grid, tmp_path):
    grid = shutil.copytree(grid, tmp_path / "study")
    done = report(tmp_path, "study")
    assert done.code == 0, done.err
    names = {
        f"{name}.{ending}"
        for name in ("curves", "digits", "panels_loss", "panels_acc", "heat_map_val_acc", "heat_map_train_loss")
        for ending in ("png", "svg")
    }
    assert names == {path.name for path in (grid / "figures").iterdir()}
    assert "matplotlib" in done.imported
    assert not {"torch", "lightning"} & set(done.imported)
    with Image.open(grid / "figures" / "curves.png") as picture:
        assert picture.width > 1000
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 50
    svg = (grid / "figures" / "curves.svg").read_text()
    assert "<svg" in svg
    before = (grid / "figures" / "heat_map_val_acc.png").read_bytes()
    assert report(tmp_path, "study").code == 0
    assert (grid / "figures" / "heat_map_val_acc.png").read_bytes() == before


def test_seeds_become_one_line(tmp_path):
    from mlp_study.runs.cells import read_cells

    run_command(
        "-m", "experiment=quick", "seed=0,1,2", "optim.lr=0.1,1e6", "logger=none", "hydra.sweep.dir=study", cwd=tmp_path
    )
    cells = read_cells(tmp_path / "study")
    assert [(cell.label, len(cell.histories)) for cell in cells] == [("optim.lr=0.1", 3), ("optim.lr=1000000.0", 3)]
    losses = cells[0].curve("train_loss")
    assert losses.shape == (len(cells[0].histories[0]), 3)
    assert (cells[0].metric("train_loss") == losses.iloc[-1].to_numpy()).all()
    assert report(tmp_path, "study").code == 0
    assert (tmp_path / "study" / "figures" / "learning_rates.png").is_file()


def test_report_of_nothing_is_one_line(tmp_path):
    done = report(tmp_path, ".")
    assert done.code == 2
    assert "holds no run with a finished epoch" in done.err.splitlines()[-1]
