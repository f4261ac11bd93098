"""Networks from lists and from functions, their weights in and out, truncated copies: the documents' small networks."""

import numpy as np
import pytest
import torch

from mlp_study.nets.mlp import MLP
from mlp_study.nets.specs import batch_norm, dense, dropout
from mlp_study.nets.summary import configurations, num_parameters, summary

ZEROS = {"kernel_init": {"name": "zeros"}, "bias_init": {"name": "zeros"}}


def sigmoids(in_size, *units, **settings):
    return MLP.from_layers(in_size, [dense(n, "sigmoid", **settings) for n in units])


@pytest.mark.parametrize(
    ("sizes", "per_layer"),
    [
        ((2, 2, 1), [6, 3]),
        ((3, 3, 2), [12, 8]),
        ((3, 3, 3, 2), [12, 12, 8]),
        ((1, 1, 1), [2, 2]),
    ],
)
def test_parameters_of_the_documents_small_networks(sizes, per_layer):
    mlp = sigmoids(*sizes)
    assert [num_parameters(layer)[0] for layer in mlp.layers] == per_layer
    assert f"Total params: {sum(per_layer)}\n" in summary(mlp)
    assert [layer.activation for layer in mlp.dense.values()] == ["sigmoid"] * len(per_layer)
    x = torch.randn(7, sizes[0], generator=torch.Generator().manual_seed(0))
    assert ((mlp(x) > 0) & (mlp(x) < 1)).all()


def test_summary_of_the_network_with_dropout():
    layers = [dense(512, "relu"), dropout(0.2), dense(512, "relu"), dropout(0.2), dense(10)]
    text = summary(MLP.from_layers(784, layers))
    assert [line.split()[-1] for line in text.splitlines()[2:7]] == ["401,920", "0", "262,656", "0", "5,130"]
    assert "Total params: 669,706" in text
    assert text == summary(MLP(784, [512, 512], 10, activation="relu", dropout=0.2))


def same_networks():
    normal = {"name": "normal", "mean": 0.0, "std": 0.3}
    uniform = {"name": "uniform", "low": -1.0, "high": 1.0}
    inits = {"kernel_init": normal, "bias_init": uniform}
    first, second, last = dense(9, "tanh", **inits), dense(7, "relu", **inits), dense(3, **inits)
    yield MLP(6, [9, 7], 3, ["tanh", "relu"], [0.2, 0.5], 0.1, True, kernel_init=normal, bias_init=uniform, seed=5)
    layers = [dropout(0.1), first, batch_norm(), dropout(0.2), second, batch_norm(), dropout(0.5), last]
    yield MLP.from_layers(6, layers, seed=5)

    def chain(x):
        hidden = dropout(0.2)(batch_norm()(first(dropout(0.1)(x))))
        second(hidden)  # a fork that leads nowhere
        return last(dropout(0.5)(batch_norm()(second(hidden))))

    yield MLP.from_function(6, chain, seed=5)


def test_a_list_a_function_and_the_arguments_give_the_same_network():
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    expected, *others = same_networks()
    state, outputs = expected.state_dict(), expected(x)  # with the dropout masks of a first batch
    for other in others:
        assert other.names == expected.names
        assert summary(other) == summary(expected)
        assert configurations(other) == configurations(expected)
        assert other.state_dict().keys() == state.keys()
        assert torch.equal(other(x), outputs)
        for key, value in other.state_dict().items():
            assert torch.equal(value, expected.state_dict()[key]), key


def test_names_and_initializers_layer_by_layer():
    layers = [dense(3, "sigmoid", name="layer_1"), dropout(0.5, name="rest"), dense(2, "sigmoid", **ZEROS)]
    mlp = MLP.from_layers(3, layers)
    assert mlp.names == ["layer_1", "rest", "dense_2"]
    assert mlp.layers[0].weight.any()
    assert not mlp.layers[2].weight.any()
    assert "layer_1 (Dense)" in summary(mlp)


@pytest.mark.parametrize(
    ("build", "quoted"),
    [
        (lambda: MLP.from_layers(3, []), "no layers"),
        (lambda: MLP.from_layers(3, [dense(2), torch.nn.Linear(2, 2)]), r"Linear.*not a layer"),
        (lambda: MLP.from_layers(3, [dense(2), dropout(0.1)]), "last layer is DropoutSpec"),
        (lambda: MLP.from_layers(3, [dense(2, name="a"), dense(2, name="a")]), "two layers are called 'a'"),
        (lambda: MLP.from_layers(3, [dense(2), dropout(0.1), dropout(0.1), dense(2)]), "'dropout_1'"),
        (lambda: MLP.from_function(3, lambda x: None), "returned None"),
        (lambda: MLP.from_function(3, lambda x: x), "no layers"),
        (lambda: MLP.from_function(3, lambda x: dense(2)), "returned DenseSpec"),
        (lambda: dense(0), "units 0"),
        (lambda: dense(1, "signoid"), "'signoid'.*sigmoid"),
        (lambda: dropout(1.0), "rate 1.0"),
        (lambda: MLP.from_layers(3, [dense(2, kernel_init={"name": "xavier"})]), "'xavier'"),
    ],
)
def test_what_is_no_network_is_refused(build, quoted):
    with pytest.raises(ValueError, match=quoted):
        build()


