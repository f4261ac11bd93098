"""Words as typed: what they mean, what they are called, and the one line for those that mean nothing."""

import os

import pytest
from conftest import WITHOUT_TORCH, run_command
from hydra.core.override_parser.overrides_parser import OverridesParser

from mlp_study.errors import UserError
from mlp_study.sweeps.arguments import check_arguments
from mlp_study.sweeps.values import check_values
from mlp_study.sweeps.words import single_run, study_runs

GROUPS = ["model", "init", "bias_init", "optim", "schedule", "data", "trainer", "logger", "callbacks"]
QUICK = ["data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "logger=none"]


def names(*words):
    return [run.name for run in study_runs(words)]


# Words of a sweep, and what the line must say.
MISTAKES = [
    *((f"{group}=null", f"{group}=null: unknown option 'null'. Known: ") for group in GROUPS),
    ("optim=3", "unknown option '3'. Known: adadelta"),
    ("optim=sgd,null", "optim=sgd,null: unknown option 'null'"),
    ("optim=true", "unknown option 'true'"),
    ("optim=range(0,2)", "expected names of options. Known: adadelta"),
    ("callbacks=[checkpoint,null]", "unknown option 'null'. Known: checkpoint, early_stopping, none"),
    ("callbacks=[[checkpoint]]", "Known: checkpoint, early_stopping, none"),
    ("experiment=quick,null", "expected the name of an experiment; without the word there is none"),
    ("experiment=[quick,null]", "expected the name of an experiment"),
    ("experiment=[quick,keras_intro/base]", "to try each: -m experiment=quick,keras_intro/base"),
    ("data=[digits,mnist]", "to try each: -m data=digits,mnist"),
    ('optim=["sgd", "adam"]', "to try each: -m optim=sgd,adam"),
    ("hydra/launcher=null", "unknown option 'null'. Known: basic, ray, slurm, stacked"),
    ("hydra/job_logging=none", "hydra/job_logging=none: has no handler file, to which train.log goes"),
    ("hydra/launcher=joblib", "hydra/launcher=joblib: unknown option 'joblib'. Known: basic, ray, slurm, stacked"),
    ("hydra/sweeper=basic", "expected study, which checks the runs"),
    ("+optim=adam", "to choose another: optim=adam"),
    ("~optim", "optim is missing; the settings of the config are seed,"),
    ("~seed", "seed is missing"),
    ("seed=range(0,0)", "no value to go through"),
    ("seed=range(5,0)", "no value to go through"),
    ("seed=range(0,3,0)", "a step that is not 0"),
    ("seed=range(0,inf)", "finite numbers"),
    ("seed=range(0,3,nan)", "finite numbers"),
    ("seed=interval(0,1)", "expected them with commas, or range"),
    ("seed=choice()", "cannot read 'seed=choice()': "),
    ("optim=glob(zz*)", "no value to go through; expected at least one. Known: adadelta"),
    ("seed=glob(*)", "no value to go through"),
    ("seed=", "seed='': expected a whole number"),
    ("seed=,", "cannot read 'seed=,': extraneous input ','"),
    ("=3", "=3: expected key=value"),
    ("", "cannot read ''"),
    ("optim.lr", "cannot read 'optim.lr'"),
    ("data.file=ä.npz", "some character needs quotes around the value, KEY='VALUE'"),
    ("seed=0,0", "seed=0,0: 0 is there twice"),
    ("seed=1,1.0", "1.0 is there twice"),
    ("optim.lr=0.1,0.2,1e-1", "0.1 is there twice"),
    ("optim=sgd,'sgd'", "'sgd' is there twice"),
    ("model.hidden=[8],[8,8],[8]", "[8] is there twice"),
    ("seed=0,1 ++seed=2,3", "seed=0,1 goes through values of seed, too"),
    ("seed=range(0,1e9)", "1000000000 runs: more than hydra.sweeper.max_runs=100000; to train them all: "
                          "hydra.sweeper.max_runs=1000000000"),
    ("seed=shuffle(range(0,1000000000))", "hydra.sweeper.max_runs=1000000000"),
    ("seed=range(0,400) optim.lr=range(1,301)", "120000 runs: more than"),
    ("seed=0,1 hydra.sweeper.max_runs=1", "2 runs: more than hydra.sweeper.max_runs=1"),
    ("hydra.sweeper.max_runs=many", "hydra.sweeper.max_runs=many"),
    ("hydra.sweeper.params=3", "hydra.sweeper.params=3"),
    ("hydra.sweeper.params=[a]", "hydra.sweeper.params=[a]"),
    ("hydra.sweeper.params={optim.lr:[1,2]}", "expected -m optim.lr=VALUE,VALUE"),
    ("hydra.sweeper.params.seed=3", "expected -m seed=VALUE,VALUE"),
    ("+hydra.sweeper.params.seed=null", "hydra.sweeper.params.seed"),
    ("+hydra.sweeper.params.seed='0,0'", "seed=0,0: 0 is there twice"),
    ("+hydra.sweeper.params.optim='sgd,null'", "unknown option 'null'"),
    ("hydra.job.name=a/b", "hydra.job.name='a/b': expected a name, not a path"),
    ("hydra.job.name=..", "expected a name"),
    ("hydra.output_subdir=../x", "hydra.output_subdir='../x': expected null or a name"),
    ("hydra.run.dir=", "hydra.run.dir='': expected a directory"),
    ("seed=0,1 hydra.sweep.dir=${nothing}", "hydra.sweep.dir: Interpolation key 'nothing' not found"),
    ("seed=0,1 hydra.sweep.subdir=${nothing}", "Interpolation key 'nothing' not found"),
    ("hydra.sweep.dir=", "hydra.sweep.dir='': expected a directory"),
    ("seed=0,1 hydra.sweep.subdir=same", "'same': several runs would share it"),
    ("hydra.sweep.subdir=a/b", "hydra.sweep.subdir='a/b': expected a name for each run, not a path"),
    ("hydra.sweep.subdir=..", "expected a name for each run"),
    ("optim=sgd,adam hydra.sweep.dir='out/${optim.name}'", "hydra.sweep.dir='out/${optim.name}': out/adam for "
     "optim=adam, out/sgd for the study; expected one directory for all runs; what differs belongs into "
     "hydra.sweep.subdir"),
    ("seed=0,1 hydra.sweep.dir='out/${hydra.job.override_dirname}'", "expected one directory for all runs"),
    ("seed=\udcff", r"'seed=\udcff': expected text without control characters, in UTF-8"),
    ("optim=sg\x07d", r"'optim=sg\x07d': expected text without control characters"),
    ("data.root='a\nb'", r"a\nb"),
    ("callbacks.early_stopping.patience=3", "early_stopping is not chosen; expected callbacks=early_stopping"),
    ("callbacks=checkpoint callbacks.early_stopping.patience=3", "callbacks=[early_stopping,...] with others"),
    ("experiment=keras_intro", "experiment=keras_intro: holds several; expected one of keras_intro/base, "),
    ("experiment=keras_intro/optimiser", "Did you mean keras_intro/optimizer?"),
    ("optim=adam optim.betaa1=1", "Did you mean beta1? Known: name, lr, beta1, beta2, eps"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "said"), MISTAKES, ids=[ascii(words) for words, _ in MISTAKES])
def test_a_mistake_is_one_line(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        study_runs([words] if "[" in words else words.split(" "))
    assert said in str(error.value)
    assert str(error.value).isprintable()
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "word",
    [
        "optim=null",
        "optim=[sgd,adam]",
        "hydra.job.name=a/b",
        "seed=\udcff",
        "seed=0,1",
        "optim.lr=${nothing}",
        "hydra.run.dir=${nothing}",
    ],
)
def test_a_mistake_in_the_words_of_a_single_run(word):
    with pytest.raises(UserError) as error:
        single_run([word])
    assert str(error.value).isprintable()


# Through the command line: nothing is written, and torch is not imported.
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("-m optim=sgd,null", "unknown option 'null'"),
        ("-m seed=range(0,1e9)", "hydra.sweeper.max_runs=1000000000"),
        ("-m seed=0,0", "0 is there twice"),
        ("-m seed=0,1 hydra.sweeper.max_batch_size=0", "max_batch_size=0: expected null or a whole number >= 1"),
        ("-m seed=0,1 hydra.launcher.max_members=0", "max_members=0: expected null or a whole number >= 1"),
        ("-m seed=0,1 hydra.job.name=a/b", "hydra.job.name='a/b': expected a name"),
        ("hydra.job.name=a/b", "hydra.job.name='a/b': expected a name"),
        ("-m seed=0,1 hydra.sweep.subdir=same", "several runs would share it"),
        ("-m optim=sgd,adam hydra.sweep.dir=${optim.name}", "expected one directory for all runs"),
        ("-m seed=0,1 ++hydra.sweeper.params.optim='sgd,null'", "unknown option 'null'"),
        ("-m seed=0,1 hydra/sweeper=basic", "expected study"),
        ("hydra.run.dir=${nothing}", "hydra.run.dir: Interpolation key 'nothing' not found"),
        ("seed=0,1", "seed=0,1: several values; to try each: -m seed=0,1"),
        ("seed=range(0,2)", "seed=range(0,2): several values; to try each: -m seed=range(0,2)"),
        ("model.hidden=8,9", "as a list: model.hidden=[8,9]"),
        ("optim=null", "unknown option 'null'. Known: adadelta"),
        ("-m optim=3 seed=0,1", "unknown option '3'. Known: adadelta"),
        ("--nothing", "unknown option '--nothing'. Known: --help"),
        ("optim=sgd -m seed=0,1", "seed=0,1: stands apart from optim=sgd"),
        ("hydra.run.dir=\udcff", r"\udcff': expected text without control characters, in UTF-8"),
        ("--config-name=other", "--config-name=other: no such configuration; expected train"),
    ],
)
def test_a_mistake_on_the_command_line_leaves_nothing(arguments, said, tmp_path):
    done = run_command(*arguments.split(), cwd=tmp_path, warm=WITHOUT_TORCH)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done.err
    assert said in done.err
    assert not {"torch", "lightning"} & set(done.imported)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nothing"], "--nothing: unknown option '--nothing'. Known: --help, "),
        (["--multirum", "seed=0,1"], "Did you mean --multirun?"),
        (["--cfg", "x"], "invalid choice: 'x' (choose from"),
        (["--config-name"], "--config-name/-cn: expected one argument"),
        (["--config", "x"], "ambiguous option"),
        (["--cfg", "job", "-m"], "--multirun --cfg: expected one of them"),
        (["--resolve"], "--resolve: expected --cfg, too"),
        (["--experimental-rerun", "x"], "not supported"),
        (["optim=sgd", "-m", "seed=0,1"], "seed=0,1: stands apart from optim=sgd; expected options such as -m first"),
        (["-m", "hydra.mode=RUN"], "hydra.mode=RUN: expected MULTIRUN beside --multirun"),
        (["optim=null"], "unknown option 'null'"),
        (["-m", "optim=[sgd,adam]"], "to try each: -m optim=sgd,adam"),
        (["--config-dir=\udcff"], r"\udcff"),
    ],
)
def test_an_option_of_the_command_that_cannot_be_understood(arguments, said):
    with pytest.raises(UserError) as error:
        check_arguments(arguments)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "arguments",
    [[], ["-m"], ["-m", "-m", "seed=0,1"], ["--help"], ["--cfg", "job", "--resolve", "optim=adam"], ["--info"],
     ["-sc", "query=bash"], ["-sc", "install=bash"], ["--hydra-help"], ["-m", "hydra.mode=MULTIRUN"]],
)  # fmt: skip
def test_an_option_that_can_be_understood(arguments):
    check_arguments(arguments)


