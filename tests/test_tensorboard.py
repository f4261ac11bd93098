"""A grid's event files, read back by TensorBoard's own readers."""

import io

import pandas as pd
import pytest
from PIL import Image
from tensorboard.backend.event_processing import event_multiplexer
from tensorboard.backend.event_processing.event_accumulator import HISTOGRAMS, IMAGES, SCALARS
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer as PluginMultiplexer
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.api_pb2 import DataType


@pytest.fixture(scope="module")
def events(grid):
    multiplexer = event_multiplexer.EventMultiplexer(size_guidance={HISTOGRAMS: 0, SCALARS: 0, IMAGES: 0})
    multiplexer.AddRunsFromDirectory(str(grid)).Reload()
    return multiplexer


RUNS = {f"optim={optim},init={init}" for optim in ("sgd", "adam") for init in ("glorot", "zeros")}


def test_runs_are_named_by_their_overrides(events):
    assert set(events.Runs()) == RUNS


TAGS = {
    "train_loss": "loss/train", "train_acc": "accuracy/train", "val_loss": "loss/val", "val_acc": "accuracy/val",
    "lr": "lr", "grad_norm/dense_1": "statistics/grad_norm/dense_1", "act_std/dense_1": "statistics/act_std/dense_1",
}  # fmt: skip


def test_scalars_over_epochs_are_the_history(events, grid):
    for run in RUNS:
        history = pd.read_csv(grid / run / "history.csv")
        for column, tag in TAGS.items():
            points = events.Scalars(run, tag)
            assert [point.step for point in points] == list(history["epoch"])
            assert [point.value for point in points] == pytest.approx(list(history[column]), rel=1e-6)


def test_accuracy_and_loss_come_first_training_beside_validation_and_layers_last(events):
    for run in RUNS:
        tags = sorted(events.GetAccumulator(run).Tags()["scalars"])  # as TensorBoard shows them
        groups = list(dict.fromkeys(tag.split("/")[0] for tag in tags))
        assert groups == ["accuracy", "loss", "lr", "result", "statistics"]
        assert tags[:4] == ["accuracy/train", "accuracy/val", "loss/train", "loss/val"]


def test_histograms_images_and_graph(events):
    for run in RUNS:
        accumulator = events.GetAccumulator(run)
        for tag in ("weights/dense_1", "weights/dense_2", "gradients/dense_1", "gradients/dense_2"):
            histograms = accumulator.Histograms(tag)
            assert [h.step for h in histograms] == [1, 2, 3, 4, 5]
            assert sum(histograms[-1].histogram_value.bucket) == histograms[-1].histogram_value.num
        (tag,) = accumulator.Tags()["images"]
        picture = Image.open(io.BytesIO(accumulator.Images(tag)[-1].encoded_image_string))
        assert picture.width == 560
        graph = accumulator.Graph()
        assert {"input", "dense_1/output", "dense_2/output", "dense_1/weight"} <= {node.name for node in graph.node}


def hparams_of(folder):
    """Of each run the types of its columns, its values, and the tags of its metrics, as TensorBoard reads them."""
    multiplexer = PluginMultiplexer()
    multiplexer.AddRunsFromDirectory(str(folder)).Reload()
    found = {}
    for run, tags in multiplexer.PluginRunToTagToContent(metadata.PLUGIN_NAME).items():
        experiment = metadata.parse_experiment_plugin_data(tags[metadata.EXPERIMENT_TAG])
        values = metadata.parse_session_start_info_plugin_data(tags[metadata.SESSION_START_INFO_TAG]).hparams
        metrics = [info.name.tag for info in experiment.metric_infos]
        for tag in metrics:  # the tab shows the last value of the scalar
            assert multiplexer.Tensors(run, tag) or multiplexer.GetAccumulator(run).Scalars(tag)
        types = {info.name: DataType.Name(info.type) for info in experiment.hparam_infos}
        plain = {name: getattr(value, value.WhichOneof("kind")) for name, value in values.items()}
        found[run] = types, plain, metrics
    return found


def test_hparams_show_what_is_swept_and_nothing_else(grid):
    found = hparams_of(grid)
    assert set(found) == RUNS
    for run, (types, values, metrics) in found.items():
        assert types == {"optim": "DATA_TYPE_STRING", "init": "DATA_TYPE_STRING"}
        assert ",".join(f"{key}={value}" for key, value in values.items()) in (run, ",".join(reversed(run.split(","))))
        assert metrics[0] == "result/best_val_acc"


def test_every_run_has_every_column_and_numbers_are_numbers(train, tmp_path):
    words = ["data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "logger.graph=false"]
    words += ["init=small,large", "optim.lr=0.1,1", "model.dropout=0,[0.1]", "seed=3,4", "optim=sgd"]
    assert train("-m", *words, "hydra.sweep.dir=study").code == 0
    found = hparams_of(tmp_path / "study")
    assert len(found) == 16
    text, number = "DATA_TYPE_STRING", "DATA_TYPE_FLOAT64"
    columns = {"init": text, "optim.lr": number, "model.dropout": text, "seed": number}
    for types, values, _ in found.values():
        assert types == columns
        assert set(values) == set(columns)
    assert {values["init"] for _, values, _ in found.values()} == {"small", "large"}
    assert {values["optim.lr"] for _, values, _ in found.values()} == {0.1, 1}
    assert {values["model.dropout"] for _, values, _ in found.values()} == {"0", "[0.1]"}


def test_a_run_alone_shows_what_it_is_best_known_by(train, tmp_path):
    words = ["data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "init=small", "schedule=cosine"]
    assert train(*words, "hydra.run.dir=alone").code == 0
    ((_, values, _),) = hparams_of(tmp_path / "alone").values()
    expected = {"optim": "sgd", "optim.lr": 0.1, "init": "small", "model.hidden": "[100]", "seed": 0}
    assert {name: values[name] for name in expected} == expected
    assert values["schedule"] == "cosine"
