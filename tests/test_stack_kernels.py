"""A member's step in a stack, against the step of torch's own optimizer."""

import pytest
import torch
from stacks import option

from mlp_study.choices.optimizers import OPTIMIZERS, optimizer
from mlp_study.engines.stack.kernels import Scratch, step_of
from mlp_study.sweeps.explain import conf_dir

SHAPES = ((30, 7), (30,), (30, 30), (30,))  # two of one shape


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", sorted(path.stem for path in (conf_dir() / "optim").glob("*.yaml")))
def test_a_kernel_steps_as_torchs_optimizer_does(name, float64):
    settings = option("optim", name)
    generator = torch.Generator().manual_seed(0)
    theirs = [torch.randn(shape, generator=generator).requires_grad_() for shape in SHAPES]
    ours = [parameter.detach().clone() for parameter in theirs]
    for parameter in ours:
        parameter.grad = torch.zeros_like(parameter)
    plain, stacked = optimizer(**settings).over(theirs), optimizer(**settings).over(ours)
    step = step_of(stacked, Scratch())
    for i in range(40):
        for plain_one, our_one in zip(theirs, ours, strict=True):
            sizes = 10.0 ** torch.randint(-6, 3, plain_one.shape, generator=generator)
            plain_one.grad = torch.randn(plain_one.shape, generator=generator) * sizes
            our_one.grad.copy_(plain_one.grad)
        for group in (plain.param_groups[0], stacked.param_groups[0]):
            group["lr"] = settings["lr"] / (1 + i)  # as a schedule does
        plain.step()
        with torch.no_grad():
            step()
        if i == 20:  # what is kept in between is torch's own
            kept = stacked.state_dict()
            stacked = optimizer(**settings).over(ours)
            stacked.load_state_dict(kept)
            step = step_of(stacked, Scratch())
    for plain_one, our_one in zip(theirs, ours, strict=True):
        torch.testing.assert_close(our_one, plain_one.detach(), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(
        stacked.state_dict()["state"], plain.state_dict()["state"], rtol=1e-9, atol=1e-12, check_dtype=False
    )


def test_every_optimizer_is_stepped_by_a_kernel():
    for kind in OPTIMIZERS:
        parameter = torch.zeros(3)
        parameter.grad = torch.zeros(3)
        made = optimizer(**option("optim", kind)).over([parameter])
        assert step_of(made, Scratch()) != made.step