RANGES = ["range(3)", "range(2,9,3)", "range(9,2,-3)", "range(0,1,0.1)", "range(0.5,2)", "range(1,0,-0.25)",
          "sort(range(0,5),reverse=true)",
          "choice(1,2)", "shuffle(1,2)", "tag(a,choice(1,2))", "sort(3,1)"]  # fmt: skip


@pytest.mark.parametrize("values", RANGES)
def test_runs_are_counted_as_hydra_lists_them(values):
    words = OverridesParser.create().parse_overrides([f"optim.lr={values}", "seed=1,2", "model.l2=0"])
    num_runs = 2 * len(list(words[0].sweep_iterator()))
    words = OverridesParser.create().parse_overrides([f"optim.lr={values}", "seed=1,2", "model.l2=0"])
    check_values(words, num_runs)
    with pytest.raises(UserError, match=f"{num_runs} runs: more than hydra.sweeper.max_runs={num_runs - 1}"):
        check_values(words, num_runs - 1)


def test_the_last_word_of_a_key_is_what_counts():
    assert names("seed=0,1,2", "hydra.sweeper.max_runs=3") == ["seed=0", "seed=1", "seed=2"]
    assert names("seed=range(0,1e9)", "seed=4,5") == ["seed=4", "seed=5"]
    assert names("optim.lr=1e-3,1e3") == ["optim.lr=0.001", "optim.lr=1000.0"]


