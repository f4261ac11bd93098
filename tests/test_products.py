"""A member's products depend neither on the other members nor on the threads, whichever library makes them."""

import pytest
import torch

from mlp_study.engines import products

SHAPES = [
    (10, 100, 32), (30, 784, 10), (100, 784, 32), (20, 784, 128), (10, 512, 128), (33, 784, 31), (256, 300, 64),
    (2, 64, 10), (100, 64, 1), (1, 784, 700), (10, 64, 8200),
]  # fmt: skip


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def _products(weight, x, bias, grad):
    found, moved = torch.empty_like(weight), weight.clone()
    products.backward_weight(grad, x.mT, found)
    products.descend(grad, x.mT, moved)
    return products.forward(weight, x.mT, bias), found, products.backward_input(weight, grad), moved


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize("library", ["MKL", "the better one"])
def test_a_members_numbers_are_its_own(shape, is_shared, library, monkeypatch):
    if library == "MKL":
        monkeypatch.setattr(products, "is_onednn_better", lambda: False)
    out, inp, batch = shape
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(9, out, inp, generator=generator)
    bias, grad = torch.randn(9, out, 1, generator=generator), torch.randn(9, out, batch, generator=generator)
    x = torch.randn(1 if is_shared else 9, batch, inp, generator=generator)
    torch.set_num_threads(2)
    whole = _products(weight, x, bias, grad)
    each = x.expand(9, -1, -1)
    expected = (
        weight.double() @ each.double().mT + bias.double(),
        grad.double() @ each.double(),
        weight.double().mT @ grad.double(),
        weight.double() + grad.double() @ each.double(),
    )
    for ours, exact in zip(whole, expected, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-5 * exact.abs().max().item())
    for num_threads in (1, 2, 8):
        torch.set_num_threads(num_threads)
        for members in ([0], [4], [2, 7], [1, 3, 8], list(range(8))):
            own = x if is_shared else x[members]
            for found, of_all in zip(_products(weight[members], own, bias[members], grad[members]), whole, strict=True):
                assert torch.equal(found, of_all[members]), (num_threads, members)


def test_what_others_multiply_stays_as_precise_as_it_was():
    before = torch.backends.mkldnn.matmul.fp32_precision
    weight, x = torch.randn(1, 256, 300), torch.randn(1, 300, 256)
    products.forward(weight, x, None)
    with products.products_of(1e9, torch.device("cpu")):
        assert (torch.backends.mkldnn.matmul.fp32_precision != before) == products.is_onednn_better()
    assert torch.backends.mkldnn.matmul.fp32_precision == before
    with pytest.raises(RuntimeError):
        products.forward(weight, x[:, :-1], None)
    assert torch.backends.mkldnn.matmul.fp32_precision == before


def test_where_the_processor_rounds_products_is_not_taken(monkeypatch):
    products.is_onednn_better.cache_clear()
    exact = torch.bmm
    monkeypatch.setattr(
        torch, "bmm", lambda a, b: exact(a.bfloat16(), b.bfloat16()).to(a) if a.dtype == torch.float32 else exact(a, b)
    )
    assert not products.is_onednn_better()
    products.is_onednn_better.cache_clear()


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512" or products._is_intel(), reason="MKL does its best here"
)
def test_torch_still_has_the_way_to_the_wider_instructions():
    assert products.is_onednn_better()
