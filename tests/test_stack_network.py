"""The network of a stack, piece by piece, against plain networks."""

import pytest
import torch

from mlp_study.engines.stack.activations import ACTIVATIONS
from mlp_study.engines.stack.network import StackedMLP
from mlp_study.nets.mlp import MLP


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_written_out_slopes_are_autograds(activation):
    members = [MLP(6, [5, 4], 3, activation=activation, seed=seed).double() for seed in range(3)]
    stack = StackedMLP(members)
    generator = torch.Generator().manual_seed(0)
    xs = [torch.randn(7, 6, generator=generator, dtype=torch.float64) for _ in range(3)]
    with torch.no_grad():
        logits = stack.forward(torch.stack(xs), training=True)
    grad = torch.randn(logits.shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        stack.backward(grad)
    for m, member in enumerate(members):
        plain = member(xs[m])
        torch.testing.assert_close(logits[m].T, plain)
        plain.backward(grad[m].T)
        for parameter, (_, ours) in zip(member.parameters(), stack.member_parameters(m), strict=True):
            torch.testing.assert_close(ours, parameter.grad)


def test_dropout_masks_are_the_serial_runs_own():
    members = [MLP(50, [40], 5, dropout=rate, seed=seed) for seed, rate in ((0, 0.5), (1, 0.2), (2, 0.0))]
    stack = StackedMLP(members)
    x = torch.ones(8, 50)
    twins = [MLP(50, [40], 5, dropout=rate, seed=seed) for seed, rate in ((0, 0.5), (1, 0.2), (2, 0.0))]
    for _ in range(2):
        with torch.no_grad():
            logits = stack.forward(x[None], training=True)
        for m, twin in enumerate(twins):
            torch.testing.assert_close(logits[m].T, twin(x))