LONG = "[" + ",".join(f"layer_{number}" for number in range(30)) + "]"
FILES = ["data=arrays", "data.file"]
NAMES = [f"model.hidden=[{','.join(29 * '8')}]", "model.names"]


@pytest.mark.parametrize(
    ("fixed", "key", "values", "another"),
    [
        (*FILES, ["'a b.npz'", "a_b.npz", "'a:b.npz'", "a/b.npz", "'ä_b.npz'"], "x.npz"),
        (*FILES, ["'a,b'", "'a_b'"], "x.npz"),
        (*NAMES, [LONG, LONG.replace("29", "30")], "null"),
    ],
    ids=["characters", "commas", "long"],
)
def test_a_cell_has_the_same_directory_in_whatever_order_and_company(fixed, key, values, another):
    alone = {value: names(fixed, f"{key}={value},{another}")[0] for value in values}
    assert len(set(alone.values())) == len(values)
    assert all(len(name) <= 200 and "/" not in name and name.isascii() for name in alone.values())
    for some in (values, values[::-1], values[1:]):
        assert names(fixed, f"{key}={','.join([another, *some])}")[1:] == [alone[value] for value in some]


def test_a_name_that_is_one_as_it_is_stays_as_it_is():
    assert names("data=arrays", "data.file=a_b.npz,a-b.npz", "model.hidden=[8,8]", "optim=sgd,adam_torch") == [
        f"data.file={file},optim={optim}" for file in ("a_b.npz", "a-b.npz") for optim in ("sgd", "adam_torch")
    ]


