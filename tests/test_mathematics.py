"""Initializers, optimizers, schedules, losses and layers against hand-computed values and other libraries."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mlp_study import config
from mlp_study.choices.initializers import INITIALIZERS, Initializer, initializer
from mlp_study.choices.optimizers import OPTIMIZERS, Optimizer, optimizer
from mlp_study.choices.schedules import SCHEDULES, Schedule, schedule
from mlp_study.config import sections
from mlp_study.learning.layer_statistics import NUM_BINS, LayerState, histograms, layer_statistics
from mlp_study.learning.losses import LOSSES, mean_loss, sample_losses
from mlp_study.nets.layers import ACTIVATIONS
from mlp_study.nets.mlp import MLP
from mlp_study.nets.summary import summary


def test_the_schema_names_what_the_code_has():
    for base, offered in ((Initializer, INITIALIZERS), (Optimizer, OPTIMIZERS), (Schedule, SCHEDULES)):
        assert set(written(base)) == set(offered.values())
    assert set(config.LOSSES) == set(LOSSES)
    assert set(sections.ACTIVATIONS) == set(ACTIVATIONS)


def written(base):
    """The classes below `base` that have a name to be chosen by."""
    for kind in base.__subclasses__():
        if "name" in vars(kind):
            yield kind
        yield from written(kind)


def draw(name, shape=(300, 400), seed=0, **numbers):
    return initializer(name, **numbers).fill(torch.empty(shape), torch.Generator().manual_seed(seed))


FAN_IN, FAN_OUT = 400, 300  # of an (out, in) = (300, 400) weight


@pytest.mark.parametrize(
    ("name", "std", "bound"),
    [
        ("glorot_uniform", math.sqrt(2 / (FAN_IN + FAN_OUT)), math.sqrt(6 / (FAN_IN + FAN_OUT))),
        ("he_uniform", math.sqrt(2 / FAN_IN), math.sqrt(6 / FAN_IN)),
        ("lecun_uniform", math.sqrt(1 / FAN_IN), math.sqrt(3 / FAN_IN)),
        # Truncated at two sigma, with a sigma that makes the realised standard deviation exact.
        ("glorot_normal", math.sqrt(2 / (FAN_IN + FAN_OUT)), 2 / 0.87962566 * math.sqrt(2 / (FAN_IN + FAN_OUT))),
        ("he_normal", math.sqrt(2 / FAN_IN), 2 / 0.87962566 * math.sqrt(2 / FAN_IN)),
        ("lecun_normal", math.sqrt(1 / FAN_IN), 2 / 0.87962566 * math.sqrt(1 / FAN_IN)),
    ],
)
def test_variance_scaling(name, std, bound):
    weights = draw(name)
    assert weights.std().item() == pytest.approx(std, rel=0.01)
    assert weights.mean().item() == pytest.approx(0, abs=3 * std / math.sqrt(weights.numel()))
    assert 0.98 * bound < weights.abs().max().item() <= bound * (1 + 1e-6)


def test_other_initializers():
    assert (draw("zeros") == 0).all()
    assert (draw("ones") == 1).all()
    assert (draw("constant", value=0.3) == 0.3).all()
    assert draw("normal", mean=1.0, std=2.0).std().item() == pytest.approx(2, rel=0.01)
    assert draw("uniform", low=-1.0, high=3.0).mean().item() == pytest.approx(1, abs=0.02)
    cut = draw("truncated_normal", mean=0.5, std=0.1)
    assert cut.std().item() == pytest.approx(0.1 * 0.87962566, rel=0.01)
    assert (cut - 0.5).abs().max().item() <= 0.2 + 1e-6
    rows = draw("orthogonal", gain=2.0)
    torch.testing.assert_close(rows @ rows.T, 4 * torch.eye(300), atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="matrix"):
        draw("orthogonal", shape=(10,))
    with pytest.raises(ValueError, match="'xavier'"):
        initializer("xavier")


def test_bias_fans_are_its_length():
    assert draw("glorot_uniform", shape=(10_000,)).std().item() == pytest.approx(math.sqrt(1 / 10_000), rel=0.05)


def test_initialization_is_seeded_and_leaves_global_state_alone():
    before = torch.get_rng_state()
    a, b, c = (MLP(20, [10], 5, dropout=0.5, seed=seed) for seed in (0, 0, 1))
    x = torch.ones(4, 20)
    torch.testing.assert_close(a(x), b(x), rtol=0, atol=0)  # dropout masks included
    assert not torch.equal(a.layers[0].weight, c.layers[0].weight)
    assert torch.equal(before, torch.get_rng_state())


# Two steps from w = 1 with gradients 0.5 and then 0.25, worked out by hand from each update rule.
def hand(name):
    g1, g2, w = 0.5, 0.25, 1.0
    if name == "sgd":
        return w - 0.1 * g1 - 0.1 * g2
    if name == "momentum":
        return w - 0.01 * g1 - 0.01 * (0.9 * g1 + g2)
    if name == "nesterov":
        v1, v2 = g1, 0.9 * g1 + g2
        return w - 0.01 * (g1 + 0.9 * v1) - 0.01 * (g2 + 0.9 * v2)
    if name in ("adam", "adamw"):
        decay = 1 - 0.001 * 0.004 if name == "adamw" else 1.0
        m1, v1 = 0.1 * g1, 0.001 * g1**2
        m2, v2 = 0.9 * m1 + 0.1 * g2, 0.999 * v1 + 0.001 * g2**2
        w = w * decay - 0.001 * (m1 / 0.1) / (math.sqrt(v1 / 0.001) + 1e-7)
        return w * decay - 0.001 * (m2 / (1 - 0.9**2)) / (math.sqrt(v2 / (1 - 0.999**2)) + 1e-7)
    if name == "adamax":
        m1, m2 = 0.1 * g1, 0.9 * 0.1 * g1 + 0.1 * g2
        u1, u2 = g1 + 1e-7, max(0.999 * (g1 + 1e-7), g2 + 1e-7)
        return w - 0.002 / 0.1 * m1 / u1 - 0.002 / (1 - 0.9**2) * m2 / u2
    if name == "nadam":
        mu = [0.9 * (1 - 0.5 * 0.96 ** (t * 0.004)) for t in (1, 2, 3)]
        m1, v1 = 0.1 * g1, 0.001 * g1**2
        m2, v2 = 0.9 * m1 + 0.1 * g2, 0.999 * v1 + 0.001 * g2**2
        p1, p2, p3 = mu[0], mu[0] * mu[1], mu[0] * mu[1] * mu[2]
        step1 = (1 - mu[0]) * g1 / (1 - p1) + mu[1] * m1 / (1 - p2)
        step2 = (1 - mu[1]) * g2 / (1 - p2) + mu[2] * m2 / (1 - p3)
        w -= 0.002 * step1 / (math.sqrt(v1 / 0.001) + 1e-7)
        return w - 0.002 * step2 / (math.sqrt(v2 / (1 - 0.999**2)) + 1e-7)
    if name == "rmsprop":
        v1 = 0.1 * g1**2
        v2 = 0.9 * v1 + 0.1 * g2**2
        return w - 0.001 * g1 / (math.sqrt(v1) + 1e-7) - 0.001 * g2 / (math.sqrt(v2) + 1e-7)
    if name == "adagrad":
        return w - 0.01 * g1 / (g1 + 1e-7) - 0.01 * g2 / (math.sqrt(g1**2 + g2**2) + 1e-7)
    assert name == "adadelta"
    v1 = 0.05 * g1**2
    d1 = g1 * math.sqrt(1e-7) / math.sqrt(v1 + 1e-7)
    v2, u1 = 0.95 * v1 + 0.05 * g2**2, 0.05 * d1**2
    return w - d1 - g2 * math.sqrt(u1 + 1e-7) / math.sqrt(v2 + 1e-7)


def defaults(name):
    import yaml

    from mlp_study.sweeps.explain import conf_dir

    values = yaml.safe_load((conf_dir() / "optim" / f"{name}.yaml").read_text())
    return {key: float(value) if key != "name" else value for key, value in values.items()}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_two_steps_by_hand_with_the_defaults_of_the_documents(name):
    w = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    stepper = optimizer(**defaults(name)).over([w])
    for gradient in (0.5, 0.25):
        w.grad = torch.full_like(w, gradient)
        stepper.step()
    assert w.item() == pytest.approx(hand(name), rel=1e-10)


def test_torch_defaults_are_those_of_the_installed_torch():
    for name, cls in (("adam", torch.optim.Adam), ("rmsprop", torch.optim.RMSprop), ("adagrad", torch.optim.Adagrad)):
        ours = optimizer(**defaults(f"{name}_torch")).over([torch.nn.Parameter(torch.ones(1))]).defaults
        theirs = cls([torch.nn.Parameter(torch.ones(1))]).defaults
        assert all(ours[key] == theirs[key] for key in ("lr", "eps"))


def test_schedules_against_torch():
    epochs, steps = 12, 7

    def torch_rates(make, per_step):
        stepper = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
        plan, rates = make(stepper), []
        for i in range(epochs * steps):
            rates.append(stepper.param_groups[0]["lr"])
            stepper.step()
            if per_step or (i + 1) % steps == 0:
                plan.step()
        return rates

    def ours(name, **numbers):
        factor = schedule(name, **numbers).per_step(epochs, steps)
        return [factor(i) for i in range(epochs * steps)]

    lr = torch.optim.lr_scheduler
    assert ours("step", step_epochs=5, gamma=0.1) == pytest.approx(torch_rates(lambda o: lr.StepLR(o, 5, 0.1), False))
    assert ours("exponential", gamma=0.9) == pytest.approx(torch_rates(lambda o: lr.ExponentialLR(o, 0.9), False))
    assert ours("cosine", final_fraction=0.1) == pytest.approx(
        torch_rates(lambda o: lr.CosineAnnealingLR(o, epochs * steps, 0.1), True)
    )
    cycle = ours("one_cycle", start_fraction=0.04, rise_fraction=0.25, final_fraction=0.0)
    assert cycle[0] == pytest.approx(0.04)
    assert cycle[epochs * steps // 4] == pytest.approx(1.0)
    assert max(cycle) <= 1.0
    warm = ours("warmup", warmup_epochs=2.0)
    assert warm[0] == pytest.approx(1e-3)
    assert warm[2 * steps :] == [1.0] * (10 * steps)
    assert ours("constant") == [1.0] * (epochs * steps)


def test_losses_against_torch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 8, 10, generator=generator, dtype=torch.float64)  # a leading axis, as a stack has
    labels = torch.randint(0, 10, (3, 8), generator=generator)
    hot = F.one_hot(labels, 10).double()
    expected = {
        "cross_entropy": -(hot * logits.log_softmax(-1)).sum(-1),
        "binary_cross_entropy": F.binary_cross_entropy(logits.sigmoid(), hot, reduction="none").mean(-1),
        "mse": F.mse_loss(logits.softmax(-1), hot, reduction="none").mean(-1),
    }
    for loss, values in expected.items():
        torch.testing.assert_close(sample_losses(loss, logits, labels), values)
        torch.testing.assert_close(mean_loss(loss, logits, labels), values.mean())
    torch.testing.assert_close(sample_losses("mse", logits, labels, "linear"), (logits - hot).square().mean(-1))


def test_layers_and_summary():
    mlp = MLP(
        784, [512, 256], 10, activation=["relu", "tanh"], dropout=[0.2, 0.0], batch_norm=True, names=["a", "b", "c"]
    )
    assert mlp.names == ["a", "batch_norm_1", "dropout_1", "b", "batch_norm_2", "c"]
    assert [layer.activation for layer in mlp.dense.values()] == ["relu", "tanh", "linear"]
    text = summary(mlp)
    assert "batch_norm_1 (BatchNorm1d)" in text
    assert "2,048" in text
    assert f"Non-trainable params: {2 * (512 + 256):,}" in text
    regression = MLP(784, [], 10, bias=False)
    assert sum(p.numel() for p in regression.parameters()) == 7840
    assert MLP(3, [4], 2).eval().activations(torch.ones(5, 3))["dense_1"].shape == (5, 4)
    with pytest.raises(ValueError, match="2 hidden layers"):
        MLP(4, [3, 3], 2, activation=["tanh"])


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_dropout_masks_are_independent_and_have_their_rate(rate):
    """Over 20 seeds and two batches each: the rate; and nothing is told by a neighbour, in any direction."""
    shape, masks = (64, 96), []
    for seed in range(20):
        layer = MLP(shape[1], [], 10, input_dropout=rate, seed=seed).layers[0]
        masks.append(torch.stack([layer(torch.ones(shape)) > 0 for _ in range(2)]))
    kept = torch.stack(masks).double()  # (seeds, batches, images, units)
    num = kept.numel()
    deviation = (rate * (1 - rate)) ** 0.5
    assert kept.mean().item() == pytest.approx(1 - rate, abs=4 * deviation / num**0.5)
    of_seed = kept.mean((1, 2, 3))
    assert of_seed.std().item() == pytest.approx(deviation / (num / 20) ** 0.5, rel=0.6)
    standard = (kept - kept.mean()) / deviation
    for axis in range(4):  # the next seed, batch, image or unit
        length = kept.shape[axis]
        for gap in (1, 2, 3, 4):
            if gap < length:
                pairs = standard.narrow(axis, 0, length - gap) * standard.narrow(axis, gap, length - gap)
                assert abs(pairs.mean().item()) < 4.5 / pairs.numel() ** 0.5, (axis, gap)
    triples = standard[..., :-2] * standard[..., 1:-1] * standard[..., 2:]
    assert abs(triples.mean().item()) < 4.5 / triples.numel() ** 0.5


def test_dropout_keeps_the_mean_and_is_off_in_evaluation():
    mlp = MLP(1000, [], 10, input_dropout=0.4)
    layer, x = mlp.layers[0], torch.ones(200, 1000)
    assert layer(x).mean().item() == pytest.approx(1, abs=0.01)
    assert layer(x).unique().tolist() == pytest.approx([0.0, 1 / 0.6], rel=1e-4)  # the rate is one of 65,536
    assert torch.equal(layer.eval()(x), x)


def test_statistics_and_histograms():
    weight = torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]]])  # two members
    activations = torch.tensor([[[0.999], [0.0]], [[0.5], [-0.995]]])
    numbers = layer_statistics([LayerState("dense_1", "tanh", weight, weight, activations)])
    assert numbers["grad_norm/dense_1"].tolist() == [5.0, 0.0]
    assert numbers["weight_std/dense_1"].tolist() == [0.5, 0.0]
    assert numbers["act_zero/dense_1"].tolist() == [0.5, 0.0]
    assert numbers["act_saturated/dense_1"].tolist() == [0.5, 0.5]
    values = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))
    values[1, 3] = float("nan")
    ours, broken = histograms(values)
    assert broken is None
    counts, edges = np.histogram(values[0].double().numpy(), NUM_BINS)
    assert ours.counts == counts.tolist()
    assert (ours.low, ours.high) == (edges[0], edges[-1])
