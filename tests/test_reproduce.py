"""Re-running the documents' claims: the experiments, how verdicts follow, and the command from end to end."""

import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from conftest import WITH_TORCH
from omegaconf import OmegaConf
from scipy import stats
from warm import Command

from mlp_study.commands import training
from mlp_study.execution.carry_out import carry_out
from mlp_study.figures.curves import curves
from mlp_study.reproduce.evidence import Evidence
from mlp_study.reproduce.experiments import experiments, planned_runs
from mlp_study.reproduce.findings import AS_RUN, FAILS, HOLDS, Finding, Statement
from mlp_study.reproduce.initialization import _doctor
from mlp_study.reproduce.reproducing import MAY_SET, PARTS, check_settings, main
from mlp_study.reproduce.steps import _cured
from mlp_study.runs.cells import read_cells
from mlp_study.runs.spread import Spread, clearly_below, clearly_differ
from mlp_study.sweeps.explain import conf_dir
from mlp_study.sweeps.words import study_runs

ALL_EXPERIMENTS = [name for part in PARTS for name in experiments(part)]
CLAIMS = {claim.name: claim for part in PARTS.values() for claim in part.CLAIMS}
ROOT = Path(__file__).parent.parent
# A few batches of the small digits.
DRY = ("data=digits", "data.batch_size=16", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "seed=0",
       "logger=none")  # fmt: skip


def reproduce(*arguments, cwd):
    (outcome,) = WITH_TORCH.run(Command(arguments, str(cwd), "mlp_study.reproduce", before="forked_trainings"))
    return outcome