@pytest.mark.long
def test_a_directory_of_ones_own_for_each_run(tmp_path):
    words = ["optim=sgd,adam", "seed=0,1", "hydra.sweep.subdir='${optim.name}-${seed}'"]
    planned = ["sgd-0", "sgd-1", "adam-0", "adam-1"]
    assert names(*words) == planned
    assert names("seed=4,5", "hydra.sweep.subdir='run${hydra.job.num}'") == ["run0", "run1"]
    assert names("seed=4,5", "hydra.sweep.subdir=${hydra.job.num}") == ["0", "1"]
    for launcher in ("stacked", "basic"):
        where = [f"hydra/launcher={launcher}", f"hydra.sweep.dir={launcher}"]
        done = run_command("-m", *words, *QUICK, *where, cwd=tmp_path)
        assert done.code == 0, done.err
        assert {path.parent.name for path in (tmp_path / launcher).glob("*/result.json")} == set(planned)
        assert len((tmp_path / launcher / "study.csv").read_text().splitlines()) == 5


def test_the_directory_of_a_study_may_follow_from_what_is_not_swept():
    (folder,) = {str(run.folder.parent) for run in study_runs(["seed=0,1", "hydra.sweep.dir='out/${optim.name}'"])}
    assert folder == "out/sgd"
    words = ["seed=0,1", "optim=sgd,adam", "hydra.sweep.dir='out/${now:%Y}/${unique:}'"]
    assert len({run.folder.parent for run in study_runs(words)}) == 1


def test_an_empty_list_of_callbacks_is_none():
    assert single_run(["callbacks=[]"]).config == single_run([]).config
    none, checkpoint = study_runs(["callbacks=[],[checkpoint]"])
    assert (none.config.callbacks.as_dict(), list(checkpoint.config.callbacks.as_dict())) == ({}, ["checkpoint"])
    assert single_run(["callbacks=[]", "+callbacks.checkpoint={monitor:null,save_best:true,save_last:true}"])


def test_a_dictionary_for_a_group_sets_single_settings():
    assert single_run(["optim={lr:0.3}"]).config.optim == single_run(["optim.lr=0.3"]).config.optim
