import pytest

from archsearch.errors import SpaceError
from archsearch.notation import parse
from archsearch.records import Recipe
from archsearch.space import SearchSpace
from archsearch.space.size import Count, require_within, space_size, training_memory

DIGITS = (8, 8, 1)
DENSE = {"ordering": ["rising", "falling"], "depth": [1, 2], "narrowest": 8, "widest": [16, 32]}


def size_of(shape=DIGITS, classes=10, **words):
    return space_size(SearchSpace.from_mapping({"name": "s", "data": "digits", **words}), shape, classes)


def test_architectures_and_recipes_are_counted_once_each():
    size = size_of(
        families={"dense": DENSE},
        training={"optimizer": ["adam", "sgd"], "momentum": [0.0, 0.9], "batch_size": [8, 16]},
    )
    assert size.architectures == Count(2 + 2 * 2, is_exact=True)
    assert size.recipes == Count(2 * 3, is_exact=True)
    assert (size.smallest.architecture, size.smallest.amount) == (parse("dense 8·16"), 520 + 144 + 170)
    assert (size.largest.architecture, size.largest.amount) == (parse("dense 32·8"), 2080 + 264 + 90)
    assert not size.is_partial


def test_architectures_that_images_make_equal_are_one():
    cnn = {"blocks": 4, "filters": {"first": 8, "growth": 1}, "padding": ["same", "valid"], "kernel": 15}
    assert size_of(families={"cnn": cnn}).architectures.number == 1


def test_a_continuous_range_makes_a_space_continuous_with_bounds_of_its_size():
    size = size_of(families={"dense": DENSE | {"l2": {"low": 0, "high": 1}}}, training={"epochs": [1, 2]})
    assert size.architectures.text == "continuous"
    assert size.recipes.text == "2"
    assert (size.smallest.amount, size.largest.amount) == (834, 2434)


def test_a_space_too_large_to_count_has_at_most_its_combinations():
    wide = {"depth": {"low": 1, "high": 64}, "narrowest": {"low": 8, "high": 512}, "widest": 1024}
    size = size_of(families={"dense": {"ordering": "rising", **wide}})
    assert size.architectures.text == "at most 32,320"
    assert (len(size.smallest.architecture.dense), len(size.largest.architecture.dense)) == (2, 64)
    assert size.largest.architecture.dense[0].width == 512


def test_the_largest_network_of_a_wide_space_is_found_inside_its_ranges():
    # Each further block halves the image: most weights belong neither to the fewest nor to the most blocks.
    cnn = {
        "blocks": {"low": 1, "high": 6},
        "filters": {"first": {"low": 8, "high": 16}, "growth": {"low": 1, "high": 3}},
        "dense": {"depth": 1, "narrowest": 8, "widest": 8},
    }
    size = size_of(families={"cnn": cnn}, shape=(64, 64, 3), classes=2)
    every = [
        parse(f"conv {'·'.join(str(round(16 * 3**n)) for n in range(blocks))} 3×3 max → flatten → dense 8")
        for blocks in range(1, 7)
    ]
    assert size.largest.amount == max(each.parameters((64, 64, 3), 1) for each in every)


def test_samples_that_break_a_constraint_are_counted():
    without = size_of(families={"dense": DENSE})
    assert (without.samples, without.too_large) == (200, 0)
    limited = size_of(families={"dense": DENSE}, constraints={"parameters": 1500})
    assert 0 < limited.too_large < 200
    assert size_of(families={"dense": DENSE}, constraints={"parameters": 1}).too_large == 200


def test_named_architectures_count_and_hypermodels_are_left_out():
    size = size_of(
        architectures={"a": "dense 8", "b": "dense 16", "c": "mine units=3"},
        families={"mine": {"hypermodel": "m:M"}},
    )
    assert size.is_partial
    assert size.architectures.number == 2
    assert (size.smallest.architecture, size.largest.architecture) == (parse("dense 8"), parse("dense 16"))
    assert size.samples == 0


def test_a_space_of_hypermodels_only_has_no_known_size():
    size = size_of(families={"mine": {"hypermodel": "m:M"}})
    assert (size.smallest, size.most_memory) == (None, None)


