"""hydra/sweeper=search: spaces, trials asked for in batches, pruning inside the stack, going on after a kill."""

import json
import signal

import optuna
import pandas as pd
import pytest
from conftest import WITH_TORCH, WITHOUT_TORCH, run_command
from test_snapshots import files, launcher, same
from warm import Command

from mlp_study.execution.carry_out import carry_out
from mlp_study.runs.asked import Asked
from mlp_study.runs.halving import bracket_numbers, hyperband, rungs
from mlp_study.runs.table import table
from mlp_study.search.asking import Asker, Outcome
from mlp_study.search.search_settings import SearchSettings
from mlp_study.search.space import Space
from mlp_study.sweeps.grammar import read
from mlp_study.sweeps.words import study_runs

SHORT = ["data=digits", "trainer.max_epochs=6", "trainer.limit_train_batches=5", "model.hidden=[12]", "logger=none"]
SPACE = ["optim.lr=tag(log, interval(1e-4, 1e3))", "init=choice(glorot, zeros)", "model.dropout=0,0.3"]
SEARCH = [
    "-m", "hydra/sweeper=search", *SHORT, *SPACE, "hydra.sweep.dir=study", "hydra.sweeper.n_trials=10",
    "hydra.sweeper.batch=4", "hydra.sweeper.min_resource=2", "hydra.sweeper.reduction_factor=2",
]  # fmt: skip
RUNGS = (2, 4)
METRIC = "best_val_acc"


@pytest.fixture(scope="module", params=["lightning", "stack"])
def searched(request, tmp_path_factory):
    """Engine, the directory of a search, what it printed."""
    folder = tmp_path_factory.mktemp("searched")
    ended = run_command(*SEARCH, launcher(request.param), cwd=folder)
    assert ended.code == 0, ended.err
    assert ended.err == ""
    return request.param, folder / "study", ended.out


def histories(study):
    """The epochs of each trial, in their order."""
    return [pd.read_csv(path) for path in sorted(study.glob("*/history.csv"))]


def score(rows):
    return -rows["val_acc"].max(), rows["val_loss"].min()


def statuses(study):
    return [json.loads(path.read_text())["status"] for path in sorted(study.glob("*/result.json"))]


def test_poor_trials_leave_at_a_rung_and_no_good_one_does(searched):
    engine, study, _ = searched
    found, ends = histories(study), statuses(study)
    assert len(found) == len(ends) == 10
    assert {"completed", "pruned"} <= set(ends) <= {"completed", "pruned", "diverged"}
    for rung in RUNGS:
        for start in range(0, 10, 4):
            own = found[start : start + 4]
            for rows, end in zip(own, ends[start : start + 4], strict=True):
                if len(rows) < rung or end == "diverged":
                    continue
                # Those of the batches before it, and those that train with it.
                came = [*found[:start], *(own if engine == "stack" else [rows])]
                scores = sorted(map(score, [each[:rung] for each in came if len(each) >= rung]))
                assert (len(rows) > rung) == (scores.index(score(rows[:rung])) < max(1, len(scores) // 2))


def test_a_trial_that_is_not_pruned_is_the_run_that_it_would_be_alone(searched, tmp_path):
    engine, study, _ = searched
    asked = Asked.in_folder(study)
    complete = [name for name, end in zip(sorted(asked.runs), statuses(study), strict=True) if end == "completed"]
    for name in complete:
        (run,) = study_runs(list(asked.runs[name]), tmp_path / name)
        carry_out([run], engine)
        pd.testing.assert_frame_equal(
            pd.read_csv(run.folder / "history.csv"), pd.read_csv(study / name / "history.csv"), rtol=1e-4
        )
    assert complete


def test_tables_status_and_the_end_say_what_was_pruned_and_what_was_best(searched):
    _, study, out = searched
    frame = table(study)
    assert list(frame["status"]) == sorted(frame["status"], key=["completed", "pruned", "diverged"].index)
    assert frame["reason"][frame["status"] == "pruned"].str.contains("is not among the best").all()
    assert pd.read_csv(study / "cells.csv")["pruned"].sum() == (frame["status"] == "pruned").sum()
    assert f"best of 10 trials: {frame['run'][0]}, {METRIC} {frame[METRIC][0]:.4f}" in out
    assert "to train it alone: python -m mlp_study.train data=digits" in out
    assert Asked.in_folder(study).swept == ("optim.lr", "init", "model.dropout")
    told = run_command("status", str(study), cwd=study.parent, module="mlp_study")
    assert told.code == 0
    assert f"{statuses(study).count('pruned')} pruned" in " ".join(told.out.split())


def test_optuna_opens_what_is_stored(searched):
    _, study, _ = searched
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(study / "search.journal")))
    loaded = optuna.load_study(study_name="study", storage=storage)
    assert [trial.user_attrs["status"] for trial in loaded.trials] == statuses(study)
    assert set(loaded.trials[0].params) == {"optim.lr", "init", "model.dropout"}
    best = table(study)[METRIC][0]
    assert loaded.best_value == pytest.approx(best)


