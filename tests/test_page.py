"""study.html: what it knows, what a reader can do with it in a real browser, how it is kept while a study trains."""

import json
import os
import re
import shutil
import time
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import CHROMIUM, Addresses, browse

from mlp_study.execution import live_page
from mlp_study.execution.carry_out import carry_out
from mlp_study.execution.heartbeat import Heartbeat
from mlp_study.page.importance import importance
from mlp_study.page.packed_curves import curves
from mlp_study.page.page_data import page_data
from mlp_study.page.reading_runs import Reader
from mlp_study.page.study_page import page, write_page
from mlp_study.runs.asked import ask
from mlp_study.sweeps.words import study_runs

SHORT = ["data=digits", "trainer.max_epochs=3", "model.hidden=[16]"]
BEST = "optim=adam, init=glorot, optim.lr=0.01"
PROBE = (Path(__file__).parent / "page_probe.js").read_text()
EVIL = "<b class='injected'>x</b><img src=x onerror='document.body.dataset.evil=1'></script>"


@pytest.fixture(name="study")
def the_study(best_last):
    return best_last


def data_of(*folders):
    # Without the forest, which takes a second.
    return page_data(folders, *Reader(folders).read(), is_live=True) | {"live": False}


def probed(folder, content, *arguments):
    """What page_probe.js saw."""
    (folder / "probed.html").write_text(content.replace("</body>", f"<script>{PROBE}</script></body>"))
    dom = browse(folder, folder / "probed.html", "--dump-dom", "--virtual-time-budget=30000", *arguments)
    found = re.search(r'<pre id="probe">(.*?)</pre>', dom, re.DOTALL)
    assert found, dom[-500:]
    return json.loads(unescape(found[1]))


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium or chrome on PATH")
def test_in_a_browser_without_a_network_it_is_sorted_filtered_brushed_chosen_and_pointed_at(study, tmp_path):
    content = (study / "study.html").read_text()
    assert f"page: {study / 'study.html'}" in (study / "printed.txt").read_text()
    addresses = Addresses()
    addresses.feed(content)
    assert addresses.found == []
    seen = probed(tmp_path, content)
    assert seen["errors"] == []
    assert seen["labels"][0] == BEST
    assert seen["best"] == [BEST]
    assert seen["marks"][0] == "★"
    assert len(seen["labels"]) == 12
    assert all(seen["canvases"])
    assert [text for text in seen["heat"] if "★" in text] == [seen["heat"][0]]
    assert seen["legend"] == seen["labels"][:8]
    assert seen["width"][0] <= seen["width"][1]  # nothing sticks out
    assert seen["ariaSort"] == "ascending"
    rates = [float(label.split("optim.lr=")[1]) for label in seen["sorted"]]
    assert rates == sorted(rates)
    assert [float(label.split("optim.lr=")[1]) for label in seen["sortedDown"]] == sorted(rates, reverse=True)
    assert seen["filtered"] == [label for label in seen["labels"] if "optim=sgd" not in label]
    # A box over the upper third of the axis init.
    assert set(seen["brushed"]) == {label for label in seen["labels"] if "init=zeros" in label}
    assert seen["brushedLegend"] == seen["brushed"]
    assert seen["cleared"] == seen["labels"]
    assert seen["focused"] == seen["labels"][3]
    assert seen["selectedLegend"] == [seen["labels"][3]]
    assert seen["hash"] == {"selected": [seen["labels"][3]]}
    assert seen["labels"][3] in seen["tests"]
    assert any(seen["labels"][3] in text and "epoch 2" in text for text in seen["hovered"]), seen["hovered"]
    assert seen["layers"] == ["dense_1", "dense_2"]
    assert seen["statistic"] == ["grad_norm/dense_1"]
    assert sorted(seen["runs"]) == sorted(path.parent.name for path in study.glob("*/result.json"))
    for told in ("24 runs: 24 completed", "python -m mlp_study.train -m data=digits", "torch 2", "of the 12 settings"):
        assert told in seen["text"]


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium or chrome on PATH")
def test_names_are_text_however_they_are_called_and_a_phone_shows_all(study, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(study, folder)
    for path in folder.glob("*init=glorot*/result.json"):
        path.write_text(path.read_text().replace('"init=glorot"', json.dumps(f"init={EVIL}")))
    asked = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps(asked | {"command": EVIL, "machine": EVIL}))
    data = data_of(folder) | {"title": EVIL}
    seen = probed(tmp_path, page(data), "--window-size=390,800")
    assert seen["errors"] == []
    assert seen["markup"] == 0
    assert EVIL in seen["text"]
    assert len(seen["labels"]) == 12
    assert seen["width"][0] <= max(seen["width"][1], 500)  # Chromium's windows are 500 wide at least