@pytest.mark.parametrize(
    ("optimizer", "momentum", "slots"),
    [("adam", 0.0, 2), ("adamw", 0.0, 2), ("sgd", 0.0, 0), ("sgd", 0.9, 1), ("rmsprop", 0.0, 1)],
)
def test_memory_is_weights_gradients_slots_and_a_batch_of_outputs(optimizer, momentum, slots):
    recipe = Recipe(1, 32, optimizer, 1e-3, None, momentum=momentum)
    weights, outputs = 64 * 8 + 8 + 90, 64 + 2 * 8
    expected = 4 * (weights * (2 + slots) + outputs * 32)
    assert training_memory(parse("dense 8"), DIGITS, 10, recipe) == expected


def test_most_memory_is_that_of_the_largest_batch_and_optimizer():
    size = size_of(
        families={"dense": DENSE},
        training={"batch_size": {"low": 8, "high": 64}, "optimizer": ["sgd", "adam"], "momentum": [0.9]},
    )
    heavy = Recipe(1, 64, "adam", 1e-3, None)
    light = Recipe(1, 8, "sgd", 1e-3, None, momentum=0.9)
    most, least = size.most_memory, size.least_memory
    assert most.amount == training_memory(most.architecture, DIGITS, 10, heavy)
    assert least.amount == training_memory(least.architecture, DIGITS, 10, light)


def test_the_size_of_a_space_is_the_same_at_every_look():
    cnn = {"blocks": [1, 2], "filters": {"first": [8, 16]}, "activation": ["relu", "tanh"]}
    assert size_of(families={"dense": DENSE, "cnn": cnn}) == size_of(families={"dense": DENSE, "cnn": cnn})


def test_a_named_architecture_above_the_constraint_is_refused_by_name():
    of = SearchSpace.from_mapping(
        {
            "name": "bounded",
            "data": "digits",
            "architectures": {"small": "dense 8", "big": "dense 512"},
            "constraints": {"parameters": 5_000},
        }
    )
    with pytest.raises(SpaceError) as error:
        require_within(of, (8, 8, 1), 10)
    assert str(error.value) == "architectures.big: 38,410 parameters; constraints.parameters allows 5,000"


def test_a_constraint_that_nothing_keeps_is_refused_with_the_smallest_there_is():
    of = SearchSpace.from_mapping(
        {
            "name": "bounded",
            "data": "digits",
            "families": {"dense": {"depth": [1, 2], "narrowest": 16, "widest": [32, 64]}},
            "constraints": {"parameters": 1_000},
        }
    )
    with pytest.raises(SpaceError, match=r"allows 1,000; the smallest .* has 1,\d+: dense"):
        require_within(of, (8, 8, 1), 10)


def test_a_named_architecture_that_a_family_holds_is_counted_once():
    size = size_of(families={"dense": DENSE}, architectures={"in": "dense 8·16", "out": "dense 9"})
    assert size.architectures == Count(6 + 1, is_exact=True)


@pytest.mark.parametrize(
    ("depth", "l2", "largest"),
    [
        ([1, 2], 0.0, "dense 16·8"),  # counted
        ({"low": 1, "high": 3}, {"low": 1e-3, "high": 1.0}, "dense 16·8·8"),  # searched for
    ],
)
def test_the_largest_is_the_largest_that_keeps_the_constraint(depth, l2, largest):
    wide = DENSE | {"depth": depth, "l2": l2}
    size = size_of(families={"dense": wide}, constraints={"parameters": 1_500})
    assert size.largest.amount == parse(largest).parameters(DIGITS, 10)
    assert size.smallest.amount == 834
    assert size.most_memory.architecture.parameters(DIGITS, 10) <= 1_500
    without = size_of(families={"dense": wide})
    assert without.largest.amount > 1_500


def test_where_nothing_known_keeps_the_constraint_there_is_no_largest():
    size = size_of(families={"dense": DENSE, "mine": {"hypermodel": "m:M"}}, constraints={"parameters": 10})
    assert size.smallest.amount == 834
    assert (size.largest, size.least_memory, size.most_memory) == (None, None, None)
