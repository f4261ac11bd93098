"""Symbolic links, locks and directories of others: never followed, never shared, and one that fails fails alone."""

import json
import shutil

import pandas as pd
import pytest
from conftest import run_command
from full_disk import largest_file

from mlp_study.errors import NotWritten, UserError
from mlp_study.execution.carry_out import carry_out
from mlp_study.files import append_text, claimed, replaced, write_text
from mlp_study.sweeps.words import single_run, study_runs

QUICK = ["data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "logger=none"]
FILES = [
    ".lock", "train.log", "scaler.npz", "history.csv", "result.json", "summary.txt", "classes.json",
    "checkpoints/last.ckpt",
]  # fmt: skip


def precious(path, link):
    """A file of somebody's, which `link` points to."""
    path.write_text("years of work")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(path)
    return path


@pytest.mark.parametrize("engine", ["lightning", "stack"])
def test_links_inside_a_run_are_replaced_and_not_followed(tmp_path, engine):
    run = single_run([*QUICK, "callbacks=checkpoint"], tmp_path / "run")
    carry_out([run], engine)
    (run.folder / "result.json").unlink()
    theirs = []
    for number, name in enumerate(FILES):
        (run.folder / name).unlink(missing_ok=True)
        theirs.append(precious(tmp_path / f"precious-{number}", run.folder / name))
    carry_out([run], engine)
    assert [path.read_text() for path in theirs] == ["years of work"] * len(theirs)
    assert not [path for path in run.folder.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize("words", [["hydra.run.dir=run"], ["-m", "seed=0,1", "hydra.sweep.dir=study"]])
def test_links_where_hydra_writes_are_replaced_too(tmp_path, words):
    links = ["run/train.log", "run/.hydra/config.yaml", "run/.hydra/hydra.yaml"]
    if words[0] == "-m":
        links = ["study/multirun.yaml", "study/study.csv", "study/seed=0/train.log", "study/seed=0/.hydra/config.yaml"]
    theirs = [precious(tmp_path / f"precious-{i}", tmp_path / link) for i, link in enumerate(links)]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if words[0] == "-m":
        (tmp_path / "study" / "seed=1").mkdir()
        (tmp_path / "study" / "seed=1" / ".hydra").symlink_to(elsewhere)
    done = run_command(*words, *QUICK, cwd=tmp_path)
    assert done.code == 0, done.err
    assert [path.read_text() for path in theirs] == ["years of work"] * len(theirs)
    assert list(elsewhere.iterdir()) == []


def test_links_among_pictures_and_inspections(grid, tmp_path, look):
    from mlp_study.commands.predicting import main as predict
    from mlp_study.commands.reporting import report

    study = shutil.copytree(grid, tmp_path / "study", ignore=shutil.ignore_patterns("figures"))
    run = single_run([*QUICK, "callbacks=checkpoint"], tmp_path / "run")
    carry_out([run], "lightning")
    links = [
        study / "figures" / "curves.png", study / "figures" / ".lock", run.folder / "inspection" / ".lock",
        run.folder / "inspection" / "weights.csv", run.folder / "inspection" / "dense_1.npy",
        run.folder / "predictions" / "mistakes.png", run.folder / "predictions" / "confusion.csv",
    ]  # fmt: skip
    theirs = [precious(tmp_path / f"precious-{i}", link) for i, link in enumerate(links)]
    report(study)
    assert look(run.folder)[0] == 0
    predict([str(run.folder)])
    assert [path.read_text() for path in theirs] == ["years of work"] * len(theirs)
    assert not [link for link in links if link.is_symlink()]


def test_the_writing_functions_never_follow(tmp_path):
    theirs = precious(tmp_path / "precious", tmp_path / "link")
    append_text(tmp_path / "link", "ours")
    assert (tmp_path / "link").read_text() == "ours"
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(theirs)
    write_text(tmp_path / "link", "ours")
    assert (tmp_path / "link").read_text() == "ours"
    assert theirs.read_text() == "years of work"
    with pytest.raises(TypeError), replaced(tmp_path / "link") as temporary:
        temporary.write_text(3)
    assert (tmp_path / "link").read_text() == "ours"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "precious"]


def test_what_finds_no_room_at_the_end_of_a_file_leaves_it_as_it_was(tmp_path):
    path = tmp_path / "grows"
    append_text(path, "one\n")
    with largest_file(6), pytest.raises(NotWritten):
        append_text(path, "second\n")
    assert path.read_text() == "one\n"
    append_text(path, "second\n")
    assert path.read_text() == "one\nsecond\n"


def test_a_lock_that_was_removed_while_it_was_waited_for_is_not_held(tmp_path, monkeypatch):
    import fcntl

    plain = fcntl.flock

    def flock(descriptor, operation):
        if (tmp_path / ".lock").exists() and not removed:  # whoever held it lets go at this very moment
            removed.append((tmp_path / ".lock").unlink())
        return plain(descriptor, operation)

    removed = []
    monkeypatch.setattr(fcntl, "flock", flock)
    with claimed(tmp_path):
        assert (tmp_path / ".lock").exists()
        with pytest.raises(UserError, match="another process"), claimed(tmp_path):
            pass


def test_directories_made_for_nothing_are_removed_again(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(NotWritten), largest_file(1000), claimed(tmp_path / "there" / "new" / "run"):
        pass
    with claimed(tmp_path / "there" / "empty"):
        pass
    with claimed(tmp_path / "there" / "used" / "run"):
        (tmp_path / "there" / "used" / "file").touch()
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "there",
        "there/used",
        "there/used/file",
    ]
    with claimed(tmp_path / "there"):
        pass
    assert (tmp_path / "there").is_dir()


def test_a_single_run_into_a_directory_that_is_in_use_changes_nothing(tmp_path):
    run = tmp_path / "study" / "one"
    with claimed(run):
        before = sorted(path.name for path in run.iterdir())
        done = run_command(*QUICK, "hydra.run.dir=study/one", cwd=tmp_path)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert "study/one: another process is writing there" in done.err
        assert sorted(path.name for path in run.iterdir()) == before


@pytest.mark.parametrize("launcher", ["stacked", "basic"])
def test_a_cell_that_is_a_file_one_whose_result_is_a_directory_and_one_in_use_fail_alone(tmp_path, launcher):
    study = tmp_path / "study"
    (study / "seed=1" / "result.json").mkdir(parents=True)
    (study / "seed=1" / "config.yaml").write_text("model:\noptim:\ntrainer:\n")
    (study / "seed=2").write_text("a file")
    with claimed(study / "seed=3"):
        words = ["-m", "seed=1,2,3,4", *QUICK, "hydra.sweep.dir=study", f"hydra/launcher={launcher}"]
        done = run_command(*words, cwd=tmp_path)
        assert not (study / "seed=3" / ".hydra").exists()
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("mlp_study: error: 3 of 4 runs failed in study: ")
    reasons = ("seed=1/result.json: Is a directory", "another process is writing there", "seed=2: cannot be written")
    assert all(reason in done.err for reason in reasons)
    assert json.loads((study / "seed=4" / "result.json").read_text())["status"] == "completed"
    frame = pd.read_csv(study / "study.csv")
    assert dict(zip(frame["run"], frame["status"], strict=True)) == {
        "seed=4": "completed", "seed=1": "failed", "seed=2": "failed", "seed=3": "failed"
    }  # fmt: skip
    assert frame["reason"].notna().sum() == 3
    assert (study / "seed=2").read_text() == "a file"


def test_a_callback_that_saves_nothing_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["callbacks=checkpoint", "callbacks.checkpoint.save_best=false", "callbacks.checkpoint.save_last=false"]
    for engine in ("lightning", "stack"):
        (result,) = carry_out(study_runs([*QUICK, *words], tmp_path / engine), engine)
        assert result.status == "completed"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lightning", "stack"]
    assert not list(tmp_path.rglob("checkpoints"))
