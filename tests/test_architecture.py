import json
from dataclasses import replace
from itertools import pairwise
from math import prod

import hypothesis.strategies as st
import pytest
from any_blocks import conv_blocks, dense_blocks
from hypothesis import given

from archsearch.architecture import (
    Architecture,
    ConvBlock,
    DenseBlock,
    HyperModelArchitecture,
    architecture_from_json,
    outputs_for,
)
from archsearch.notation import parse
from archsearch.resources import bundled_spaces
from archsearch.space import SearchSpace

architectures = st.builds(
    Architecture,
    st.sampled_from(["dense", "cnn"]),
    st.lists(dense_blocks, max_size=4).map(tuple),
    st.lists(conv_blocks, max_size=4).map(tuple),
    st.sampled_from(["flatten", "global_average", "global_max"]),
)

# The stacks that people compare by hand, on images of 180×180×3 with one sigmoid output: what Keras counts.
WEIGHTS_OF_STACKS = {
    "falling-05": 100_231_169,
    "rising-05": 3_285_985,
    "falling-02": 100_231_169,
    "rising-02": 3_811_809,
    "diamond-05": 4_508_129,
    "diamond-02": 4_508_129,
    "diamond-split": 5_557_729,
    "doubled-final": 4_160_929,
}
STACKS = SearchSpace.from_yaml(bundled_spaces()["notebook_stacks"]).named_architectures
XRAY = (180, 180, 3)


@given(architectures)
def test_json_gives_the_architecture_back(architecture):
    assert Architecture.from_json(json.loads(json.dumps(architecture.to_json()))) == architecture


@given(architectures, architectures)
def test_json_is_equal_exactly_where_architectures_are(first, second):
    again = Architecture.from_json(first.to_json())
    assert again.to_json() == first.to_json()
    assert (first.to_json() == second.to_json()) == (first == second)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 33},
        {"dropout": 0.1},
        {"activation": "tanh"},
        {"batch_norm": True},
        {"l2": 1e-6},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_option_of_a_dense_block_is_in_the_json_and_the_notation(change):
    block = DenseBlock(32)
    before, after = (Architecture("dense", dense=(b,)) for b in (block, replace(block, **change)))
    assert before.to_json() != after.to_json()
    assert before.notation != after.notation


