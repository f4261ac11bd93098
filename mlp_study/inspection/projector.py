"""The same images for TensorBoard's projector: vectors, digits and a sheet of pictures, in a folder of their own.

What leads TensorBoard there is in the run's own directory: it looks in runs alone, and what has an event file is a run.
A run that was trained without TensorBoard gets an empty one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.projector import ProjectorConfig
from tensorboard.plugins.projector.metadata import PROJECTOR_FILENAME
from tensorboard.summary.writer.record_writer import RecordWriter

from mlp_study.files import replaced, write_text
from mlp_study.inspection.thumbnails import sheet

EVENTS = "events.out.tfevents.0000000000.projector"

FOLDER = "projector"


def files(layers: Sequence[str]) -> list[str]:
    """The names of all that `write` writes for the layers."""
    return [PROJECTOR_FILENAME, EVENTS, "metadata.tsv", "sprite.png", *(f"{layer}.tsv" for layer in layers)]


def write(
    run: Path,
    folder: Path,
    names: Sequence[str],
    representations: Sequence[np.ndarray],
    labels: np.ndarray,
    predicted: np.ndarray,
    greys: np.ndarray,
) -> None:
    """Write everything into `folder`, a tensor for each layer, and into the directory `run` where that is.

    names: of the layers; representations: (N, units) for each; labels, predicted: (N,), digits;
    greys: (N, height, width) uint8.
    """
    folder.mkdir(exist_ok=True)
    height, width = greys.shape[1:]
    rows = [f"{digit}\t{guess}\t{i}" for i, (digit, guess) in enumerate(zip(labels, predicted, strict=True))]
    write_text(folder / "metadata.tsv", "\n".join(["digit\tpredicted\timage", *rows]) + "\n")
    with replaced(folder / "sprite.png") as temporary:
        sheet(greys).save(temporary, format="PNG")
    config, place = ProjectorConfig(), os.path.relpath(folder, run)
    for name, values in zip(names, representations, strict=True):
        with replaced(folder / f"{name}.tsv") as temporary:
            np.savetxt(temporary, values, fmt="%.9g", delimiter="\t")
        embedding = config.embeddings.add()
        embedding.tensor_name, embedding.tensor_path, embedding.metadata_path = (
            name,
            f"{place}/{name}.tsv",
            f"{place}/metadata.tsv",
        )
        embedding.tensor_shape.extend(values.shape)
        embedding.sprite.image_path = f"{place}/sprite.png"
        embedding.sprite.single_image_dim.extend([width, height])
    if not any(run.glob("events.out.tfevents.*")):
        with replaced(run / EVENTS) as temporary, temporary.open("wb") as file:
            RecordWriter(file).write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())
    write_text(run / PROJECTOR_FILENAME, text_format.MessageToString(config))
