"""TensorBoard: a run's event file, its row in the HParams tab, its graph and its most telling mistakes.

Written synchronously: a stack of hundreds of runs needs no thread per run, and a file is complete the moment the run
is. TensorBoard's own record writer sums each byte up in Python, which was a tenth of a sweep of small runs.
"""

from __future__ import annotations

import io
import os
import socket
import struct
import time
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import BinaryIO

import google_crc32c
import numpy as np
from PIL import Image, ImageDraw
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from torch.utils.tensorboard.summary import histogram_raw, hparams

from mlp_study.errors import NotWritten
from mlp_study.learning.layer_statistics import Histogram
from mlp_study.nets.mlp import MLP

# Shown for every run in the HParams tab, in this order.
METRICS = ("best_val_acc", "test_acc", "val_acc", "train_acc", "best_val_loss", "test_loss", "val_loss", "train_loss")
QUANTITIES = {"acc": "accuracy", "loss": "loss"}


@cache
def tag(column: str) -> str:
    """What a column of history.csv, or a metric, is called: TensorBoard's groups, which it sorts by name.

    Accuracies come first and then losses, training beside validation, what layers do comes last.
    """
    if "/" in column:
        return f"statistics/{column}"
    if column.startswith(("best_", "test_")):
        return f"result/{column}"
    what, _, quantity = column.rpartition("_")
    return f"{QUANTITIES[quantity]}/{what}" if quantity in QUANTITIES and what else column


def record(content: bytes) -> bytes:
    """An event as it stands in an event file: its length and itself, each with its masked CRC-32C.

    Source: https://github.com/google/crc32c for the sum; TensorFlow's guide to TFRecord for the form.
    """
    length = struct.pack("<Q", len(content))
    return b"".join([length, _masked_sum(length), content, _masked_sum(content)])


