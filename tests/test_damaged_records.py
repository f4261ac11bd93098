"""Records that are not as they were written: named in a line, left out of figures, trained anew; the others stay."""

import json
import shutil
import warnings

import pandas as pd
import pytest
from conftest import WITHOUT_TORCH, run_command

import mlp_study as ms
from mlp_study.errors import UserError
from mlp_study.execution.carry_out import carry_out
from mlp_study.figures.study_figures import drawings
from mlp_study.runs import table
from mlp_study.runs.cells import LeftOut, read_cells
from mlp_study.runs.listener import Listener
from mlp_study.runs.result import Damaged, read_history
from mlp_study.runs.run import Run, read_config
from mlp_study.sweeps.words import study_runs

VICTIM = "optim=sgd,init=glorot"
WORDS = ["optim=sgd,adam", "init=glorot,zeros", "experiment=quick"]


def changed(**values):
    """result.json with other values; None leaves a key out."""

    def damage(content):
        record = json.loads(content) | values
        return json.dumps({key: value for key, value in record.items() if value is not None}).encode()

    return damage


def nested(depth):
    return b"[" * depth + b"]" * depth


RESULTS = {
    "empty": lambda content: b"",
    "binary": lambda content: bytes(range(256)),
    "truncated": lambda content: content[:-20],
    "two records": lambda content: content + content,
    "a list": lambda content: b"[1, 2]",
    "a number": lambda content: b"3",
    "null": lambda content: b"null",
    "nested deep": lambda content: nested(100_000),
    "nested in a value": lambda content: content.replace(b'"cpu"', nested(900)),
    "a number of 5000 digits": lambda content: content.replace(b'"epochs": 5', b'"epochs": ' + b"9" * 5000),
    "infinite": lambda content: content.replace(b'"epochs": 5', b'"epochs": 1e999'),
    "not a number": lambda content: content.replace(b'"epochs": 5', b'"epochs": NaN'),
    **{f"without {key}": changed(**{key: None}) for key in (
        "name", "status", "reason", "overrides", "config_hash", "seed", "num_parameters", "epochs", "metrics",
        "timings", "device", "started", "finished", "versions",
    )},
    "unknown status": changed(status="splendid"),
    "status a list": changed(status=["completed"]),
    "overrides a text": changed(overrides="optim=sgd"),
    "overrides of numbers": changed(overrides=[1, 2]),
    "text for a metric": changed(metrics={"val_acc": "high"}),
    "metrics a list": changed(metrics=[0.9]),
    "a metric nested": changed(metrics={"val_acc": {"mean": 1}}),
    "text for seconds": changed(timings={"seconds": "long"}),
    "timings a text": changed(timings="long"),
    "epochs negative": changed(epochs=-1),
    "epochs half": changed(epochs=2.5),
    "parameters as text": changed(num_parameters="many"),
    "name a number": changed(name=3),
    "versions a list": changed(versions=["2.9"]),
    "digests a text": changed(sha256="abc"),
}  # fmt: skip
OF_ANOTHER_HISTORY = {
    "another digest": changed(sha256={"history.csv": "0" * 64}),
    "another number of epochs": changed(sha256={}, epochs=4),
}
HISTORIES = {
    "empty": lambda content: b"",
    "binary": lambda content: bytes(range(256)),
    "truncated between rows": lambda content: content[: content.rindex(b"\n", 0, -1) + 1],
    "truncated in a row": lambda content: content[:-40],
    "truncated in a number": lambda content: content[:-2] + b"\n",
    "one digit changed": lambda content: content.replace(b"1,0.1", b"1,0.2", 1),
    "header alone": lambda content: content.split(b"\n")[0] + b"\n",
    "header gone": lambda content: content.split(b"\n", 1)[1],
    "text for a number": lambda content: content.replace(b"1,0.1", b"1,fast", 1),
    "missing": lambda content: None,
    "a directory": lambda content: ...,
}
CASES = [  # the file that is damaged, how, and the file that is named
    *(pytest.param("result.json", do, "result.json", id=f"result {name}") for name, do in RESULTS.items()),
    *(pytest.param("result.json", do, "history.csv", id=f"result {name}") for name, do in OF_ANOTHER_HISTORY.items()),
    *(pytest.param("history.csv", do, "history.csv", id=f"history {name}") for name, do in HISTORIES.items()),
]


