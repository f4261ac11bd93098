"""A stack's activations: torch's, with the same bits wherever an entry stands."""

import pytest
import torch

from mlp_study.engines.stack.activations import ACTIVATIONS
from mlp_study.nets import layers


@pytest.mark.parametrize("name", layers.ACTIVATIONS)
def test_values_and_slopes_are_torchs(name):
    z = torch.linspace(-30, 30, 4001, dtype=torch.float64).requires_grad_()
    g = torch.cos(z.detach())
    expected = layers.ACTIVATIONS[name](z)
    (slope,) = torch.autograd.grad(expected, z, g)
    with torch.no_grad():
        a = ACTIVATIONS[name].value(z.detach())
        torch.testing.assert_close(a, expected.detach(), rtol=1e-12, atol=1e-15)
        torch.testing.assert_close(ACTIVATIONS[name].slope(g.clone(), z.detach(), a), slope, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", layers.ACTIVATIONS)
def test_huge_inputs_are_finite(name):
    z = torch.tensor([-1e4, -200.0, -90.0, 0.0, 90.0, 200.0, 1e4])
    a = ACTIVATIONS[name].value(z)
    assert a.isfinite().all()
    assert ACTIVATIONS[name].slope(torch.ones_like(z), z, a).isfinite().all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_entry_has_the_same_bits_wherever_it_stands(name):
    generator = torch.Generator().manual_seed(0)
    z, g = (torch.randn(70_003, generator=generator) * 5 for _ in range(2))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        a = ACTIVATIONS[name].value(z)
        slope = ACTIVATIONS[name].slope(g, z, a)
        for num_threads in (1, 2, 3):
            torch.set_num_threads(num_threads)
            for part in (slice(None), slice(1, 8), slice(3, 1002), slice(5, 40_006), slice(35_001, None)):
                found = ACTIVATIONS[name].value(z[part].clone())
                assert torch.equal(found, a[part])
                assert torch.equal(ACTIVATIONS[name].slope(g[part].clone(), z[part].clone(), found), slope[part])
    finally:
        torch.set_num_threads(before)