def test_it_knows_what_the_tables_know(study):
    data, table = data_of(study), pd.read_csv(study / "cells.csv")
    metric = data["metrics"].index("best_val_acc")
    assert [cell["mean"][metric] for cell in data["cells"]] == pytest.approx(table["best_val_acc"].tolist(), rel=1e-6)
    assert [cell["std"][metric] for cell in data["cells"]] == pytest.approx(
        table["best_val_acc_std"].tolist(), abs=1e-6
    )
    assert [cell["beside"] for cell in data["cells"]] == table["beside_best"].tolist()
    assert data["cells"][0]["label"] == BEST
    assert [(s["key"], s["kind"], list(s["values"])) for s in data["settings"]] == [
        ("optim", "text", ["sgd", "adam"]), ("init", "text", ["zeros", "small", "glorot"]),
        ("optim.lr", "log", ["0.0003", "0.01"]),
    ]  # fmt: skip
    assert data["settings"][2]["values"] == ["0.0003", "0.01"]
    number = next(i for i, run in enumerate(data["runs"]) if run["seed"] == "1" and "init=glorot" in run["name"])
    confusion = np.array(data["confusion"][str(number)])
    assert confusion.sum() == 360
    accuracy = data["runs"][number]["metrics"][data["metrics"].index("test_acc")]
    assert np.trace(confusion) / 360 == pytest.approx(accuracy, abs=1e-6)
    assert all(picture.startswith("data:image/png;base64,") for picture in data["mistakes"].values())
    assert len(data["mistakes"]) == 12


def test_what_failed_diverged_is_unfinished_or_damaged_is_there_as_that(study, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(study, folder)
    runs = sorted(path.parent for path in folder.glob("*/result.json"))
    changes = [("completed", "diverged"), ("completed", "failed")]
    for run, (old, new) in zip(runs, changes, strict=False):
        (run / "result.json").write_text((run / "result.json").read_text().replace(f'"{old}"', f'"{new}"'))
    (runs[2] / "result.json").unlink()
    (runs[3] / "result.json").write_text("{")
    (runs[4] / "result.json").unlink()
    (runs[4] / "history.csv").unlink()
    data = data_of(folder)
    counted = {"completed": 19, "diverged": 1, "failed": 1, "unfinished": 1, "damaged": 1}
    assert data["counts"] == {"runs": 24, "statuses": counted}
    (damaged,) = [run for run in data["runs"] if run["status"] == "damaged"]
    assert "damaged" in damaged["reason"]
    assert damaged["cell"] is None
    (unfinished,) = [run for run in data["runs"] if run["status"] == "unfinished"]
    assert unfinished["epochs"] == 3
    assert unfinished["cell"] is not None


def test_several_studies_stand_side_by_side(study, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(study, other)
    data = data_of(study, other)
    assert data["settings"][0]["key"] == "study"
    assert len(data["cells"]) == 24
    assert len(data["runs"]) == 48
    assert write_page([study, other], tmp_path / "both.html", is_live=True) == tmp_path / "both.html"


def test_curves_keep_to_a_budget_and_say_what_is_left_out(study):
    runs, _ = Reader([study]).read()
    ranked = list(enumerate(runs))
    whole = curves(ranked)
    assert whole["left_out"] == ""
    size = sum(len(run["values"]) for run in whole["runs"].values())
    short = curves(ranked, size // 2)
    assert sum(len(run["values"]) for run in short["runs"].values()) <= size // 2
    num = sum(len(run["columns"]) == 5 for run in short["runs"].values())
    assert 0 < num < 24
    assert short["left_out"] == f"statistics of layers are left out for the {num} runs that rank last"
    assert all(len(short["runs"][str(i)]["columns"]) > 5 for i in range(24 - num))
    thin = curves(ranked, size // 8)
    assert "one epoch in" in thin["left_out"]
    assert all(len(run["columns"]) == 5 for run in thin["runs"].values())


def test_importance_finds_the_setting_that_matters_and_says_when_it_cannot():
    random = np.random.default_rng(0)
    places = np.array([[a, b, c] for a in range(4) for b in range(4) for c in range(3)], float)
    found = importance(["a", "b", "c"], places, np.exp(-places[:, 1]) + 0.01 * random.normal(size=48))
    assert next(iter(found.shares)) == "b"
    assert found.shares["b"][0] > 1
    assert max(abs(found.shares[name][0]) for name in "ac") < 0.05
    noise = importance(["a", "b", "c"], places, random.normal(size=48))
    assert noise.shares == {}
    assert "too little to say" in noise.note
    few = importance(["a", "b"], places[:8, :2], places[:8, 1])
    assert few.shares == {}
    assert "8 combinations" in few.note
    assert importance(["a", "b", "c"], places, np.ones(48)).shares == {}


def test_while_a_study_trains_another_process_keeps_its_page(tmp_path, monkeypatch):
    monkeypatch.setattr(live_page, "AFTER", 0.0)
    folder = tmp_path / "study"
    runs = study_runs([*SHORT, "optim=sgd,adam", "logger=none", "trainer.limit_train_batches=5"], folder)
    carry_out(runs)
    ask(folder, runs)
    with Heartbeat(folder, ()) as heartbeat:
        heartbeat.planned(2, 1, 1, [])
        until = time.monotonic() + 60
        while not (folder / "study.html").exists() and time.monotonic() < until:
            time.sleep(0.1)
        child = heartbeat._page._process.pid
        assert os.getpriority(os.PRIO_PROCESS, child) == 19
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    content = (folder / "study.html").read_text()
    assert '"live":true' in content
    assert not list(folder.glob("*.tmp"))
    write_page([folder])
    assert '"live":false' in (folder / "study.html").read_text()