def spoil(path, damage):
    content = damage(path.read_bytes())
    path.unlink()
    if content is ...:
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)


@pytest.fixture
def study(grid, tmp_path):
    """A copy of the finished 2 x 2 study."""
    return shutil.copytree(grid, tmp_path / "study", ignore=shutil.ignore_patterns("events.*", "figures"))


@pytest.mark.parametrize(("spoiled", "damage", "name"), CASES)
def test_a_damaged_record_is_named_and_left_out(study, spoiled, damage, name):
    spoil(study / VICTIM / spoiled, damage)
    frame = table.table(study)
    assert len(frame) == 4
    assert (frame["run"].iloc[-1], frame["status"].iloc[-1]) == (VICTIM, "damaged")
    assert f"{VICTIM}/{name}: " in frame["reason"].iloc[-1]
    assert "\n" not in frame["reason"].iloc[-1]
    assert list(frame["status"][:3]) == ["completed"] * 3
    with pytest.warns(LeftOut, match=rf"{VICTIM}/{name}: .*; the run is left out"):
        cells = read_cells(study)
    assert sum(len(cell.results) for cell in cells) == 3
    run = Run(read_config(study / VICTIM), study / VICTIM)
    assert not run.is_complete()
    assert frame["reason"].iloc[-1] == run.damage()
    opened = ms.Run.read(study / VICTIM)
    assert opened.status == "damaged"
    assert "damaged" in repr(opened)
    with pytest.raises(UserError, match=name):
        opened.history()


class Remarks(Listener):
    def __init__(self):
        self.lines, self.trained = [], []

    def remarked(self, line):
        self.lines.append(line)

    def ended(self, name, result):
        self.trained.append(name)


@pytest.mark.parametrize("engine", ["lightning", "stack"])
@pytest.mark.parametrize(
    ("name", "damage"), [("result.json", RESULTS["truncated"]), ("history.csv", HISTORIES["one digit changed"])]
)
def test_a_damaged_run_is_trained_anew_and_the_others_are_not(tmp_path, engine, name, damage):
    words = ["data=digits", "logger=none", "trainer.max_epochs=2", "trainer.limit_train_batches=4", "seed=0,1"]
    runs = study_runs(words, tmp_path)
    before = carry_out(runs, engine)
    whole = (runs[0].folder / "history.csv").read_bytes()
    spoil(runs[0].folder / name, damage)
    remarks = Remarks()
    after = carry_out(runs, engine, remarks)
    assert remarks.trained == ["seed=0"]
    (line,) = remarks.lines
    assert line.startswith(f"{runs[0].folder / name}: damaged")
    assert line.endswith("the run is trained anew")
    assert (runs[0].folder / "history.csv").read_bytes() == whole
    assert after[1] == before[1]
    assert after[0].metrics == before[0].metrics


@pytest.mark.parametrize("do", ["removed", "edited", "linked"])
def test_a_history_that_is_touched_while_it_grows_is_whole_in_the_end(tmp_path, do):
    class Vandal(Listener):
        def epoch(self, name, row):
            if name == "seed=0":
                path = tmp_path / name / "history.csv"
                text = path.read_text()
                path.unlink()
                if do == "edited":
                    path.write_text(text.replace("1", "2"))
                elif do == "linked":
                    path.symlink_to(tmp_path / "theirs")

    (tmp_path / "theirs").write_text("years of work")
    runs = study_runs(["data=digits", "logger=none", "trainer.max_epochs=3", "seed=0,1"], tmp_path / "quiet")
    carry_out(runs)
    touched = study_runs(["data=digits", "logger=none", "trainer.max_epochs=3", "seed=0,1"], tmp_path)
    results = carry_out(touched, listener=Vandal())
    assert [result.status for result in results] == ["completed"] * 2
    for run, other in zip(runs, touched, strict=True):
        assert (run.folder / "history.csv").read_bytes() == (other.folder / "history.csv").read_bytes()
        assert other.result() is not None
    assert (tmp_path / "theirs").read_text() == "years of work"


