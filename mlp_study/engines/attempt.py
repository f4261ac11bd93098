"""One run while it is trained: its module, its judge and what it writes. It fails alone."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mlp_study.engines import checkpoint
from mlp_study.engines.image_data import ImageData
from mlp_study.engines.judge import Judge
from mlp_study.engines.learner import Learner
from mlp_study.engines.look import Look
from mlp_study.engines.writer import RunWriter, TestOutcome
from mlp_study.errors import NotWritten, UserError
from mlp_study.learning.layer_statistics import Histogram
from mlp_study.nets.summary import summary
from mlp_study.runs.listener import Listener
from mlp_study.runs.result import FAILED, PRUNED, Result
from mlp_study.runs.run import Run


class Attempt:
    """At a run. Engines call `epoch` until it says that the run has ended, and then `finish`.

    What goes wrong inside one of its own methods is this run's own failure: it is recorded, with how far the run came,
    and the attempt has ended. Others that train beside it go on.

    Attributes:
        status: how the run has ended; "" while it goes on.
        result: what result.json holds, once all is over.
        module: the network, after `begin` or `resume`.
        doctor: looks at it after every epoch.
        restored: the content of the checkpoint that it goes on from; None where it begins.
        is_shown: whether it is told of.
    """

    module: Learner
    doctor: Look
    restored: dict[str, Any] | None = None
    is_shown = True

    def __init__(self, run: Run, listener: Listener) -> None:
        self.run, self.listener = run, listener
        self.writer, self.judge = RunWriter(run), Judge(run.config)
        self.status, self.reason = "", ""
        self.result: Result | None = None
        self.train_seconds = 0.0
        self.num_images = 0

    def begin(self, data: ImageData, kind: type[Learner] = Learner) -> None:
        """Initialize the network, a module of the engine's `kind`, and write what is known before training."""
        with self._alone():
            self._make(data, kind)
            self.writer.begin(self.module.mlp, data)
            self.writer.evidence(self.doctor.at(self.module.mlp))
            self._say(summary(self.module.mlp))
            num_val = 0 if data.val is None else len(data.val[0])
            self._say(
                f"training on {len(data.train[0]):,} images, validating on {num_val:,}, on {self.writer.record.device}"
            )

    def resume(self, data: ImageData, state: Mapping[str, Any], kind: type[Learner] = Learner) -> None:
        """Go on from `state`; instead of `begin`.

        Raises:
            Exception: `state` is not what it should be.
        """
        self._make(data, kind)
        self.restored = state["network"]
        self.judge.set_state(state["judge"])
        self.train_seconds, self.num_images = state["train_seconds"], state["num_images"]
        num_epochs = len(state["writer"]["history"])
        num_done, num_images = state["network"]["ImageDataModule"].get("num_done", 0), data.train_batches(0).num_images
        inside = f" and {num_done:,} of {num_images:,} images" if num_done else ""
        with self._alone():
            self.writer.resume(self.module.mlp, data, state["writer"])
            self._say(f"going on after epoch {num_epochs}/{self.judge.max_epochs}{inside}")
            self.listener.advanced(num_epochs + num_done / num_images, 0)

    def _make(self, data: ImageData, kind: type[Learner]) -> None:
        """The module, in the type that it is trained in: weights in double precision find their place only there."""
        self.module = kind.of(self.run.config, data.train[0].shape[1], len(data.classes)).to(data.dtype)
        self.doctor = Look(self.run.config, self.module.mlp, data)

    def state(self, network: dict[str, Any]) -> dict[str, Any]:
        """What `resume` needs, plain; `network` is the content of a checkpoint as it would be saved now."""
        return {
            "network": network,
            "judge": self.judge.state(),
            "train_seconds": self.train_seconds,
            "num_images": self.num_images,
            "writer": self.writer.state(),
        }

    def epoch(
        self,
        row: Mapping[str, float],
        histograms: Mapping[str, Histogram | None],
        first_loss: float,
        network: Callable[[], dict[str, Any]],
        seen: Mapping[str, float],
    ) -> None:
        """Record an epoch, judge it and save the network if it is to be saved.

        Args:
            row: a row of history.csv.
            histograms: by TensorBoard tag; empty if `writer.wants_histograms` is false.
            first_loss: of the first mini-batch of the run.
            network: makes the content of a checkpoint, see `mlp_study.engines.checkpoint`.
            seen: a row of evidence.csv, see `mlp_study.engines.look`.
        """
        with self._alone():
            number = self.writer.epoch(row, histograms)
            self.writer.evidence(seen)
            self._say(epoch_line(row, number, self.judge.max_epochs))
            self.listener.epoch(self.run.name, dict(row))
            status, reason, is_best = self.judge.epoch(row, number, first_loss)
            if is_best:
                checkpoint.save(self.run.folder / "checkpoints" / "best.ckpt", network())
            self._end(status, reason, network)

    def prune(self, reason: str, network: Callable[[], dict[str, Any]]) -> None:
        """End after an epoch that has not ended it: a search goes on without it."""
        with self._alone():
            self._end(PRUNED, reason, network)

    def _end(self, status: str, reason: str, network: Callable[[], dict[str, Any]]) -> None:
        """End so, if `status` says that it ends."""
        asked = self.run.config.callbacks.checkpoint
        if status and asked is not None and asked.save_last:
            checkpoint.save(self.run.folder / "checkpoints" / "last.ckpt", network())
        self.status, self.reason = status, reason

    def finish(self, test: TestOutcome | None, data: ImageData, seconds: float | None = None) -> None:
        """Record the end. `seconds` it took, if not all since it began; `test` is None for a run that diverged."""
        with self._alone():
            result = self.writer.finish(
                self.status, self.reason, test, data, self.train_seconds, self.num_images, seconds
            )
            self._say(result.line())
            self.writer.record.write(result)
            self._over(result)

    def fail(self, error: Exception, is_held: bool = True) -> None:
        """Record a failure, as far as the directory can still be written; not at all if it is not held for us."""
        said = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        self.status, self.reason = FAILED, (said.strip().splitlines() or [""])[0]
        record = self.writer.record
        result = record.finish(FAILED, self.reason, {}, self.train_seconds, self.num_images)
        self.close()
        if is_held:
            with contextlib.suppress(OSError, NotWritten):
                record.log("".join(traceback.format_exception(error)))
                record.log(result.line())
            with contextlib.suppress(OSError, NotWritten):
                record.write(result)
        self._over(result)

    def abandon(self) -> None:
        """Leave it as it is, to be tried again."""
        self.listener.advanced(-len(self.writer.record.history), 0)

    def close(self) -> None:
        """Let go of its files."""
        with contextlib.suppress(OSError, NotWritten):
            self.writer.close()

    def _over(self, result: Result) -> None:
        self.result = result
        # What it will not train on any more counts as done.
        self.listener.advanced(self.judge.max_epochs - len(self.writer.record.history), 0)
        self.listener.ended(self.run.name, result)

    def _say(self, text: str) -> None:
        self.writer.record.log(text)
        self.listener.said(self.run.name, text)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.fail(error)