@pytest.mark.long
def test_killed_again_and_again_it_goes_on_and_leaves_the_same(searched, tmp_path):
    engine, study, _ = searched
    words = [*SEARCH, launcher(engine), "trainer.snapshot_seconds=0"]
    for kill_after in (7, 9, 12):
        (tmp_path / "kill_after").write_text(str(kill_after))
        (ended,) = WITH_TORCH.run(Command(words, str(tmp_path), before="killed_after"))
        if ended.code == 0:
            break
        assert ended.code == -signal.SIGKILL
    ended = run_command(*words, cwd=tmp_path)
    assert ended.code == 0, ended.err
    changed = {"config.yaml"}  # says how often snapshots are made
    kept = {name: data for name, data in files(study).items() if name.split("/")[-1] not in changed}
    assert kept == {n: d for n, d in files(tmp_path / "study").items() if n.split("/")[-1] not in changed}
    again = run_command(*words, cwd=tmp_path)
    assert again.code == 0
    assert "all 10 trials are already complete" in again.out


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "cmaes"])
def test_every_sampler_asks_the_same_again_and_nothing_twice(sampler):
    space = Space(read(["optim.lr=tag(log,interval(1e-4,10))", "model.dropout=interval(0,0.9)"]))
    settings = SearchSettings(sampler=sampler, n_trials=24, batch=8, seed=3)

    def ask():
        asker, found = Asker(space, settings), []
        for start in range(0, 24, 8):
            trials = asker.ask(range(start, start + 8), {})
            for number, trial in enumerate(trials, start):
                found.append(trial)
                value = 1 - abs(float(trial["model.dropout"]) - 0.3)
                asker.tell(number, Outcome("complete", value, {}, "completed"))
        return found

    found = ask()
    assert found == ask()
    assert len({tuple(trial.values()) for trial in found}) == 24
    rates = [float(trial["optim.lr"]) for trial in found]
    assert 1e-4 <= min(rates) < 1e-2 < max(rates) <= 10  # by its logarithm
    if sampler in ("tpe", "cmaes"):
        near = [abs(float(trial["model.dropout"]) - 0.3) for trial in found]
        assert sum(near[16:]) < sum(near[:8])


