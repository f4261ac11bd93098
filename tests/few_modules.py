"""Predicts, trains a stack and a run alone, and sees what each has imported; then asks for what was left out.

    python few_modules.py RUN PICTURE

RUN is a trained run with a checkpoint on images of 28 x 28.
"""

import sys

from mlp_study.__main__ import main
from mlp_study.engines import later

LEFT_OUT = {
    "matplotlib.pyplot", "scipy.stats", "sklearn", "sympy", "torch._dynamo.eval_frame", "torchmetrics.functional",
    "torchvision",
}  # fmt: skip
QUICK = ["data=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=3"]


def see_that_nothing_of(unwanted: set[str]) -> None:
    assert not unwanted & sys.modules.keys(), unwanted & sys.modules.keys()


if __name__ == "__main__":
    run, picture = sys.argv[1:]
    main(["predict", run, "--images", picture])
    see_that_nothing_of(LEFT_OUT | {"lightning", "tensorboard", "pandas"})
    main(["train", "-m", "optim=sgd,adam", *QUICK, "hydra.sweep.dir=study", "hydra.launcher.workers=1"])
    see_that_nothing_of(LEFT_OUT | {"lightning"})
    main(["train", *QUICK, "hydra.run.dir=alone", "callbacks=checkpoint"])
    see_that_nothing_of(LEFT_OUT)
    assert "lightning.pytorch.trainer.trainer" in sys.modules

    # What was left out is there for whoever asks for it.
    from lightning.pytorch.utilities.compile import OptimizedModule  # what Lightning takes for it
    from torch import compile, nn, ones, optim

    assert not isinstance(nn.Linear(1, 1), OptimizedModule)
    compiled = compile(nn.Linear(3, 2), backend="eager")
    assert compiled(ones(1, 3)).shape == (1, 2)
    assert isinstance(compiled, OptimizedModule)
    optim.SGD(compiled.parameters(), lr=0.1).zero_grad()
    import torchmetrics
    from lightning.pytorch.trainer.connectors.logger_connector.result import _ResultMetric

    assert issubclass(_ResultMetric, torchmetrics.Metric)
    assert sys.modules[later.COMPILER].__class__ is sys.__class__