def _masked_sum(content: bytes) -> bytes:
    found = google_crc32c.value(content)
    return struct.pack("<I", (((found >> 15) | (found << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


class EventFile:
    """One run's TensorBoard events. The x-axis of everything is the epoch."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}"
        self._file: BinaryIO = self._path.open("xb")
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    @classmethod
    def resumed(cls, path: Path, size: int) -> EventFile:
        """The file `path`, to be gone on with after its first `size` bytes.

        Raises:
            OSError: it is not there, or shorter.
        """
        file = path.open("r+b")
        if file.seek(0, os.SEEK_END) < size:
            file.close()
            raise OSError(f"{path}: shorter than it was")
        file.truncate(size)
        file.seek(size)
        events = cls.__new__(cls)
        events._path, events._file = path, file
        return events

    def state(self) -> tuple[str, int]:
        """Its name, and how long it is now."""
        self.flush()
        return self._path.name, self._path.stat().st_size

    def _write(self, event: Event) -> None:
        try:
            self._file.write(record(event.SerializeToString()))
        except OSError as error:
            raise NotWritten(self._path, error) from error

    def _summary(self, summary: Summary, step: int) -> None:
        self._write(Event(wall_time=time.time(), step=step, summary=summary))

    def scalars(self, values: Mapping[str, float], epoch: int) -> None:
        """One point on each curve; the names are those of history.csv and result.json."""
        points = [Summary.Value(tag=tag(name), simple_value=value) for name, value in values.items()]
        self._summary(Summary(value=points), epoch)

    def histograms(self, values: Mapping[str, Histogram | None], epoch: int) -> None:
        """One histogram for each tag; None is passed over."""
        summary = Summary()
        for tag, h in values.items():
            if h is not None:
                high = h.high if h.high > h.low else h.low + 1e-12
                limits = np.linspace(h.low, high, len(h.counts) + 1)[1:].tolist()
                summary.MergeFrom(histogram_raw(tag, h.low, h.high, h.num, h.total, h.total_squares, limits, h.counts))
        self._summary(summary, epoch)

    def image(self, tag: str, picture: Image.Image, epoch: int) -> None:
        """A picture."""
        content = io.BytesIO()
        picture.save(content, format="PNG", compress_level=1)
        image = Summary.Image(
            height=picture.height, width=picture.width, colorspace=1, encoded_image_string=content.getvalue()
        )
        self._summary(Summary(value=[Summary.Value(tag=tag, image=image)]), epoch)

    def graph(self, mlp: MLP) -> None:
        """The network's graph."""
        self._write(Event(wall_time=time.time(), graph_def=network_graph(mlp).SerializeToString()))

    def hparams(self, values: Mapping[str, str | float]) -> None:
        """This run's row in the HParams tab, see `mlp_study.engines.hparams`; of metrics it shows scalars so called."""
        for summary in hparams(dict(values), {tag(name): 0.0 for name in METRICS}):
            self._summary(summary, 0)

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._file.close()

    def flush(self) -> None:
        """Hand everything written so far to the system."""
        try:
            self._file.flush()
        except OSError as error:
            raise NotWritten(self._path, error) from error


def network_graph(mlp: MLP) -> GraphDef:
    """The network as TensorBoard draws it: a node a layer, its weights beside it, in the order of the data."""
    nodes = [_node("input", "Placeholder", [], (None, mlp.in_size))]
    for name, layer in zip(mlp.names, mlp.layers, strict=True):
        weights = [
            _node(f"{name}/{key}", "Variable", [], tuple(value.shape)) for key, value in layer.named_parameters()
        ]
        inputs = [nodes[-1].name, *(node.name for node in weights)]
        activation = getattr(layer, "activation", None)
        operation = type(layer).__name__ + (f" ({activation})" if activation else "")
        nodes += [*weights, _node(f"{name}/output", operation, inputs, (None, getattr(layer, "out_features", None)))]
    return GraphDef(node=nodes)


def _node(name: str, operation: str, inputs: list[str], shape: tuple[int | None, ...]) -> NodeDef:
    known = TensorShapeProto(dim=[TensorShapeProto.Dim(size=-1 if size is None else size) for size in shape])
    node = NodeDef(name=name, op=operation, input=inputs)
    node.attr["_output_shapes"].list.shape.append(known)
    return node


def mistakes_picture(
    images: np.ndarray, image_shape: tuple[int, int], predicted: np.ndarray, labels: np.ndarray
) -> Image.Image:
    """Digits that were taken for another, each under "true > predicted".

    images: (N, pixels), as they were before scaling; predicted, labels: (N,), numbers or texts; ten in a row.
    """
    tile, caption, num_columns = 56, 14, 10
    num_rows = max(1, -(-len(images) // num_columns))
    picture = Image.new("L", (num_columns * tile, num_rows * (tile + caption)), "white")
    if not len(images):
        picture.paste(_text("nothing was misclassified", num_columns * tile - 4), (4, 2))
    for i, (pixels, guess, label) in enumerate(zip(images, predicted, labels, strict=True)):
        x, y = i % num_columns * tile, i // num_columns * (tile + caption)
        shown = Image.fromarray(grey(pixels).reshape(image_shape))
        scale = (tile - 2) / max(shown.size)
        width, height = (max(1, round(side * scale)) for side in shown.size)
        corner = x + (tile - width) // 2, y + caption + (tile - 2 - height) // 2
        picture.paste(shown.resize((width, height), Image.Resampling.NEAREST), corner)
        picture.paste(_text(f"{label} > {guess}", tile - 10), (x + 10, y + 1))
    return picture


@lru_cache(maxsize=1_000)  # there are few, and drawing one takes as long as a step of training
def _text(text: str, width: int) -> Image.Image:
    picture = Image.new("L", (width, 12), "white")
    ImageDraw.Draw(picture).text((0, 0), text, fill="black")
    return picture


def grey(pixels: np.ndarray) -> np.ndarray:
    """Numbers of any range as uint8: zero, or the least where that is below, is black, the largest white."""
    low, high = min(0.0, float(pixels.min(initial=0))), float(pixels.max(initial=0))
    return (255.0 * (pixels - low) / ((high - low) or 1.0)).astype(np.uint8)
