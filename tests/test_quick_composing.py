"""What is composed quickly is what Hydra composes, and follows the files."""

import shutil

import pytest
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from mlp_study.commands import training
from mlp_study.errors import UserError
from mlp_study.sweeps import explain
from mlp_study.sweeps.words import single_run
from mlp_study.sweeps.written import plain, to_yaml

RUN, SWEEP = RunMode.RUN, RunMode.MULTIRUN


def outcome(loader, words, mode):
    """The composed settings with the flags of their nodes, or the error with its cause."""
    try:
        config = loader.load_configuration("train", words.split(), run_mode=mode)
    except Exception as error:
        return type(error), str(error), type(error.__cause__), str(error.__cause__)
    nodes = config, config.hydra, config.model, config.hydra.runtime
    # As text, for the order of the keys.
    return OmegaConf.to_yaml(config), [(node._metadata.flags, node._metadata.object_type) for node in nodes]


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        ("optim=adam optim.lr=0.3 seed=4 model.hidden=[3,4] hydra.run.dir=x", RUN),
        ("callbacks=[early_stopping,checkpoint] hydra/launcher=basic +new=1 ++seed=2", RUN),
        ("experiment=course_notes/optimizers seed=1 data=digits", SWEEP),
        ("optim=adam,sgd seed=1,2 data=digits", SWEEP),
        ("optim=adam,sgd data=digits", RUN),
        ("optim=???", SWEEP),
        ("optim=???", RUN),
        ("~optim.lr hydra.sweeper.params.seed=1", RUN),
        ("optim.lr=3 optim={lr:0.5} optim=momentum", RUN),
        ("hydra.job.chdir=true hydra.mode=RUN", RUN),
        ("hydra.searchpath=[pkg://mlp_study]", RUN),
        ("optim=sdg", RUN),
        ("optim.rl=1 data=digits", RUN),
        ("model.hidden=[1", RUN),
        ("optim@x=adam", SWEEP),
    ],
)
def test_settings_and_errors_are_those_of_hydras_own_loader(words, mode):
    with initialize_config_dir(str(explain.conf_dir()), version_base="1.3"):
        expected = outcome(GlobalHydra.instance().config_loader(), words, mode)
    for _ in range(2):  # composed, and remembered
        with explain.hydra_with_conf() as loader:
            found = outcome(loader, words, mode)
        assert found == expected


def test_a_changed_file_is_read_again(tmp_path, monkeypatch):
    folder = shutil.copytree(explain.conf_dir(), tmp_path / "conf")
    monkeypatch.setattr(explain, "conf_dir", lambda: folder)
    before = single_run(["optim=momentum"]).config.optim
    path = folder / "optim" / "momentum.yaml"
    path.write_text(path.read_text().replace(f"lr: {before.lr}", "lr: 0.125"))
    assert before.lr != single_run(["optim=momentum"]).config.optim.lr == 0.125


def test_a_directory_of_the_users_own_is_read_anew_by_every_command(tmp_path, capsys):
    (tmp_path / "optim").mkdir()
    for lr in ("0.25", "0.75"):
        (tmp_path / "optim" / "mine.yaml").write_text(f"name: sgd\nlr: {lr}\n")
        training.main(["--config-dir", str(tmp_path), "optim=mine", "--cfg", "job"])
        assert f"  lr: {lr}\n" in capsys.readouterr().out


def test_the_time_is_that_of_the_command_and_not_of_an_earlier_one():
    folders = [single_run(["data=digits"]).folder for _ in range(2)]
    assert folders[0] != folders[1]


def test_what_a_program_registers_with_hydra_is_found(monkeypatch):
    store = ConfigStore.instance()
    monkeypatch.setattr(store, "repo", store.repo.copy())
    with pytest.raises(UserError, match="optim=mine"):
        single_run(["optim=mine"])
    for lr in (0.5, 0.25):
        store.store(group="optim", name="mine", node={"name": "sgd", "lr": lr})
        assert single_run(["optim=mine"]).config.optim.lr == lr


def test_what_is_written_of_a_configuration_reads_as_what_omegaconf_writes():
    texts = [
        "1e-3",
        "1",
        "yes",
        "On",
        "null",
        "~",
        "0x10",
        "a: b",
        "- x",
        "'q'",
        "",
        "é",
        "nan",
        "1:20",
        "a\nb",
        "x" * 300,
    ]
    odd = OmegaConf.create({"texts": texts, "numbers": [1, 1e-7, True, None], "there": "${texts}"})
    written = [OmegaConf.to_container(OmegaConf.create(text)) for text in (to_yaml(plain(odd)), OmegaConf.to_yaml(odd))]
    assert written[0] == written[1] == OmegaConf.to_container(odd)
    for path in explain.conf_dir().rglob("*.yaml"):
        config = OmegaConf.load(path)
        read = OmegaConf.create(to_yaml({"inner": plain(config)})).inner
        assert OmegaConf.to_container(read) == OmegaConf.to_container(config)