def test_a_layer_is_called_on_a_chain():
    with pytest.raises(TypeError, match=r"DropoutSpec.*tensor"):
        dropout(0.1)(torch.ones(3))


def test_weights_layer_by_layer_as_in_the_document():
    mlp = sigmoids(1, 1, 1, **ZEROS)
    weights = mlp.get_weights()
    assert [w.shape for w in weights] == [(1, 1), (1,), (1, 1), (1,)]
    assert not any(w.any() for w in weights)
    fresh = [np.random.default_rng(0).random(w.shape) for w in weights]
    mlp.set_weights(fresh)
    for ours, given in zip(mlp.get_weights(), fresh, strict=True):
        np.testing.assert_array_equal(ours, given.astype(np.float32))
    assert mlp.dense["dense_2"].get_weights()[0] == fresh[2].astype(np.float32)
    mlp.get_weights()[0][:] = 7  # a copy
    fresh[0][:] = 7
    assert mlp.layers[0].weight.item() != 7


def test_kernels_have_torchs_orientation_and_batch_norm_has_four_arrays():
    mlp = MLP(4, [3], 2, batch_norm=True)
    assert [w.shape for w in mlp.get_weights()] == [(3, 4), (3,), (3,), (3,), (3,), (3,), (2, 3), (2,)]
    assert [w.shape for w in MLP(4, [3], 2, bias=False).get_weights()] == [(3, 4), (2, 3)]
    other = MLP(4, [3], 2, batch_norm=True, seed=1)
    mlp(torch.randn(9, 4, generator=torch.Generator().manual_seed(0)))  # moves the running statistics
    other.set_weights(mlp.get_weights())
    x = torch.ones(2, 4)
    assert torch.equal(other.eval()(x), mlp.eval()(x))


@pytest.mark.parametrize(
    ("arrays", "quoted"),
    [
        ([[[1]], [[1]], [[1]], [[1]]], r"dense_1 bias: got shape \(1, 1\), expected \(1,\)"),
        ([[[1]], [1], [[1, 2]], [1]], r"dense_2 kernel: got shape \(1, 2\), expected \(1, 1\)"),
        ([[[1]], [1]], "got 2 arrays, expected 4: dense_1 kernel, dense_1 bias, dense_2 kernel, dense_2 bias"),
        ([[[1]], [1], [[1]], [[1], [1, 2]]], "dense_2 bias: got something that is no array of numbers"),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_change_nothing(arrays, quoted):
    mlp = sigmoids(1, 1, 1)
    before = mlp.get_weights()
    with pytest.raises(ValueError, match=quoted):
        mlp.set_weights(arrays)
    assert mlp.get_weights() == before
    with pytest.raises(ValueError, match=r"kernel: got shape \(2, 2\), expected \(1, 1\)"):
        mlp.dense["dense_1"].set_weights([np.ones((2, 2)), [1]])


def test_a_truncated_network_hands_on_what_the_layer_does():
    mlp = MLP(6, [9, 7], 3, dropout=0.5, batch_norm=True, seed=2).double()
    x = torch.randn(20, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mlp(x)
    mlp.eval()
    activations = mlp.activations(x)
    for name, num_layers in (("dense_1", 1), ("dense_2", 4), ("dense_3", 7)):
        cut = mlp.truncated(name)
        assert len(cut.layers) == num_layers
        assert torch.equal(cut(x), activations[name])
    cut = mlp.truncated("dense_1")
    cut.layers[0].weight.data.zero_()  # a copy
    assert torch.equal(mlp.activations(x)["dense_1"], activations["dense_1"])
    for name in ("dense_4", "dropout_1"):
        with pytest.raises(ValueError, match=rf"'{name}'; expected one of dense_1, dense_2, dense_3"):
            mlp.truncated(name)


def test_configurations_list_every_setting():
    mlp = MLP(6, [9], 3, activation="relu", dropout=0.2, batch_norm=True, kernel_init={"name": "normal", "std": 0.01})
    first, norm, rest, _last = configurations(mlp, l2=0.001)
    assert first == {
        "name": "dense_1",
        "type": "Dense",
        "units": 9,
        "activation": "relu",
        "use_bias": True,
        "kernel_initializer": {"name": "normal", "mean": 0.0, "std": 0.01},
        "bias_initializer": {"name": "zeros", "value": 0.0},
        "kernel_l2": 0.001,
        "dtype": "float32",
        "trainable": True,
    }
    assert norm == {
        "name": "batch_norm_1",
        "type": "BatchNorm1d",
        "momentum": 0.99,
        "epsilon": 0.001,
        "trainable": True,
    }
    assert rest == {"name": "dropout_1", "type": "Dropout", "rate": 0.2, "trainable": True}
    glorot = configurations(MLP(6, [], 3))[0]["kernel_initializer"]
    assert glorot == {"name": "glorot_uniform", "scale": 1.0, "mode": "fan_avg", "distribution": "uniform"}
