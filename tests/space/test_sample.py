import hypothesis.strategies as st
import pytest
from hypothesis import given

from archsearch.architecture import DenseBlock
from archsearch.resources import bundled_spaces
from archsearch.space import (
    SearchSpace,
    named_recipe,
    sample_architecture,
    sample_recipe,
    sample_space,
)
from archsearch.space.parameters import choose, first_choice
from archsearch.suggest import RandomSuggest

DIGITS = (8, 8, 1)
WIDE = SearchSpace.from_mapping(
    {
        "name": "wide",
        "data": "digits",
        "families": {
            "dense": {
                "ordering": ["falling", "rising", "diamond", "hourglass", "constant"],
                "depth": {"low": 1, "high": 8},
                "narrowest": {"low": 8, "high": 64, "log": True},
                "widest": [128, 256],
                "dropout": {"rising": {"low": 0.0, "high": 0.5}, "falling": [0.0, 0.5]},
                "activation": ["relu", "leaky_relu", "tanh", "sigmoid"],
                "batch_norm": [True, False],
                "l2": {"low": 1e-6, "high": 1e-2, "log": True},
            },
            "cnn": {
                "blocks": {"low": 1, "high": 6},
                "filters": {"first": [8, 16], "growth": {"low": 1, "high": 2}},
                "kernel": [1, 3, 5],
                "pooling": ["max", "average", "none"],
                "batch_norm": [True, False],
                "bridge": ["flatten", "global_average", "global_max"],
                "dense": {"depth": [1, 2], "narrowest": 8, "widest": 32, "dropout": [0.0, 0.2]},
            },
        },
        "training": {
            "batch_size": {"low": 16, "high": 128},
            "optimizer": ["adam", "sgd"],
            "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
        },
    }
)
DEFAULT = SearchSpace.from_yaml(bundled_spaces()["digits"])
seeds = st.integers(0, 2**32)


class Listening:
    """Chooses at random and remembers what it was asked."""

    def __init__(self, seed):
        self._random = RandomSuggest(seed)
        self.asked = []

    def categorical(self, name, choices):
        self.asked.append((name, choices))
        return self._random.categorical(name, choices)

    def integer(self, name, low, high, *, log):
        self.asked.append((name, low, high, log))
        return self._random.integer(name, low, high, log=log)

    def real(self, name, low, high, *, log):
        self.asked.append((name, low, high, log))
        return self._random.real(name, low, high, log=log)


def asked(space, family, seed):
    suggest = Listening(seed)
    sample_architecture(space.families.named[family], suggest, DIGITS)
    sample_recipe(space.training, suggest)
    return suggest.asked


@pytest.mark.parametrize("space", [WIDE, DEFAULT], ids=lambda space: space.name)
@pytest.mark.parametrize("family", ["dense", "cnn"])
@given(seed=seeds)
def test_a_family_asks_for_the_same_parameters_whatever_their_values(space, family, seed):
    questions = asked(space, family, seed)
    assert questions == asked(space, family, 0)
    assert len({name for name, *_ in questions}) == len(questions)


@given(seed=seeds)
def test_sampled_images_never_shrink_below_one_pixel(seed):
    architecture = sample_architecture(WIDE.families.cnn, RandomSuggest(seed), DIGITS)
    side = 8
    for block in architecture.conv:
        side //= 1 if block.pooling == "none" else 2
        assert side >= 1
    assert architecture.parameters(DIGITS, 10) > 0


@given(seed=seeds)
def test_sampled_values_lie_in_the_space(seed):
    suggest = RandomSuggest(seed)
    dense = sample_architecture(WIDE.families.dense, suggest, DIGITS)
    recipe = sample_recipe(WIDE.training, suggest)
    assert dense.family == "dense"
    assert 1 <= len(dense.dense) <= 8
    assert all(8 <= block.width <= 256 for block in dense.dense)
    assert all(1e-6 * 0.999 <= block.l2 <= 1e-2 * 1.001 for block in dense.dense)
    assert 16 <= recipe.batch_size <= 128
    assert recipe.epochs == 30
    assert recipe.patience is None


def test_dropout_by_direction_reaches_its_part_of_the_stack():
    words = {
        "ordering": "diamond",
        "depth": 4,
        "narrowest": 8,
        "widest": 16,
        "dropout": {"rising": 0.2, "falling": 0.5},
    }
    space = SearchSpace.from_mapping({"name": "a", "data": "digits", "families": {"dense": words}})
    architecture = sample_architecture(space.families.dense, RandomSuggest(0), DIGITS)
    assert architecture.dense == (
        DenseBlock(8, 0.2),
        DenseBlock(16, 0.2),
        DenseBlock(16, 0.5),
        DenseBlock(8, 0.5),
    )


def test_filters_grow_from_block_to_block():
    words = {"blocks": 4, "filters": {"first": 8, "growth": 1.5}, "pooling": "max"}
    space = SearchSpace.from_mapping({"name": "a", "data": "digits", "families": {"cnn": words}})
    conv = sample_architecture(space.families.cnn, RandomSuggest(0), DIGITS).conv
    assert [block.filters for block in conv] == [8, 12, 18, 27]
    assert [block.pooling for block in conv] == ["max", "max", "max", "none"]


def test_a_word_with_one_value_leaves_nothing_to_ask():
    suggest = Listening(0)
    assert [choose(suggest, "word", word) for word in (3, (4,), "adam")] == [3, 4, "adam"]
    assert suggest.asked == []


def test_named_architectures_take_the_first_of_a_list_and_the_middle_of_a_range():
    recipe = named_recipe(WIDE.training)
    assert recipe.optimizer == "adam"
    assert recipe.batch_size == 72
    assert recipe.learning_rate == pytest.approx(1e-3)
    assert first_choice("sgd") == "sgd"


def test_samples_of_a_space_take_its_families_in_turn_and_repeat_by_seed():
    samples = sample_space(WIDE, DIGITS, 5, seed=1)
    assert [architecture.family for architecture in samples] == ["dense", "cnn", "dense", "cnn", "dense"]
    assert samples == sample_space(WIDE, DIGITS, 5, seed=1)
    assert samples != sample_space(WIDE, DIGITS, 5, seed=2)