@pytest.mark.parametrize("spoiled", [b"", b"a: [", b"seed: 0\n", None])
def test_a_run_whose_config_is_lost_is_trained_anew_and_blocks_no_study(tmp_path, spoiled):
    words = ["data=digits", "logger=none", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "seed=0,1"]
    runs = study_runs(words, tmp_path)
    carry_out(runs)
    path = runs[0].folder / "config.yaml"
    whole = path.read_bytes()
    path.unlink() if spoiled is None else path.write_bytes(spoiled)
    remarks = Remarks()
    assert [result.status for result in carry_out(runs, "stack", remarks)] == ["completed"] * 2
    assert remarks.lines == [f"{path}: damaged or missing; the run is trained anew"]
    assert remarks.trained == ["seed=0"]
    assert path.read_bytes() == whole


def test_the_command_line_names_what_is_damaged_draws_the_rest_and_repeats_it(study, tmp_path):
    spoil(study / VICTIM / "history.csv", HISTORIES["truncated in a row"])
    spoil(study / "optim=adam,init=zeros" / "result.json", RESULTS["unknown status"])
    done = run_command("study", cwd=tmp_path, module="mlp_study.report", warm=WITHOUT_TORCH)
    assert done.code == 0, done.err
    lines = [line for line in done.err.splitlines() if line.startswith("study/")]
    assert len(lines) == 2
    assert any(f"{VICTIM}/history.csv: damaged: its bytes are not those that training wrote" in line for line in lines)
    assert any("optim=adam,init=zeros/result.json: damaged: result.status='splendid'" in line for line in lines)
    done = run_command("-m", *WORDS, "hydra.sweep.dir=study", cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.err.count("the run is trained anew") == 2
    assert "2 of 4 runs are already complete" in done.out
    assert list(pd.read_csv(study / "study.csv")["status"]) == ["completed"] * 4


def test_a_study_of_damaged_runs_alone_holds_no_finished_run(study):
    for path in study.glob("*/result.json"):
        path.write_text("{}")
    with warnings.catch_warnings(action="ignore"), pytest.raises(UserError, match="holds no run with a finished epoch"):
        drawings(study)
    assert set(table.table(study)["status"]) == {"damaged"}


def test_runs_that_have_not_ended_are_counted(study):
    (study / VICTIM / "result.json").unlink()
    assert [len(cell.results) for cell in read_cells(study)] == [1, 1, 1, 1]
    with pytest.warns(LeftOut, match="1 runs that have not ended are left out"):
        assert len(read_cells(study, only_ended=True)) == 3
    (study / VICTIM / "history.csv").unlink()
    with pytest.warns(LeftOut, match="1 runs without a finished epoch are left out"):
        assert len(read_cells(study)) == 3


@pytest.mark.parametrize(
    "content",
    [
        b"", b"3", b"- 1", b"\xff\xfe", b"optim: [", b"a: &a [x]\nb: [*a, *a]", b"{" * 900 + b"}" * 900,
        b"!!python/object/apply:os.system ['touch pwned']", b"seed: " + b"[" * 500 + b"]" * 500, b"seed: 0\n",
    ],
)  # fmt: skip
def test_a_damaged_config_is_one_line(study, content):
    path = study / VICTIM / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(Damaged, match=r"config\.yaml: damaged: ") as caught:
        read_config(study / VICTIM)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


def test_a_history_without_a_record_is_checked_by_itself(study):
    path = study / VICTIM / "history.csv"
    assert len(read_history(path.parent)) == 5
    path.write_text("epoch,train_loss\n1,0.5\n3,0.4\n")
    with pytest.raises(Damaged, match="not numbers for epochs 1, 2"):
        read_history(path.parent)