@pytest.mark.parametrize("experiment", [*ALL_EXPERIMENTS, "quick"])
def test_every_experiment_runs_and_leaves_what_was_planned(experiment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    training.main(["-m", f"experiment={experiment}", *DRY, "hydra.sweep.dir=study"])
    planned = planned_runs(experiment, DRY, tmp_path / "study")
    assert {run.name for run in planned} == {path.parent.name for path in tmp_path.glob("study/*/result.json")}
    assert all(run.is_complete() for run in planned)
    assert not replace(planned[0], folder=tmp_path / "elsewhere").is_complete()


def test_every_claim_is_there_and_every_experiment_is_some_claims():
    wanted = [f"{letter}{n}" for letter, most in (("A", 11), ("B", 3), ("C", 8), ("D", 7)) for n in range(1, most + 1)]
    assert list(CLAIMS) == wanted
    used = {experiment for claim in CLAIMS.values() for experiment in claim.experiments}
    assert used == set(ALL_EXPERIMENTS)
    for part in PARTS:
        assert (conf_dir() / "experiment" / part).is_dir()


def test_commands_name_runs_that_there_are():
    named = [re.search(r"outputs/reproduce/(\w+/\w+)/(\S+)", claim.command) for claim in CLAIMS.values()]
    found = [(match[1], match[2]) for match in named if match]
    assert len(found) >= 5
    for experiment, run in found:
        assert run in {planned.name for planned in planned_runs(experiment)}, run


def test_convergence_is_judged_over_five_seeds_or_more():
    for experiment in ALL_EXPERIMENTS:
        base = f"{experiment.split('/')[0]}/base"
        files = [
            yaml.safe_load((conf_dir() / "experiment" / f"{name}.yaml").read_text()) for name in (base, experiment)
        ]
        settings = OmegaConf.merge(*files)
        is_small = max(settings.get("model", {}).get("hidden", [0])) < 512
        num_seeds = len(settings.hydra.sweeper.params.seed.split(","))
        assert num_seeds >= (5 if is_small else 2), experiment


def test_spread():
    values = Spread([1.0, 2.0, 4.0])
    assert values.mean == pytest.approx(7 / 3)
    assert values.sd == pytest.approx(math.sqrt(((4 / 3) ** 2 + (1 / 3) ** 2 + (5 / 3) ** 2) / 2))
    half = stats.t.ppf(0.995, 2) * values.sd * math.sqrt(4 / 3)
    assert values.interval() == pytest.approx((7 / 3 - half, 7 / 3 + half))
    assert values.fits(7 / 3 + half, 9)
    assert not values.fits(7 / 3 + half + 0.02, 2)
    assert values.fits(7 / 3 + half + 0.004, 2)  # it may have been rounded to this
    low, high = Spread([1.0, 1.1]), Spread([1.3, 1.4])
    assert clearly_below(low, high)
    assert not clearly_below(high, low)
    assert clearly_differ(high, low)
    assert not clearly_differ(low, Spread([1.1, 1.2]))


@pytest.mark.parametrize(
    ("text", "code", "verdict"),
    [
        ([True, True], [], HOLDS),
        ([True, True], [False], HOLDS),
        ([True, False], [], FAILS),
        ([False], [True, True], AS_RUN),
        ([False], [True, False], FAILS),
    ],
)
def test_verdict(text, code, verdict):
    statements = [Statement("", "", "", holds) for holds in text]
    statements += [Statement("", "", "", holds, as_run=True) for holds in code]
    assert Finding(statements).verdict == verdict


def test_cells_with_names_of_their_own_are_drawn_as_they_stand(grid):
    cells = [replace(cell, settings={"network": name}) for cell, name in zip(read_cells(grid), "zab", strict=False)]
    cells = [replace(cell, place={}) for cell in cells]
    legend = curves(cells).legends[0]
    named = [text.get_text() for text in legend.get_texts() if "network" in text.get_text()]
    assert named == [f"network={name}" for name in "zab"[: len(cells)]]


@pytest.mark.long
def test_a_part_from_end_to_end(tmp_path, monkeypatch, capsys):
    few = ("deep_dive", "--out", "out", "--set", "trainer.limit_train_batches=3", "trainer.limit_val_batches=1")
    done = reproduce(*few, cwd=tmp_path)
    assert done.code == 0, done.err
    claims = {claim["claim"]: claim for claim in json.loads((tmp_path / "out" / "claims.json").read_text())}
    # Epochs of three batches do not reach what whole ones do; the evaluation is right all the same.
    assert (claims["B1"]["verdict"], claims["B3"]["verdict"]) == (FAILS, HOLDS)
    run = tmp_path / "out" / "deep_dive" / "base" / "seed=0" / "result.json"
    result = json.loads(run.read_text())
    assert f"accuracy {result['metrics']['test_acc']}" in claims["B3"]["statements"][1]["measured"]
    text = (tmp_path / "out" / "REPRODUCTION.md").read_text()
    assert "16,175" in text
    pictures = re.findall(r"!\[\w+\]\((\S+\.png)\)", text)
    assert len(pictures) == 3
    assert all((tmp_path / "out" / picture).stat().st_size > 5000 for picture in pictures)

    # The second time nothing is trained; the verdict follows the files.
    result["metrics"]["test_acc"] += 0.01
    trained = os.stat(run.parent / "history.csv").st_mtime_ns
    modified = os.stat(run)
    run.write_text(json.dumps(result))
    os.utime(run, ns=(modified.st_atime_ns, modified.st_mtime_ns))
    done = reproduce(*few, cwd=tmp_path)
    assert "8 of 8 steps are already complete" in done.err
    assert os.stat(run.parent / "history.csv").st_mtime_ns == trained
    assert re.search(r"B3 +does not hold", done.out)
    # Other settings do not mix with these.
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main([*few, "trainer.limit_train_batches=4"])
    assert "holds the result of another configuration" in capsys.readouterr().err


@pytest.mark.long
def test_the_ledger_says_what_the_doctor_says_of_the_leaked_rate(tmp_path):
    name = "keras_intro/small_normal"
    words = [f"experiment={name}", "data=digits", "data.batch_size=16", "trainer.max_epochs=3", "seed=0", "logger=none"]
    (run,) = [run for run in study_runs(words, tmp_path / name) if run.config.optim.lr == 10]
    carry_out([run])
    step = _cured(run.folder, tmp_path)
    assert not step.is_done()
    step.run(lambda share: None)
    assert step.is_done()
    (cell,) = Evidence(tmp_path).cells(name)
    said = _doctor(Evidence(tmp_path), name, cell)
    assert said.startswith(
        "**What the doctor says.** `python -m mlp_study.diagnose outputs/reproduce/keras_intro/small"
    )
    assert "suspected first: learning rate too high (sgd at 10" in said
    assert "where the unchanged run has validation accuracy 0." in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["keras"], "unknown part 'keras'. Did you mean keras_intro? Known: keras_intro, deep_dive"),
        (["deep_dive", "--publish", "."], "only all parts can be published"),
        (["deep_dive", "--set", "trainer.precision=8"], "trainer.precision=8: expected one of 32-true"),
        (["deep_dive", "--set", "trainer=gpu"], "trainer=gpu: unknown option 'gpu'"),
        (["deep_dive", "--set", "trainer=cpu,cuda"], "trainer=cpu,cuda: several values; expected one"),
        (["deep_dive", "--set", "trainer=[cpu"], "cannot read 'trainer=[cpu'"),
        *(
            (["deep_dive", "--set", word], f"--set {word}: changes what the claims are about; expected one of trainer,")
            for word in (
                "data=digits",
                "trainer.max_epochs=2",
                "optim.lr=0.5",
                "optim.rl=1",
                "seed=0",
                "experiment=quick",
                "model.hidden=[8]",
                "trainer.gradient_clip_val=1",
                "hydra.sweep.dir=x",
                "data.batch_size=8",
                "~trainer",
            )
        ),
    ],
)
def test_mistakes_are_one_line(arguments, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert said in error
    assert not list(tmp_path.iterdir())


def test_what_may_be_set_leaves_the_claims_question_as_it_is():
    base = planned_runs("deep_dive/base")
    check_settings(words := [f"{key}=null" for key in MAY_SET])
    assert len(words) > 10
    for words in (["trainer=debug", "trainer.limit_train_batches=3"], ["logger=none", "logger.images=3"]):
        check_settings(words)
        for run, other in zip(planned_runs("deep_dive/base", tuple(words)), base, strict=True):
            for section in ("model", "init", "optim", "data", "seed", "loss"):
                assert getattr(run.config, section) == getattr(other.config, section)
            assert run.config.trainer.max_epochs == other.config.trainer.max_epochs


def test_the_published_ledger_has_every_claim_and_its_pictures():
    text = (ROOT / "REPRODUCTION.md").read_text()
    for name, claim in CLAIMS.items():
        row = re.search(
            rf"^\| \[{name}\]\(#[^)]*\) \| .* \| \*\*({HOLDS}|{FAILS}|{AS_RUN})\*\* \(\d+ of \d+\) \|", text, re.M
        )
        assert row, name
        assert f"### {name}: {claim.title}" in text
    pictures = re.findall(r"!\[\w+\]\((\S+\.png)\)", text)
    assert len(pictures) >= len(CLAIMS)
    assert all((ROOT / picture).is_file() for picture in pictures)
    assert {path.name for path in (ROOT / "benchmarks" / "reproduction").glob("*.png")} == {
        Path(picture).name for picture in pictures
    }
