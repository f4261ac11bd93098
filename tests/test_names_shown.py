"""Values that look like markup, formulas or control codes show as they are, in tables and figures."""

import numpy as np
import pandas as pd
from rich.console import Console

import mlp_study as ms
from mlp_study.figures.study_figures import drawings
from mlp_study.runs.cells import read_cells
from mlp_study.runs.shown import show
from mlp_study.showing import Columns, label, printable
from mlp_study.sweeps.sweep import tables

ODD = ["[relu,tanh]", "[/b]", "a$x^2$b", "[bold red]x", "$"]


def arrays(path):
    path.parent.mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    np.savez(path, X=generator.normal(size=(40, 3)), y=np.arange(40) % 2)
    return str(path)


def test_names_of_files_that_look_like_markup(tmp_path, capsys):
    files = [arrays(tmp_path / f"{name}.npz") for name in ODD]
    words = {"data": "arrays", "data.file": files, "data.batch_size": 8, "trainer.max_epochs": 1, "logger": "none"}
    study = ms.sweep(words, folder=tmp_path / "study")
    show(*tables(study.folder), study.folder)
    printed = capsys.readouterr().out
    for path in files:
        assert path.removeprefix(str(tmp_path)) in printed
    assert {cell.settings["data.file"].strip("'") for cell in read_cells(study.folder)} == set(files)
    for figure in drawings(study.folder).values():
        if figure is not None:
            figure.savefig(tmp_path / "figure.svg")
    curves = study.plot("curves")["curves"]
    texts = [text.get_text() for text in curves.legends[0].get_texts()]
    assert len(texts) == len(ODD)
    assert all("$" not in text.replace(r"\$", "") for text in texts)


def test_a_list_of_layers_has_its_own_column(tmp_path, capsys):
    words = [
        "data=digits",
        "model.hidden=[8,8]",
        "model.activation=[relu,tanh],[tanh,relu]",
        "callbacks=[checkpoint],[]",
    ]
    ms.sweep(*words, "trainer.max_epochs=1", "trainer.limit_train_batches=2", "logger=none", folder=tmp_path / "study")
    show(*tables(tmp_path / "study"), tmp_path / "study")
    printed = capsys.readouterr().out
    assert printed.count("[relu,tanh]") >= 2
    assert printed.count("[checkpoint]") >= 2
    assert set(pd.read_csv(tmp_path / "study" / "study.csv")["model.activation"]) == {"[relu,tanh]", "[tanh,relu]"}


def test_what_cannot_be_printed_is_written_out():
    assert printable("é 猫 [b]") == "é 猫 [b]"
    assert printable("two\nlines\x1b[2J\u202e\udcff") == r"two\nlines\x1b[2J\u202e\udcff"
    assert label("cost $5$\n") == r"cost \$5\$\n"


def test_a_table_shows_cells_as_they_are():
    columns = Columns("[b]title[/b]")
    columns.column("[i]heading")
    for value in ODD:
        columns.row(value)
    console = Console(width=80, record=True)
    console.print(columns.table)
    printed = console.export_text()
    assert all(text in printed for text in [*ODD, "[b]title[/b]", "[i]heading"])