class Ghost(Attempt):
    """A run that has ended already, and trains once more beside the others of its stack: it writes and tells nothing.

    Its stack goes on from a snapshot in which it still was, see `mlp_study.engines.snapshot`.
    """

    is_shown = False

    def __init__(self, run: Run) -> None:
        super().__init__(run, Listener())
        self.result = run.result()

    def begin(self, data: ImageData, kind: type[Learner] = Learner) -> None:
        """Initialize the network."""
        self._make(data, kind)

    def resume(self, data: ImageData, state: Mapping[str, Any], kind: type[Learner] = Learner) -> None:
        """Go on from `state`."""
        self.begin(data, kind)
        self.restored = state["network"]
        self.judge.set_state(state["judge"])
        self.writer.record.history = [dict(row) for row in state["writer"]["history"]]

    def epoch(
        self,
        row: Mapping[str, float],
        histograms: Mapping[str, Histogram | None],
        first_loss: float,
        network: Callable[[], dict[str, Any]],
        seen: Mapping[str, float],
    ) -> None:
        """Judge an epoch."""
        history = self.writer.record.history
        history.append({"epoch": len(history) + 1, **row})
        self.status, self.reason, _ = self.judge.epoch(row, len(history), first_loss)

    def prune(self, reason: str, network: Callable[[], dict[str, Any]]) -> None:
        """End."""
        self.status, self.reason = PRUNED, reason

    def finish(self, test: TestOutcome | None, data: ImageData, seconds: float | None = None) -> None:
        """It is finished."""

    def fail(self, error: Exception, is_held: bool = True) -> None:
        """It leaves, and its result stays."""
        self.status = FAILED


def epoch_line(row: Mapping[str, float], epoch: int, max_epochs: int) -> str:
    """One epoch as Keras prints it."""
    shown = ("train_loss", "train_acc", "val_loss", "val_acc")
    return f"epoch {epoch:>{len(str(max_epochs))}}/{max_epochs}  " + "  ".join(
        f"{key} {row[key]:.4f}" for key in shown if key in row
    )
