"""Train one configuration, alone, with the Lightning Trainer: the plain path, and the oracle for the stacked one."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch

from mlp_study.callbacks import Recorder, checkpoints, early_stopping
from mlp_study.config import Config
from mlp_study.data.datamodule import EVAL_BATCH, ImageDataModule
from mlp_study.errors import UserError
from mlp_study.lit import LitMLP
from mlp_study.mlp import MLP
from mlp_study.progress import TrainingBar
from mlp_study.record import COMPLETED, DIVERGED, STOPPED
from mlp_study.seeds import streams
from mlp_study.summary import summary
from mlp_study.writer import RunWriter, TestOutcome


def pick_device(config: Config, job: int = 0) -> torch.device:
    """The device a job trains on: CUDA devices in turn where there are any, else the CPU.

    Raises:
        UserError: CUDA was asked for and there is none.
    """
    wanted, num_cuda = config.trainer["accelerator"], torch.cuda.device_count()
    if wanted == "cuda" and num_cuda == 0:
        raise UserError("trainer.accelerator='cuda': no CUDA device was found; expected auto or cpu")
    return torch.device("cuda", job % num_cuda) if num_cuda and wanted != "cpu" else torch.device("cpu")


def prepare_processor() -> None:
    """Let numbers below the smallest normal one (1e-38 in float32) be zero; threads started later inherit it.

    Where gradients vanish, Adam's moments decay into that range and, rounded up there, never leave it; a processor
    then takes ten times as long for a step (measured: 440 us instead of 60 for 78,400 weights).
    """
    torch.set_flush_denormal(True)


# Arithmetic that keeps a thread busy for about a millisecond: below it, a second thread gains a fifth on an idle
# machine and loses a factor of ten and more on a busy one, where the threads of each step wait for one another.
FLOPS_PER_THREAD = 50e6
_all_threads = torch.get_num_threads()


def use_threads(flops: float) -> None:
    """Let torch use as many threads as a step of so many operations deserves; never more than it had at the start."""
    torch.set_num_threads(max(1, min(_all_threads, int(flops / FLOPS_PER_THREAD))))


def flops_per_step(mlp: MLP, batch_size: int) -> float:
    """Floating-point operations of one training step: a product forward and two backward for every kernel."""
    return 6.0 * batch_size * sum(layer.weight.numel() for layer in mlp.dense.values())


def data_module(config: Config, device: torch.device) -> ImageDataModule:
    """The scaled and split images that `config` asks for, on `device`."""
    trainer = config.trainer
    data = ImageDataModule(
        config.data,
        seed=streams(config.seed).order,
        dtype=torch.float64 if trainer["precision"] == "64-true" else torch.float32,
        device=device,
        steps_per_execution=trainer["steps_per_execution"],
        limits={part: trainer[f"limit_{part}_batches"] for part in ("train", "val", "test")},
    )
    data.setup()
    return data


def lit_module(config: Config, data: ImageDataModule) -> LitMLP:
    """The LightningModule of `config`, freshly initialized, sized for `data`."""
    return untrained(config, data.train[0].shape[1], data.num_classes)


def untrained(config: Config, in_size: int, out_size: int) -> LitMLP:
    """The LightningModule of `config`, freshly initialized: the weights follow from the seed, not from any image."""
    model = config.model
    mlp = {
        key: model[key] for key in ("hidden", "activation", "dropout", "input_dropout", "batch_norm", "bias", "names")
    }
    sizes = {"in_size": in_size, "out_size": out_size}
    return LitMLP(
        mlp={**sizes, **mlp, "kernel_init": config.init, "bias_init": config.bias_init, "seed": config.seed},
        optim=config.optim,
        schedule=config.schedule,
        loss=config.loss,
        output_activation=model["output_activation"],
        l2=model["l2"],
        batch_size=config.data["batch_size"],
        gradient_clip_val=config.trainer["gradient_clip_val"],
        gradient_clip_algorithm=config.trainer["gradient_clip_algorithm"],
    )


def train_run(
    config: Config,
    folder: Path,
    overrides: Sequence[str],
    name: str,
    job: int = 0,
    report: Callable[[str], Any] = print,
) -> dict[str, Any]:
    """Train `config` in `folder` and return what its result.json holds.

    Args:
        config: the run's settings.
        folder: its directory, claimed by this process.
        overrides: what the user typed for it.
        name: what it is called in tables.
        job: its number in a sweep, which spreads jobs over CUDA devices.
        report: called with lines for the user.
    """
    prepare_processor()
    device = pick_device(config, job)
    data = data_module(config, device)
    module = lit_module(config, data)
    use_threads(flops_per_step(module.mlp, config.data["batch_size"]))
    writer = RunWriter(folder, config, overrides, name)
    writer.begin(module.mlp, data)
    report(summary(module.mlp))
    num_val = 0 if data.val is None else len(data.val[0])
    report(f"training on {len(data.train[0]):,} images, validating on {num_val:,}, on {device}")
    try:
        return _fit(config, data, module, writer, report)
    finally:
        writer.close()


def _fit(
    config: Config, data: ImageDataModule, module: LitMLP, writer: RunWriter, report: Callable[[str], Any]
) -> dict[str, Any]:
    settings = config.trainer
    with TrainingBar(writer.record.name, settings["max_epochs"], settings["progress_bar"]) as bar, quiet_lightning():
        recorder, stopping = Recorder(writer, bar, report), early_stopping(config)
        trainer = L.Trainer(
            accelerator=data.device.type,
            devices=1 if data.device.type == "cpu" else [data.device.index],
            precision=settings["precision"],
            max_epochs=settings["max_epochs"],
            deterministic=settings["deterministic"],
            callbacks=[recorder, *([stopping] if stopping else []), *checkpoints(config, writer.folder)],
            logger=False,
            enable_checkpointing=config.callbacks.get("checkpoint") is not None,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        try:
            trainer.fit(module, datamodule=data)
        except SystemExit:  # Lightning's own end of a Ctrl-C, with an exit code that says nothing of it
            raise KeyboardInterrupt from None
    if recorder.diverged:
        status, reason = DIVERGED, recorder.diverged
    elif stopping is not None and stopping.stopped_epoch:
        status, reason = STOPPED, f"early stopping: {stopping.monitor} did not improve in {stopping.patience} epochs"
    else:
        status, reason = COMPLETED, ""
    test = None if status == DIVERGED else evaluate_test(trainer, module, data)
    result = writer.finish(status, reason, test, data, recorder.train_seconds, recorder.num_images)
    report(outcome_line(result))
    return result


@torch.no_grad()
def evaluate_test(trainer: L.Trainer, module: LitMLP, data: ImageDataModule) -> TestOutcome | None:
    """Loss, accuracy and predictions on the test images, with the weights of the last epoch."""
    if data.test is None:
        return None
    with quiet_lightning():
        trainer.test(module, datamodule=data, verbose=False)
    images = data.test_dataloader().images.to(data.device)  # type: ignore[union-attr]
    module.eval().to(data.device)
    predicted = torch.cat([module.mlp(x).argmax(-1) for x in images.split(EVAL_BATCH)])
    return TestOutcome(*module.evaluated["test"], predicted.cpu().numpy())


def outcome_line(result: dict[str, Any]) -> str:
    """One line on how a run ended."""
    metrics, name = result["metrics"], result["name"]
    shown = "  ".join(f"{key} {metrics[key]:.4f}" for key in ("val_acc", "test_acc") if metrics.get(key) is not None)
    return (
        f"{name}: {result['status']} after {result['epochs']} epochs"
        + (f" ({result['reason']})" if result["reason"] else "")
        + f"  {shown}"
    )


class quiet_lightning(warnings.catch_warnings):
    """Keep Lightning's remarks on what is meant to be so from the user."""

    def __enter__(self) -> Any:
        """Silence them."""
        result = super().__enter__()
        warnings.filterwarnings("ignore", category=UserWarning, module="lightning")
        warnings.filterwarnings("ignore", category=FutureWarning, module="lightning")
        self._level = logging.getLogger("lightning.pytorch").level
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        return result

    def __exit__(self, *error: Any) -> None:
        """Let them speak again."""
        logging.getLogger("lightning.pytorch").setLevel(self._level)
        super().__exit__(*error)
