import hypothesis.strategies as st
import pytest
from hypothesis import given

from archsearch.architecture import DenseBlock, outputs_for
from archsearch.notation import parse
from archsearch.records import Augmentation, Recipe
from archsearch.resources import bundled_spaces
from archsearch.space import (
    SearchSpace,
    named_recipe,
    sample_architecture,
    sample_recipe,
    sample_space,
)
from archsearch.space.parameters import choose
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
                "repeats": [1, 2, 3],
                "dropout": {"rising": {"low": 0.0, "high": 0.5}, "falling": [0.0, 0.5]},
                "activation": ["relu", "leaky_relu", "tanh", "sigmoid"],
                "batch_norm": [True, False],
                "l2": {"low": 1e-6, "high": 1e-2, "log": True},
            },
            "cnn": {
                "layer": ["conv2d", "separable_conv2d"],
                "blocks": {"low": 1, "high": 6},
                "filters": {"first": [8, 16], "growth": {"low": 1, "high": 2}},
                "kernel": [1, 3, 5],
                "stride": [1, 2, 3],
                "padding": ["same", "valid"],
                "activation": ["relu", "leaky_relu", "tanh", "sigmoid"],
                "pooling": ["max", "average", "sum", "none"],
                "dropout": {"low": 0.0, "high": 0.9},
                "batch_norm": [True, False],
                "l2": [0.0, 1e-4],
                "bridge": ["flatten", "global_average", "global_max"],
                "dense": {
                    "depth": [1, 2, 3],
                    "narrowest": 8,
                    "widest": 32,
                    "repeats": [1, 2],
                    "dropout": [0.0, 0.2],
                },
            },
        },
        "training": {
            "epochs": [20, 40],
            "batch_size": {"low": 16, "high": 128},
            "optimizer": ["adam", "adamw", "sgd", "rmsprop"],
            "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "momentum": [0.0, 0.9],
            "weight_decay": {"low": 1e-3, "high": 1e-1, "log": True},
            "schedule": ["constant", "cosine", "plateau"],
            "early_stopping": ["off", {"patience": 5}, {"patience": 10}],
            "precision": ["float32", "mixed_bfloat16"],
            "augmentation": {
                "flip": ["none", "horizontal"],
                "rotation": {"low": 0.0, "high": 0.1},
                "zoom": [0.0, 0.1],
                "contrast": 0.1,
            },
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


def test_every_word_of_training_asks_under_its_path():
    names = {name for name, *_ in asked(WIDE, "dense", 0)}
    assert {name for name in names if name.startswith("training.")} == {
        "training.epochs",
        "training.batch_size",
        "training.optimizer",
        "training.learning_rate",
        "training.momentum",
        "training.weight_decay",
        "training.schedule",
        "training.early_stopping",
        "training.precision",
        "training.augmentation.flip",
        "training.augmentation.rotation",
        "training.augmentation.zoom",
    }


@given(seed=seeds)
def test_sampled_images_never_shrink_below_one_pixel(seed):
    architecture = sample_architecture(WIDE.families.cnn, RandomSuggest(seed), DIGITS)
    shape = DIGITS
    for block in architecture.conv:
        shape = block.output_shape(shape)
        assert min(shape) >= 1
    assert architecture.parameters(DIGITS, 10) > 0


@given(seed=seeds)
def test_sampled_values_lie_in_the_space(seed):
    suggest = RandomSuggest(seed)
    dense = sample_architecture(WIDE.families.dense, suggest, DIGITS)
    recipe = sample_recipe(WIDE.training, suggest)
    assert dense.family == "dense"
    assert 1 <= len(dense.dense) <= 2 + 6 * 3
    assert all(8 <= block.width <= 256 for block in dense.dense)
    assert all(1e-6 <= block.l2 <= 1e-2 for block in dense.dense)
    assert recipe.epochs in (20, 40)
    assert 16 <= recipe.batch_size <= 128
    assert recipe.patience in (None, 5, 10)
    assert recipe.schedule in ("constant", "cosine", "plateau")
    assert recipe.augmentation.contrast == 0.1


@given(seed=seeds)
def test_what_the_optimizer_has_no_use_for_is_zero(seed):
    recipe = sample_recipe(WIDE.training, RandomSuggest(seed))
    assert recipe.momentum == 0.0 or recipe.optimizer == "sgd"
    assert (recipe.weight_decay > 0.0) == (recipe.optimizer == "adamw")


@given(seed=seeds)
def test_rates_sampled_from_ranges_are_short_in_the_notation(seed):
    for family in (WIDE.families.dense, WIDE.families.cnn):
        architecture = sample_architecture(family, RandomSuggest(seed), DIGITS)
        for block in (*architecture.dense, *architecture.conv):
            assert block.dropout == float(f"{block.dropout:.3g}")
            assert block.l2 == float(f"{block.l2:.3g}")
        assert parse(architecture.notation) == architecture


@given(st.floats(0, 0.9999999), st.floats(0, 1), seeds)
def test_rounded_rates_stay_in_their_range(low, share, seed):
    high = low + (0.99999999 - low) * share
    words = {"depth": 1, "narrowest": 8, "widest": 8, "dropout": {"low": low, "high": high}}
    space = SearchSpace.from_mapping({"name": "a", "data": "digits", "families": {"dense": words}})
    (block,) = sample_architecture(space.families.dense, RandomSuggest(seed), DIGITS).dense
    assert low <= block.dropout <= high < 1


@pytest.mark.parametrize(
    ("words", "patience"),
    [
        ("off", {None}),
        ({"patience": 7}, {7}),
        ({"patience": [5, 10]}, {5, 10}),
        ({"patience": {"low": 3, "high": 5}}, {3, 4, 5}),
        (["off", {"patience": 10}], {None, 10}),
        ([False, {"patience": 1}], {None, 1}),
        ([{"patience": 4}], {4}),
    ],
)
def test_early_stopping_is_off_or_one_of_the_given_patiences(words, patience):
    training = SearchSpace.from_mapping(
        {
            "name": "a",
            "data": "digits",
            "architectures": {"a": "dense 8"},
            "training": {"early_stopping": words},
        }
    ).training
    assert {sample_recipe(training, RandomSuggest(seed)).patience for seed in range(60)} == patience
    assert named_recipe(training).patience in patience


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
    assert recipe == Recipe(
        epochs=20,
        batch_size=72,
        optimizer="adam",
        learning_rate=pytest.approx(1e-3),
        patience=None,
        augmentation=Augmentation(rotation=0.05, contrast=0.1),
    )


def test_blocks_are_repeated_with_the_dropout_of_their_direction():
    words = {
        "ordering": "diamond",
        "depth": 5,
        "narrowest": 32,
        "widest": 512,
        "repeats": 2,
        "dropout": {"rising": 0.2, "falling": 0.5},
    }
    space = SearchSpace.from_mapping({"name": "a", "data": "digits", "families": {"dense": words}})
    stack = sample_architecture(space.families.dense, RandomSuggest(0), DIGITS)
    assert stack.notation == "dense 32·128·128·512·512 dropout 0.2, 128·128·32 dropout 0.5"


def test_every_word_of_the_convolutions_reaches_every_block():
    words = {
        "layer": "separable_conv2d",
        "blocks": 3,
        "filters": {"first": 3000, "growth": 4},
        "kernel": 5,
        "stride": 2,
        "padding": "valid",
        "activation": "tanh",
        "pooling": "sum",
        "dropout": 0.1,
        "batch_norm": True,
        "l2": 0.01,
        "bridge": "global_max",
    }
    space = SearchSpace.from_mapping({"name": "a", "data": "digits", "families": {"cnn": words}})
    cnn = sample_architecture(space.families.cnn, RandomSuggest(0), (400, 400, 3))
    assert cnn.notation == (
        "conv 3000·4096·4096 5×5 separable stride 2 valid sum tanh bn dropout 0.1 l2 0.01 → global max"
    )


def test_samples_of_a_space_take_its_families_in_turn_and_repeat_by_seed():
    samples = sample_space(WIDE, DIGITS, 5, seed=1)
    assert [architecture.family for architecture in samples] == ["dense", "cnn", "dense", "cnn", "dense"]
    assert samples == sample_space(WIDE, DIGITS, 5, seed=1)
    assert samples != sample_space(WIDE, DIGITS, 5, seed=2)


SHAPES = [(1, 1, 1), (8, 8, 1), (28, 28, 1), (64, 64, 3), (7, 180, 3)]


@pytest.mark.slow
def test_a_hundred_thousand_samples_of_the_language_all_fit_their_images():
    suggest = RandomSuggest(0)
    families = [WIDE.families.dense, WIDE.families.cnn]
    for number in range(100_000):
        shape = SHAPES[number % len(SHAPES)]
        architecture = sample_architecture(families[number % 2], suggest, shape)
        assert next(architecture.misfits(shape), None) is None, architecture.notation
        assert architecture.parameters(shape, 10) > 0
        assert architecture.activations(shape) > 0


@pytest.mark.slow
def test_two_hundred_samples_are_built_by_keras_with_the_weights_that_were_counted():
    from archsearch.models import build

    for number, architecture in enumerate(sample_space(WIDE, (7, 18, 3), 200, seed=0)):
        classes = 2 + number % 2
        counted = architecture.parameters((7, 18, 3), outputs_for(classes))
        assert build(architecture, (7, 18, 3), classes).count_params() == counted, architecture.notation
