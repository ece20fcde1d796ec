import json
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from archsearch.architecture import Architecture, ConvBlock, DenseBlock

rates = st.floats(0, 0.9)
activations = st.sampled_from(["relu", "leaky_relu", "tanh", "sigmoid"])
dense_blocks = st.builds(DenseBlock, st.integers(1, 2048), rates, activations, st.booleans(), rates)
conv_blocks = st.builds(
    ConvBlock,
    st.integers(1, 512),
    st.integers(1, 9),
    activations,
    st.sampled_from(["max", "average", "none"]),
    rates,
    st.booleans(),
    rates,
)
architectures = st.builds(
    Architecture,
    st.sampled_from(["dense", "cnn"]),
    st.lists(dense_blocks, max_size=4).map(tuple),
    st.lists(conv_blocks, max_size=4).map(tuple),
    st.sampled_from(["flatten", "global_average", "global_max"]),
)


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
def test_every_option_of_a_block_is_in_the_json(change):
    block = DenseBlock(32)
    before, after = (Architecture("dense", dense=(b,)) for b in (block, replace(block, **change)))
    assert before.to_json() != after.to_json()


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
