import pytest

from archsearch.errors import SpaceError
from archsearch.space import SearchSpace, sample_architecture, sample_recipe
from archsearch.space.grid import architecture_parameters, grid, recipe_parameters

DIGITS = (8, 8, 1)


def space(families, **words):
    return SearchSpace.from_mapping({"name": "g", "data": "digits", "families": families, **words})


DENSE = {
    "ordering": ["rising", "falling"],
    "depth": {"low": 1, "high": 3},
    "narrowest": 8,
    "widest": [32, 64],
    "repeats": [1, 2],
}
SMALL = space(
    {"dense": DENSE, "cnn": {"blocks": [1, 2], "filters": {"first": 8}, "pooling": ["max", "sum"]}},
    training={"batch_size": [16, 32, 16], "early_stopping": ["off", {"patience": 3}]},
)


def test_a_grid_has_every_combination_once():
    combinations = grid(SMALL.families.dense, SMALL.training)
    assert list(combinations.values) == [
        "dense.ordering",
        "dense.depth",
        "dense.widest",
        "dense.repeats",
        "training.batch_size",
        "training.early_stopping",
    ]
    assert combinations.size == 2 * 3 * 2 * 2 * 2 * 2
    everything = [tuple(combinations.combination(n).items()) for n in range(combinations.size)]
    assert len(set(everything)) == combinations.size
    assert dict(everything[0]) == {
        "dense.ordering": "rising",
        "dense.depth": 1,
        "dense.widest": 32,
        "dense.repeats": 1,
        "training.batch_size": 16,
        "training.early_stopping": "off",
    }
    assert dict(everything[1]) == dict(everything[0]) | {"training.early_stopping": 3}


@pytest.mark.parametrize("name", ["dense", "cnn"])
def test_the_nth_of_a_grid_makes_the_architecture_and_recipe_of_its_combination(name):
    family = SMALL.families.named[name]
    combinations = grid(family, SMALL.training)
    made = set()
    for number in range(combinations.size):
        suggest, values = combinations.nth(number), combinations.combination(number)
        recipe = sample_recipe(SMALL.training, suggest)
        assert recipe.batch_size == values["training.batch_size"]
        assert recipe.patience == (None if values["training.early_stopping"] == "off" else 3)
        made.add((sample_architecture(family, suggest, DIGITS), recipe))
    # A stack of one or two blocks has none to repeat, and one block alone neither rises nor falls.
    architectures = {"dense": 2 * (1 + 2 + 2 * 2), "cnn": 4}[name]
    assert len(made) == architectures * 4


def test_a_continuous_range_has_no_grid():
    continuous = space({"dense": DENSE | {"l2": {"low": 0, "high": 1}}})
    with pytest.raises(SpaceError, match=r"^dense.l2: a continuous range has no grid"):
        grid(continuous.families.dense, continuous.training)
    (l2,) = (p for p in architecture_parameters(continuous.families.dense) if p.name == "dense.l2")
    assert (l2.low, l2.high, l2.values) == (0.0, 1.0, None)


def test_a_space_without_choices_has_a_grid_of_one():
    one = space({"dense": {"ordering": "rising", "depth": 1, "narrowest": 8, "widest": 8}})
    assert recipe_parameters(one.training) == ()
    assert grid(one.families.dense, one.training).size == 1
    assert grid(one.families.dense, one.training).combination(0) == {}


def test_a_grid_is_searched_whole_unless_the_space_says():
    words = {"dense": DENSE, "cnn": {"blocks": [1, 2], "filters": {"first": 8}}}
    named = {"a": "dense 8"}
    assert space(words, architectures=named, search={"sampler": "grid"}).trials == 1 + 24 + 2
    assert space(words, architectures=named, search={"sampler": "grid", "trials": 5}).trials == 5
