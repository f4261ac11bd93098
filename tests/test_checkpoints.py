"""Checkpoints: one format for both engines, written in one step, resumed by Lightning's own Trainer."""

import lightning as L
import pytest
import torch
from full_disk import largest_file

from mlp_study.engines import checkpoint
from mlp_study.engines.datamodule import ImageDataModule
from mlp_study.engines.lit import LitMLP
from mlp_study.engines.quiet import quiet_lightning
from mlp_study.errors import NotWritten
from mlp_study.execution.carry_out import carry_out
from mlp_study.sweeps.words import study_runs

WORDS = [
    "data=digits", "logger=none", "trainer.precision=64-true", "trainer.max_epochs=4", "model.hidden=[12,8]",
    "model.dropout=0.3", "trainer.steps_per_execution=7", "seed=0,1",
]  # fmt: skip
STOP = [  # after two epochs of four
    "callbacks=[early_stopping,checkpoint]", "callbacks.early_stopping.patience=1",
    "callbacks.early_stopping.min_delta=100",
]  # fmt: skip
CASES = {
    "adam": ["optim=adam"],
    "nesterov, cosine": ["optim=nesterov", "optim.lr=0.02", "schedule=cosine"],
    "sgd, batch norm, one cycle": ["optim=sgd", "model.batch_norm=true", "schedule=one_cycle"],
    "rmsprop": ["optim=rmsprop"],
}


def last(run):
    return torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.fixture(scope="module", params=CASES)
def trained(request, tmp_path_factory):
    """For each engine, the second of two runs: stopped after two epochs, and trained for four without a stop."""
    folder, found = tmp_path_factory.mktemp("checkpoints"), {}
    for engine in ("lightning", "stack"):
        for name, words in (("stopped", STOP), ("whole", ["callbacks=checkpoint"])):
            runs = study_runs([*WORDS, *CASES[request.param], *words], folder / engine / name)
            results = carry_out(runs, engine)
            assert [result.epochs for result in results] == [2 if name == "stopped" else 4] * 2, results
            found[engine, name] = runs[1]
    return found


@pytest.mark.parametrize("engine", ["lightning", "stack"])
def test_lightning_resumes_where_a_run_stopped_and_ends_where_it_would_have_ended(trained, engine):
    stopped, whole = trained[engine, "stopped"], trained[engine, "whole"]
    path = stopped.folder / "checkpoints" / "last.ckpt"
    # In double precision before it is filled: Lightning converts a module after it has restored its weights.
    module = LitMLP.load_from_checkpoint(path, weights_only=True).double()
    epochs = []

    class Watch(L.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            epochs.append((trainer.current_epoch, pl_module.lr_used))

    trainer = L.Trainer(
        accelerator="cpu", precision="64-true", max_epochs=4, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, callbacks=[Watch()],
    )  # fmt: skip
    data = ImageDataModule.of(stopped.config, torch.device("cpu"))
    with quiet_lightning():
        trainer.fit(module, datamodule=data, ckpt_path=path, weights_only=True)
    assert [epoch for epoch, _ in epochs] == [2, 3]
    assert module.num_steps == 4 * data.num_batches
    import pandas as pd

    rates = pd.read_csv(whole.folder / "history.csv")["lr"]
    assert [rate for _, rate in epochs] == pytest.approx(list(rates[2:]), rel=1e-12)
    expected = last(whole)["state_dict"]
    assert module.state_dict().keys() == expected.keys()
    for key, value in module.state_dict().items():
        torch.testing.assert_close(value, expected[key], rtol=1e-9, atol=1e-11, msg=key)


def shape_of(value):
    """Keys, kinds and sizes, without the numbers; a counter of steps is as wide as the default that Lightning sets."""
    if isinstance(value, dict):
        return {key: shape_of(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shape_of(item) for item in value]
    return (value.dtype if value.ndim else "", value.shape) if isinstance(value, torch.Tensor) else type(value)


def test_both_engines_write_the_same_format_with_the_same_progress(trained):
    for name in ("stopped", "whole"):
        one, other = last(trained["lightning", name]), last(trained["stack", name])
        # A stack's momentum is zero before the first step, where torch has none: what there is has one shape.
        assert shape_of(one) == shape_of(other)
        for key in ("epoch", "global_step", "loops", "lr_schedulers", "hyper_parameters"):
            assert one[key] == other[key], key
        groups = [content["optimizer_states"][0]["param_groups"] for content in (one, other)]
        assert groups[0] == groups[1]
        assert torch.equal(one["ImageDataModule"]["order"], other["ImageDataModule"]["order"])
        assert torch.equal(one["LitMLP"]["dropout"]["cpu"], other["LitMLP"]["dropout"]["cpu"])


def test_the_loops_are_described_as_lightning_itself_describes_them(trained, tmp_path):
    """What this project writes in Lightning's words follows the version installed: this test says when they change."""
    run = trained["lightning", "stopped"]
    module = LitMLP.of(run.config, 64, 10)
    saved = tmp_path / "lightnings.ckpt"

    class Save(L.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            trainer.save_checkpoint(saved)

    trainer = L.Trainer(
        accelerator="cpu", precision="64-true", max_epochs=2, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, callbacks=[Save()],
    )  # fmt: skip
    with quiet_lightning():
        trainer.fit(module, datamodule=ImageDataModule.of(run.config, torch.device("cpu")))
    theirs, ours = torch.load(saved, weights_only=True), last(run)
    assert ours.keys() == theirs.keys()
    fit = theirs["loops"]["fit_loop"]
    assert ours["loops"]["fit_loop"].keys() == fit.keys()
    for key in ("epoch_progress", "epoch_loop.batch_progress", "epoch_loop.state_dict"):
        assert ours["loops"]["fit_loop"][key] == fit[key], key
    assert ours["epoch"] == theirs["epoch"] == 1


def test_a_members_checkpoint_holds_its_own_weights_and_not_the_stacks(trained):
    sizes = [(trained[e, "whole"].folder / "checkpoints" / "last.ckpt").stat().st_size for e in ("lightning", "stack")]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)


def test_a_checkpoint_is_written_in_one_step(tmp_path):
    module = LitMLP({"in_size": 30, "hidden": [20], "out_size": 2}, {"name": "sgd", "lr": 0.1})
    path = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint.save(path, checkpoint.content(module, {"state": {}, "param_groups": []}, None, 1, 1, {}))
    before = path.read_bytes()
    with largest_file(len(before) // 2), pytest.raises(NotWritten, match=r"last\.ckpt: File too large"):
        checkpoint.save(path, checkpoint.content(module, {"state": {}, "param_groups": []}, None, 1, 1, {}))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]
