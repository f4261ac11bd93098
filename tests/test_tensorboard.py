"""A grid's event files, read back by TensorBoard's own readers."""

import io

import pandas as pd
import pytest
from PIL import Image
from tensorboard.backend.event_processing import event_multiplexer
from tensorboard.backend.event_processing.event_accumulator import HISTOGRAMS, IMAGES, SCALARS
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer as PluginMultiplexer
from tensorboard.plugins.hparams import metadata


@pytest.fixture(scope="module")
def events(grid):
    multiplexer = event_multiplexer.EventMultiplexer(size_guidance={HISTOGRAMS: 0, SCALARS: 0, IMAGES: 0})
    multiplexer.AddRunsFromDirectory(str(grid)).Reload()
    return multiplexer


RUNS = {f"optim={optim},init={init}" for optim in ("sgd", "adam") for init in ("glorot", "zeros")}


def test_runs_are_named_by_their_overrides(events):
    assert set(events.Runs()) == RUNS


def test_scalars_over_epochs_are_the_history(events, grid):
    for run in RUNS:
        history = pd.read_csv(grid / run / "history.csv")
        for column in ("train_loss", "train_acc", "val_loss", "val_acc", "lr", "grad_norm/dense_1", "act_std/dense_1"):
            points = events.Scalars(run, column)
            assert [point.step for point in points] == list(history["epoch"])
            assert [point.value for point in points] == pytest.approx(list(history[column]), rel=1e-6)


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


def test_hparams_tab(grid):
    multiplexer = PluginMultiplexer()
    multiplexer.AddRunsFromDirectory(str(grid)).Reload()
    contents = multiplexer.PluginRunToTagToContent(metadata.PLUGIN_NAME)
    assert set(contents) == RUNS
    columns = []
    for run, tags in contents.items():
        experiment = metadata.parse_experiment_plugin_data(tags[metadata.EXPERIMENT_TAG])
        columns.append({info.name: info.type for info in experiment.hparam_infos})
        values = metadata.parse_session_start_info_plugin_data(tags[metadata.SESSION_START_INFO_TAG]).hparams
        assert values["optim.name"].string_value == run.split(",")[0].removeprefix("optim=")
        assert values["optim.lr"].number_value == (0.1 if "sgd" in run else 0.001)
        assert values["seed"].number_value == 0
        assert set(values) <= set(columns[-1])
        metrics = [info.name.tag for info in experiment.metric_infos]
        assert "best/val_acc" in metrics
        for tag in metrics:  # the tab shows the last value of the scalar
            assert multiplexer.Tensors(run, tag) or multiplexer.GetAccumulator(run).Scalars(tag)
    assert all(column == columns[0] for column in columns)


def test_a_number_is_a_number_in_every_run_and_swept_columns_are_there():
    from mlp_study.engines.events import hparam_columns

    columns = hparam_columns(["optim=adam", "optim.lr=0.1", "model.dropout=[0.1,0.2]", "schedule=cosine", "seed=3"])
    assert columns["optim.lr"] == columns["model.dropout"] == columns["seed"] == 0.0
    assert columns["optim.name"] == columns["schedule.name"] == columns["model.hidden"] == ""
    assert columns == hparam_columns(["optim=sgd", "optim.lr=1", "model.dropout=0", "schedule=step", "seed=0"])
