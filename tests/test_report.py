"""Figures of a study, through the command line and the files it leaves."""

import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import WITHOUT_TORCH, run_command
from PIL import Image

import mlp_study as ms
from mlp_study.errors import UserError
from mlp_study.figures.chosen import Choices
from mlp_study.figures.study_figures import drawings
from mlp_study.runs.result import read_result

BEST = "optim=adam, init=glorot, optim.lr=0.01"


def report(folder, *words):
    return run_command(*map(str, words), cwd=folder, module="mlp_study.report", warm=WITHOUT_TORCH)


def test_report_of_a_grid_draws_curves_and_heat_maps_without_torch(grid, tmp_path):
    grid = shutil.copytree(grid, tmp_path / "study")
    done = report(tmp_path, "study")
    assert done.code == 0, done.err
    names = {
        f"{name}.{ending}"
        for name in ("curves", "digits", "panels_loss", "panels_acc", "heat_map_best_val_acc", "heat_map_train_loss")
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
    before = (grid / "figures" / "heat_map_best_val_acc.png").read_bytes()
    assert report(tmp_path, "study").code == 0
    assert (grid / "figures" / "heat_map_best_val_acc.png").read_bytes() == before


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


@pytest.fixture(name="copy")
def a_copy(best_last, tmp_path):
    return shutil.copytree(best_last, tmp_path / "study")


def texts(figure):
    """Whatever is written in a figure."""
    found = [text.get_text() for axis in figure.axes for text in axis.texts]
    found += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return [*found, figure.get_suptitle().replace("\n", " ")]


def test_the_best_setting_is_in_every_table_and_figure_though_it_comes_last(best_last):
    printed = (best_last / "printed.txt").read_text()
    first = next(line for line in printed.splitlines() if line.startswith(" best"))
    assert first.split()[1:4] == ["adam", "glorot", "0.01"]
    for name in ("cells.csv", "study.csv"):
        row = pd.read_csv(best_last / name).iloc[0]
        assert (row["optim"], row["init"], row["optim.lr"]) == ("adam", "glorot", 0.01)
    found = {name: figure for name, figure in drawings(best_last, Choices(best=3)).items() if figure is not None}
    assert set(found) == {
        "curves", "digits", "learning_rates", "panels_loss", "panels_acc", "heat_map_optim_init",
        "heat_map_optim_optim.lr", "heat_map_init_optim.lr",
    }  # fmt: skip
    curves = texts(found["curves"])
    assert curves[0] == "init=glorot, optim.lr=0.01"  # all three are adam's
    assert "the best 3 of 12 settings, by the mean of best_val_acc; the other 9 are in" in curves[-1]
    assert "all with optim=adam" in curves[-1]
    assert texts(found["learning_rates"])[0] == "optim=adam, init=glorot"
    best = f"* {pd.read_csv(best_last / 'cells.csv')['best_val_acc'][0]:.3f}"
    places = {"heat_map_optim_init": (2, 1), "heat_map_init_optim.lr": (1, 2), "heat_map_optim_optim.lr": (1, 1)}
    for name, place in places.items():
        (marked,) = [text for text in found[name].axes[0].texts if text.get_text().startswith("*")]
        assert marked.get_text() == best
        assert marked.get_position() == place
        assert "* the best setting of all" in texts(found[name])[-1]


def test_axes_legends_and_colours_follow_what_was_typed(best_last):
    found = drawings(best_last, Choices(best=12, panel=("init",), colour="optim.lr"))
    titles = [axis.get_title() for axis in found["panels_acc"].axes]
    assert titles == ["init=zeros", "init=small", "init=glorot"]
    legend = [text.get_text() for text in found["panels_acc"].legends[0].get_texts()]
    rates = [f"optim.lr={rate}, {part}" for rate in ("0.0003", "0.01") for part in ("training", "validation")]
    assert legend == [*rates, "line: mean, band: lowest to highest of 2 seeds"]
    assert "of each line the best over optim" in texts(found["panels_acc"])[-1]
    labels = found["heat_map_init_optim.lr"].axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["zeros", "small", "glorot"]
    looks = {
        line.get_label(): (line.get_color(), line.get_linestyle(), line.get_marker())
        for line in found["curves"].axes[0].get_lines()
    }
    assert len(looks) == len(set(looks.values())) == 12
    for i, value in enumerate(["optim.lr=0.0003", "optim.lr=0.01"]):  # the colour asked for, by its place
        assert {look[0] for label, look in looks.items() if value in label} == {["#0072B2", "#D55E00"][i]}
    for value in ("optim=sgd", "optim=adam"):  # dashes are the next setting's, markers the last one's
        assert len({look[1] for label, look in looks.items() if value in label}) == 1
    for value in ("init=zeros", "init=small", "init=glorot"):
        assert len({look[2] for label, look in looks.items() if value in label}) == 1
    (line,) = drawings(best_last, Choices(best=1, colour="optim.lr"))["curves"].axes[0].get_lines()
    assert (line.get_color(), line.get_linestyle(), line.get_marker()) == looks[BEST]  # it looks the same with fewer


def test_an_axis_of_accuracies_shows_where_good_runs_differ_and_says_what_is_below(best_last):
    found = drawings(best_last, Choices(best=12))
    axis = found["curves"].axes[3]
    assert axis.get_ylim()[0] > 0.5
    assert "below the axis of accuracies" in texts(found["curves"])[-1]
    low = axis.get_ylim()[0]
    num = sum(max(line.get_ydata()) < low for axis in found["curves"].axes[2:] for line in axis.get_lines())
    assert f"{num} lines lie below" in texts(found["curves"])[-1]


def test_what_is_asked_for_is_drawn_and_what_is_not_drawn_is_said(copy, tmp_path):
    words = ["--where", "optim=sgd", "--where", "init=small,glorot", "--best", "2", "--x", "optim.lr"]
    done = report(tmp_path, "study", *words, "--colour", "init", "--panel", "init", "--out", "mine")
    assert done.code == 0, done.err
    assert "curves: the best 2 of 4 settings" in done.err
    assert {path.stem for path in (tmp_path / "mine").iterdir()} >= {"curves", "learning_rates", "panels_acc"}
    assert done.out.splitlines()[0] == "mine/curves.png"
    assert (copy / "study.html").exists()
    plotted = ms.open(copy).plot("curves", where={"optim": "sgd"}, best=1)
    assert len(plotted["curves"].axes[0].get_lines()) == 1


@pytest.mark.parametrize(("words", "said"), [
    (["--where", "optm=sgd"], "unknown swept setting 'optm'. Did you mean optim? Known: optim, init, optim.lr"),
    (["--where", "optim=rmsprop"], "--where optim=rmsprop: no run has 'rmsprop'; expected sgd, adam"),
    (["--where", "optim"], "--where optim: expected KEY=VALUE"),
    (["--x", "init"], "--x init: expected a setting with several values that are numbers"),
    (["--best", "0"], "--best 0: expected a number of lines >= 1"),
    (["--panel", "depth"], "--panel depth: unknown swept setting"),
    (["--panel", "optim,init,optim.lr"], "expected one setting, or two"),
])  # fmt: skip
def test_a_wrong_choice_is_one_line(copy, tmp_path, words, said):
    done = report(tmp_path, "study", *words)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert not (copy / "figures").exists()


def test_runs_that_have_not_ended_are_drawn_as_far_as_they_are(copy, tmp_path):
    for path in copy.glob("*/result.json"):
        path.unlink()
    done = report(tmp_path, "study", "--where", "optim.lr=0.01", "--where", "init=glorot")
    assert done.code == 0, done.err
    assert "4 runs unfinished" in done.err
    assert (copy / "figures" / "curves.png").exists()


def test_two_studies_are_compared_setting_by_setting(copy, best_last, tmp_path):
    for path in copy.glob("optim=sgd,init=glorot,optim.lr=0.01,*/result.json"):  # clearly better than it was
        text, value = path.read_text(), read_result(path.parent).metrics["best_val_acc"]
        path.write_text(text.replace(f'"best_val_acc": {value!r}', '"best_val_acc": 0.9'))
    for folder in copy.glob("optim=adam,init=zeros,*"):
        shutil.rmtree(folder)
    done = report(tmp_path, best_last, copy, "--out", "both")
    assert done.code == 0, done.err
    frame = pd.read_csv(tmp_path / "both" / "comparison.csv")
    a, b = (f"{folder.parent.name}/study" for folder in (best_last, copy))
    assert len(frame) == 12
    by = frame.set_index(["optim", "init", "optim.lr"])
    assert by.loc[("sgd", "glorot", 0.01), f"{b} is"] == "clearly better"
    assert by.loc[("sgd", "small", 0.01), f"{b} is"] == "no clear difference"
    assert by.loc[("adam", "zeros", 0.01), f"{b} is"] == f"only in {a}"
    assert by.loc[("sgd", "small", 0.01), f"{b} - {a}"] == 0
    assert {path.name for path in (tmp_path / "both").iterdir()} == {
        "comparison.csv", "comparison.png", "comparison.svg", "study.html",
    }  # fmt: skip
    assert "2 settings are not in every study" in done.err
    same = report(tmp_path, copy, copy)
    assert same.code == 2
    assert "different directories" in same.err


def test_choices_of_a_study_from_python_are_checked(best_last):
    with pytest.raises(UserError, match="unknown swept setting"):
        ms.open(best_last).plot(where={"lr": 1})