def test_a_space_that_has_an_end_is_tried_whole_and_once(tmp_path):
    words = [word for word in SEARCH if not word.startswith(("optim.lr", "model.dropout", "hydra.sweeper.n_trials"))]
    ended = run_command(*words, "optim=choice(sgd,adam,rmsprop)", "hydra/launcher=stacked", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "there are 6 settings to try, and no more" in ended.out
    frame = table(tmp_path / "study")
    assert len(set(frame[["init", "optim"]].itertuples(index=False))) == len(frame) == 6


def test_without_a_pruner_all_go_to_their_end_and_two_workers_change_nothing(tmp_path):
    for folder, words in (("one", []), ("two", ["hydra.launcher.workers=2"])):
        done = [*SEARCH, "hydra/launcher=stacked", f"hydra.sweep.dir={folder}", "hydra.sweeper.n_trials=6", *words]
        (ended,) = WITH_TORCH.run(Command(done, str(tmp_path), before="forked_workers"))
        assert ended.code == 0, ended.err
    assert same(tmp_path / "one", tmp_path / "two")
    assert "pruned" in statuses(tmp_path / "one")
    plain = [*SEARCH, "hydra/launcher=stacked", "hydra.sweeper.pruner=none", "hydra.sweeper.n_trials=4"]
    assert run_command(*plain, cwd=tmp_path).code == 0
    assert set(statuses(tmp_path / "study")) <= {"completed", "diverged"}


def test_a_directory_of_another_search_is_refused(searched, tmp_path):
    _, study, _ = searched
    words = [word.replace("init=choice(glorot, zeros)", "init=choice(he_normal, small)") for word in SEARCH]
    words = [word if word != "hydra.sweep.dir=study" else f"hydra.sweep.dir={study}" for word in words]
    ended = run_command(*words, cwd=tmp_path)
    assert ended.code == 2
    assert "of another search" in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(("words", "said"), [
    (["optim.lr=0.1"], "nothing to search"),
    (["optim.lr=interval(1,0)"], "with LOW < HIGH"),
    (["optim.lr=tag(log,interval(0,1))"], "has no logarithm at 0"),
    (["optim.lr=tag(lin,interval(1,2))"], "unknown tag 'lin'. Known: log"),
    (["optim.lr=interval(-1,1)"], "optim.lr=-1"),
    (["optim=choice(sgd,adm)"], "adm"),
    (["optim.lr=interval(1,2)", "hydra.sweeper.sampler=grid"], "expected one of tpe, random, qmc, cmaes"),
    (["optim.lr=interval(1,2)", "hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials=0"),
    (["optim.lr=interval(1,2)", "hydra.sweeper.trials=5"], "trials"),
    (["optim=sgd,adam", "hydra.sweeper.sampler=cmaes"], "needs two numbers"),
    (["optim.lr=interval(1,2)", "hydra.sweeper.min_resource=9"], "expected fewer epochs than trainer.max_epochs=6"),
    (["optim.lr=interval(1,2)", "data.val_fraction=0"], "nothing is held out"),
])  # fmt: skip
def test_what_cannot_be_searched_is_said_in_a_line_before_anything_starts(tmp_path, words, said):
    ended = run_command("-m", "hydra/sweeper=search", *SHORT, *words, "hydra.sweep.dir=study", cwd=tmp_path)
    assert ended.code == 2, ended.out
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1, ended.err
    assert not list(tmp_path.glob("study/*/result.json"))


def test_without_optuna_it_says_what_to_install(tmp_path):
    command = Command([*SEARCH], str(tmp_path), before="without_optuna")
    (ended,) = WITHOUT_TORCH.run(command)
    assert ended.code == 2
    assert "needs Optuna: pip install 'mlp_study[search]'" in ended.err


def test_rungs_and_brackets():
    assert rungs(15, 3, None) == (1, 3, 9)
    assert rungs(81, 3, None) == (3, 9, 27)
    assert rungs(20, 2, 5) == (5, 10)
    assert rungs(1, 3, None) == ()
    brackets = hyperband((1, 3, 9))
    assert brackets == ((1, 3, 9), (3, 9), (9,), ())
    numbers = bracket_numbers(brackets, 3, 40)
    # Li et al.: (s_max + 1) / (s + 1) * factor^s in each: 27, 12, 6 and 4 of 49.
    assert [numbers.count(b) for b in range(4)] == [22, 10, 5, 3]