@pytest.mark.parametrize(
    "change",
    [
        {"filters": 17},
        {"kernel": 5},
        {"stride": 2},
        {"padding": "valid"},
        {"layer": "separable_conv2d"},
        {"activation": "tanh"},
        {"pooling": "sum"},
        {"dropout": 0.1},
        {"batch_norm": True},
        {"l2": 1e-6},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_option_of_a_convolutional_block_is_in_the_json_and_the_notation(change):
    block = ConvBlock(16)
    before, after = (Architecture("cnn", conv=(b,)) for b in (block, replace(block, **change)))
    assert before.to_json() != after.to_json()
    assert before.notation != after.notation


def test_whole_numbers_written_with_or_without_a_point_are_the_same_json():
    assert (
        Architecture("dense", (DenseBlock(32, 0),)).to_json()
        == Architecture("dense", (DenseBlock(32, 0.0),)).to_json()
    )


@pytest.mark.parametrize(
    ("architecture", "notation"),
    [
        (Architecture("dense", (DenseBlock(32), DenseBlock(64))), "dense 32·64"),
        (
            Architecture("dense", (DenseBlock(32, 0.2), DenseBlock(64, 0.2), DenseBlock(32, 0.5))),
            "dense 32·64 dropout 0.2, 32 dropout 0.5",
        ),
        (
            Architecture("dense", (DenseBlock(8, 0.5, "tanh", True, 1e-4),)),
            "dense 8 tanh bn dropout 0.5 l2 0.0001",
        ),
        (
            Architecture("cnn", (DenseBlock(64),), (ConvBlock(16), ConvBlock(32))),
            "conv 16·32 3×3 max → flatten → dense 64",
        ),
        (
            Architecture(
                "cnn", (), (ConvBlock(16, 5, pooling="average"), ConvBlock(16, pooling="none")), "global_max"
            ),
            "conv 16 5×5 average, 16 3×3 → global max",
        ),
        (
            Architecture("cnn", (), (ConvBlock(8, 3, 2, "valid", "separable_conv2d", "tanh", "sum", 0.1),)),
            "conv 8 3×3 separable stride 2 valid sum tanh dropout 0.1 → flatten",
        ),
    ],
)
def test_notation_groups_neighbours_and_shows_their_options(architecture, notation):
    assert architecture.notation == notation


@given(architectures.filter(lambda a: a.conv or a.dense))
def test_notation_is_one_line_that_names_every_block(architecture):
    notation = architecture.notation
    assert "\n" not in notation
    assert notation.count("·") + notation.count(", ") == (
        max(0, len(architecture.conv) - 1) + max(0, len(architecture.dense) - 1)
    )


def by_hand(shape, *widths):
    """Weights of a dense stack with one output, summed layer by layer."""
    sizes = [prod(shape), *widths, 1]
    return sum(before * after + after for before, after in pairwise(sizes))


@pytest.mark.parametrize("name", WEIGHTS_OF_STACKS)
def test_the_stacks_compared_by_hand_have_the_weights_that_keras_counts(name):
    stack = STACKS[name]
    assert outputs_for(2) == 1
    assert stack.parameters(XRAY, outputs_for(2)) == WEIGHTS_OF_STACKS[name]
    assert by_hand(XRAY, *(block.width for block in stack.dense)) == WEIGHTS_OF_STACKS[name]


def test_a_small_cnn_has_the_weights_that_keras_counts():
    cnn = parse("conv 32 3×3 max → flatten → dense 128")
    assert cnn.parameters((64, 64, 3), outputs_for(10)) == 4_196_618 == 896 + 4_194_432 + 1_290


@pytest.mark.slow
@pytest.mark.parametrize("name", WEIGHTS_OF_STACKS)
def test_the_stacks_are_the_layers_that_one_would_write_in_keras(name):
    import keras

    from archsearch.models import build

    stack = STACKS[name]
    written = [keras.Input(XRAY), keras.layers.Flatten()]
    for block in stack.dense:
        written += [keras.layers.Dense(block.width, activation="relu"), keras.layers.Dropout(block.dropout)]
    model = keras.Sequential([*written, keras.layers.Dense(1, activation="sigmoid")])
    assert model.count_params() == WEIGHTS_OF_STACKS[name]
    built = build(stack, XRAY, 2)
    assert built.count_params() == WEIGHTS_OF_STACKS[name]
    assert [w.shape for w in built.weights] == [w.shape for w in model.weights]


@pytest.mark.slow
def test_the_small_cnn_is_the_layers_that_one_would_write_in_keras():
    import keras
    from keras import layers

    from archsearch.models import build

    written = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            layers.Conv2D(32, 3, activation="relu", padding="valid"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    valid = parse("conv 32 3×3 valid max → flatten → dense 128")
    assert written.count_params() == valid.parameters((64, 64, 3), 10) == 3_938_570
    assert build(valid, (64, 64, 3), 10).count_params() == written.count_params()
    same = parse("conv 32 3×3 max → flatten → dense 128")
    assert build(same, (64, 64, 3), 10).count_params() == 4_196_618


@given(architectures.filter(lambda a: a.conv), st.integers(1, 70), st.integers(1, 70), st.integers(1, 4))
def test_a_fitted_architecture_has_no_misfits_and_is_its_own_fit(architecture, height, width, channels):
    shape = (height, width, channels)
    fitted = architecture.fitted(shape)
    assert not list(fitted.misfits(shape))
    assert fitted.fitted(shape) is fitted
    assert fitted.parameters(shape, 10) > 0
    assert fitted.activations(shape) > 0
    if not list(architecture.misfits(shape)):
        assert fitted is architecture


@pytest.mark.parametrize(
    ("line", "shape", "fault"),
    [
        ("conv 8 5×5 valid → flatten", (4, 9, 1), (0, "a valid 5×5 kernel on 4×9 pixels; set padding: same")),
        (
            "conv 8·8 3×3 max → flatten",
            (2, 2, 1),
            (1, "max pooling leaves nothing of 1×1 pixels; set pooling: none"),
        ),
    ],
)
def test_a_block_that_images_are_too_small_for_is_a_misfit(line, shape, fault):
    assert list(parse(line).misfits(shape)) == [fault]


def test_json_of_a_hypermodel_gives_its_values_back_in_their_order():
    mine = HyperModelArchitecture(
        "mine", "models:Mine", (("units", 64), ("b", True), ("a", "x"), ("r", 1e-5))
    )
    assert architecture_from_json(json.loads(json.dumps(mine.to_json()))) == mine


def test_architectures_of_earlier_records_are_read():
    options = {"activation": "relu", "dropout": 0.2, "batch_norm": False, "l2": 0.0}
    conv = {"filters": 8, "kernel": 3, "pooling": "max", **options}
    dense = {"width": 32, **options}
    value = {"version": 1, "family": "cnn", "conv": [conv], "bridge": "flatten", "dense": [dense]}
    read = Architecture.from_json(value)
    assert read == Architecture("cnn", (DenseBlock(32, 0.2),), (ConvBlock(8, dropout=0.2),))
