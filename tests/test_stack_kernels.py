"""The step of members of a stack, against the steps of torch's own optimizers."""

import pytest
import torch
from stacks import option

from mlp_study.choices.optimizers import OPTIMIZERS, optimizer
from mlp_study.engines.stack.aligned import stacked
from mlp_study.engines.stack.kernels import Scratch, step_of
from mlp_study.sweeps.explain import conf_dir

SHAPES = ((30, 7), (30,), (30, 30), (30,), (8, 4))  # two of one shape, one that fills whole 64 bytes


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", sorted(path.stem for path in (conf_dir() / "optim").glob("*.yaml")))
def test_a_kernel_steps_as_torchs_optimizers_do(name, float64):
    settings, num = option("optim", name), 3
    generator = torch.Generator().manual_seed(0)
    theirs = [[torch.randn(shape, generator=generator).requires_grad_() for shape in SHAPES] for _ in range(num)]
    weights = [stacked([member[i].detach() for member in theirs]) for i in range(len(SHAPES))]
    gradients = [torch.zeros(weight.shape) for weight in weights]
    plain = [optimizer(**settings).over(member) for member in theirs]

    def ours_of() -> list[torch.optim.Optimizer]:
        return [optimizer(**settings).over([weight[m] for weight in weights]) for m in range(num)]

    ours = ours_of()
    step = step_of(ours, list(zip(weights, gradients, strict=True)), Scratch())
    for i in range(40):
        for m, member in enumerate(theirs):
            for parameter, gradient in zip(member, gradients, strict=True):
                sizes = 10.0 ** torch.randint(-6, 3, parameter.shape, generator=generator)
                parameter.grad = torch.randn(parameter.shape, generator=generator) * sizes
                gradient[m] = parameter.grad
        for each in (*plain, *ours):
            each.param_groups[0]["lr"] = settings["lr"] / (1 + i)  # as a schedule does
        for each in plain:
            each.step()
        with torch.no_grad():
            step()
        if i == 20:  # what is kept in between is torch's own
            kept = [each.state_dict() for each in ours]
            ours = ours_of()
            for each, state in zip(ours, kept, strict=True):
                each.load_state_dict(state)
            step = step_of(ours, list(zip(weights, gradients, strict=True)), Scratch())
    for m, member in enumerate(theirs):
        for weight, parameter in zip(weights, member, strict=True):
            torch.testing.assert_close(weight[m], parameter.detach(), rtol=1e-9, atol=1e-12)
        state, expected = (each.state_dict()["state"] for each in (ours[m], plain[m]))
        torch.testing.assert_close(state, expected, rtol=1e-9, atol=1e-12, check_dtype=False)


def test_every_optimizer_is_stepped_by_a_kernel():
    for kind in OPTIMIZERS:
        weight, gradient = stacked([torch.zeros(3)]), torch.ones(1, 3)
        made = optimizer(**option("optim", kind)).over([weight[0]])
        made.step = None  # torch's own, which is there for what has no kernel
        step_of([made], [(weight, gradient)], Scratch())()
        assert (weight < 0).all(), kind


def test_a_member_alone_has_the_bits_that_it_has_among_others():
    generator = torch.Generator().manual_seed(0)
    starts = [[torch.randn(shape, generator=generator) for shape in SHAPES] for _ in range(5)]
    pushes = [[torch.randn(shape, generator=generator) for shape in SHAPES] for _ in range(5)]
    for name in OPTIMIZERS:
        found = []
        for members in (range(5), [3]):
            weights = [stacked([starts[m][i] for m in members]) for i in range(len(SHAPES))]
            gradients = [torch.stack([pushes[m][i] for m in members]) for i in range(len(SHAPES))]
            made = [optimizer(**option("optim", name)).over([w[m] for w in weights]) for m in range(len(members))]
            step = step_of(made, list(zip(weights, gradients, strict=True)), Scratch())
            with torch.no_grad():
                for _ in range(5):
                    step()
            found.append([weight[list(members).index(3)] for weight in weights])
        assert all(map(torch.equal, *found)), name
