"""The same images for TensorBoard's projector: vectors, digits and a sheet of pictures, in a folder of their own.

The folder holds an event file too, though an empty one: TensorBoard looks for the projector's files in runs alone, and
what has no event file is no run. So it shows up as the run inspection/projector, however RUN itself was trained.
"""

from __future__ import annotations

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


def write(
    folder: Path,
    names: Sequence[str],
    representations: Sequence[np.ndarray],
    labels: np.ndarray,
    predicted: np.ndarray,
    greys: np.ndarray,
) -> None:
    """Write everything into `folder`, a tensor for each layer.

    names: of the layers; representations: (N, units) for each; labels, predicted: (N,), digits;
    greys: (N, height, width) uint8.
    """
    folder.mkdir(exist_ok=True)
    height, width = greys.shape[1:]
    rows = [f"{digit}\t{guess}\t{i}" for i, (digit, guess) in enumerate(zip(labels, predicted, strict=True))]
    write_text(folder / "metadata.tsv", "\n".join(["digit\tpredicted\timage", *rows]) + "\n")
    with replaced(folder / "sprite.png") as temporary:
        sheet(greys).save(temporary, format="PNG")
    config = ProjectorConfig()
    for name, values in zip(names, representations, strict=True):
        with replaced(folder / f"{name}.tsv") as temporary:
            np.savetxt(temporary, values, fmt="%.9g", delimiter="\t")
        embedding = config.embeddings.add()
        embedding.tensor_name, embedding.tensor_path, embedding.metadata_path = name, f"{name}.tsv", "metadata.tsv"
        embedding.tensor_shape.extend(values.shape)
        embedding.sprite.image_path = "sprite.png"
        embedding.sprite.single_image_dim.extend([width, height])
    with replaced(folder / EVENTS) as temporary, temporary.open("wb") as file:
        RecordWriter(file).write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())
    write_text(folder / PROJECTOR_FILENAME, text_format.MessageToString(config))
