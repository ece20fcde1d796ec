import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from archsearch.architecture import Architecture, ConvBlock, DenseBlock
from archsearch.resources import bundled_spaces
from archsearch.space import SearchSpace, sample_space

pytestmark = pytest.mark.slow

DIGITS = (8, 8, 1)
STACKS = SearchSpace.from_yaml(bundled_spaces()["notebook_stacks"]).architectures
WIDE = SearchSpace.from_mapping(
    {
        "name": "wide",
        "data": "digits",
        "families": {
            "dense": {
                "ordering": ["falling", "rising", "diamond", "hourglass", "constant"],
                "depth": {"low": 1, "high": 5},
                "narrowest": {"low": 8, "high": 64},
                "widest": [64, 128],
                "dropout": [0.0, 0.5],
                "activation": ["relu", "leaky_relu", "tanh", "sigmoid"],
                "batch_norm": [True, False],
                "l2": [0.0, 1e-3],
            },
            "cnn": {
                "blocks": {"low": 1, "high": 5},
                "filters": {"first": [4, 8], "growth": [1, 1.5]},
                "kernel": [1, 2, 3, 5],
                "pooling": ["max", "average", "none"],
                "dropout": [0.0, 0.2],
                "batch_norm": [True, False],
                "bridge": ["flatten", "global_average", "global_max"],
                "dense": {"depth": [1, 2], "narrowest": 8, "widest": 32, "batch_norm": [True, False]},
            },
        },
    }
)


def built(architecture, input_shape=DIGITS, classes=10):
    import keras

    from archsearch.models import build

    keras.backend.clear_session()
    return build(architecture, input_shape, classes)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_sampled_architectures_are_built_with_the_parameters_they_count(seed):
    for architecture in sample_space(WIDE, DIGITS, 2, seed):
        assert architecture.parameters(DIGITS, 10) == built(architecture).count_params()


@pytest.mark.parametrize("name", STACKS)
def test_bundled_stacks_are_built_with_the_parameters_they_count(name):
    architecture = STACKS[name].build()
    assert architecture.parameters(DIGITS, 10) == built(architecture).count_params()


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture("dense"),
        Architecture("dense", (DenseBlock(7, batch_norm=True),)),
        Architecture("cnn", (), (ConvBlock(3, 4, batch_norm=True), ConvBlock(5, pooling="none"))),
        Architecture("cnn", (DenseBlock(6),), (ConvBlock(3, pooling="average"),), "global_average"),
        Architecture("cnn", (), (ConvBlock(3), ConvBlock(4), ConvBlock(5)), "global_max"),
    ],
    ids=lambda architecture: architecture.notation,
)
@pytest.mark.parametrize("input_shape", [(8, 8, 1), (15, 9, 3)], ids=str)
def test_odd_sizes_and_channels_are_counted_as_built(architecture, input_shape):
    assert architecture.parameters(input_shape, 3) == built(architecture, input_shape, 3).count_params()


def test_a_dense_block_normalises_after_its_activation_and_drops_out_last():
    model = built(Architecture("dense", (DenseBlock(8, 0.5, "tanh", True, 1e-3),)))
    assert [type(layer).__name__ for layer in model.layers] == [
        "InputLayer",
        "Flatten",
        "Dense",
        "Activation",
        "BatchNormalization",
        "Dropout",
        "Dense",
    ]
    assert model.layers[2].kernel_regularizer.l2 == pytest.approx(1e-3)
    assert model.layers[5].rate == 0.5


def test_a_conv_block_pools_before_it_normalises_and_drops_out():
    model = built(Architecture("cnn", (), (ConvBlock(4, 3, "relu", "average", 0.2, True),), "global_average"))
    assert [type(layer).__name__ for layer in model.layers] == [
        "InputLayer",
        "Conv2D",
        "Activation",
        "AveragePooling2D",
        "BatchNormalization",
        "Dropout",
        "GlobalAveragePooling2D",
        "Dense",
    ]
    assert model.layers[3].output.shape[1:] == (4, 4, 4)


def test_a_network_gives_probabilities():
    import numpy as np

    model = built(Architecture("cnn", (DenseBlock(6),), (ConvBlock(3),)))
    probabilities = model.predict(np.ones((5, 8, 8, 1), np.float32), verbose=0)
    assert probabilities.shape == (5, 10)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
