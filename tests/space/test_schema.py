from dataclasses import asdict

import pytest

from archsearch.errors import SpaceError
from archsearch.resources import bundled_spaces
from archsearch.space import SearchSpace, changed_words
from archsearch.space.parameters import Range

DENSE = {"depth": 2, "narrowest": 32, "widest": 64}


def space(**words):
    return SearchSpace.from_mapping({"name": "test", "data": "digits", "families": {"dense": DENSE}} | words)


@pytest.mark.parametrize("name", sorted(bundled_spaces()))
def test_bundled_spaces_are_valid_and_named_after_their_file(name):
    assert SearchSpace.from_yaml(bundled_spaces()[name]).name == name


@pytest.mark.parametrize("path", bundled_spaces().values(), ids=lambda path: path.stem)
def test_the_text_of_a_space_from_a_file_is_the_file(path):
    assert SearchSpace.from_yaml(path).text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", bundled_spaces().values(), ids=lambda path: path.stem)
def test_the_text_of_a_space_from_a_mapping_is_a_file_of_the_same_space(path, tmp_path):
    words = SearchSpace.from_yaml(path).model_dump(mode="json", exclude_none=True)
    file = tmp_path / "written.yaml"
    file.write_text(SearchSpace.from_mapping(words).text, encoding="utf-8")
    assert SearchSpace.from_yaml(file).model_dump(mode="json", exclude_none=True) == words


def test_a_file_that_gives_no_name_is_named_by_its_stem(tmp_path):
    path = tmp_path / "my-space.yaml"
    path.write_text("data: digits\narchitectures: {a: {dense: [8]}}\n")
    assert SearchSpace.from_yaml(path).name == "my-space"


def test_the_short_form_of_data_is_the_same_search():
    assert space().fingerprint == space(data={"source": "digits"}).fingerprint


def test_short_blocks_are_the_long_ones():
    short = {"dense": [32, [64], [128, 0.5]], "conv": [8, [16, 5]]}
    long = {
        "dense": [{"width": 32}, {"width": 64}, {"width": 128, "dropout": 0.5}],
        "conv": [{"filters": 8}, {"filters": 16, "kernel": 5}],
    }
    assert space(architectures={"a": short}) == space(architectures={"a": long})


def test_a_named_architecture_is_built_as_written():
    words = {"conv": [[8, 5]], "bridge": "global_max", "dense": [[32, 0.2]]}
    built = space(architectures={"a": words}).architectures["a"].build()
    assert (built.family, built.bridge) == ("cnn", "global_max")
    assert asdict(built.conv[0]) | {"filters": 8, "kernel": 5, "pooling": "max"} == asdict(built.conv[0])
    assert (built.dense[0].width, built.dense[0].dropout) == (32, 0.2)


@pytest.mark.parametrize("off", ["off", False, None])
def test_early_stopping_can_be_off(off):
    assert space(training={"early_stopping": off}).training.early_stopping is None


@pytest.mark.parametrize(
    "words",
    [
        {"name": "other"},
        {"search": {"trials": 7}},
        {"execution": {"workers": 3}},
    ],
    ids=lambda words: next(iter(words)),
)
def test_a_search_stays_the_same_when_its_name_trials_or_execution_change(words):
    assert space(**words).fingerprint == space().fingerprint


@pytest.mark.parametrize(
    "words",
    [
        {"data": {"source": "digits", "validation": 0.3}},
        {"data": {"source": "digits", "split_seed": 1}},
        {"families": {"dense": DENSE | {"depth": 3}}},
        {"families": {"dense": DENSE | {"dropout": [0.0, 0.5]}}},
        {"architectures": {"a": {"dense": [8]}}},
        {"training": {"epochs": 31}},
        {"training": {"early_stopping": {"patience": 3}}},
        {"search": {"sampler": "random"}},
        {"search": {"pruner": "none"}},
        {"search": {"seed": 1}},
    ],
    ids=str,
)
def test_a_search_is_another_when_any_other_word_changes(words):
    assert space(**words).fingerprint != space().fingerprint


def test_defaults_written_out_do_not_make_another_search():
    written = space(training={"epochs": 30, "optimizer": "adam"}, search={"seed": 0, "sampler": "tpe"})
    assert written.fingerprint == space().fingerprint


def test_changed_words_name_the_word_and_both_values():
    before = space(training={"epochs": 30}, architectures={"a": {"dense": [8]}}).identity
    after = space(training={"epochs": 40, "early_stopping": {"patience": 2}}).identity
    changes = changed_words(before, after)
    assert "training.epochs: 30 → 40" in changes
    assert "training.early_stopping.patience: absent → 2" in changes
    assert any(change.startswith("architectures.a.dense: [") for change in changes)
    assert not any(change.startswith(("search", "data")) for change in changes)
    assert changed_words(before, before) == []


def test_trials_are_the_named_ones_and_twenty_for_each_family_unless_given():
    two = {"a": {"dense": [8]}, "b": {"dense": [16]}}
    cnn = {"blocks": 1, "filters": {"first": 8}}
    assert space().trials == 20
    assert space(architectures=two, families={"dense": DENSE, "cnn": cnn}).trials == 42
    assert space(architectures=two, families={}).trials == 2
    assert space(search={"trials": 5}).trials == 5


def test_whole_numbers_stand_for_numbers():
    family = space(families={"dense": DENSE | {"dropout": 0, "l2": {"low": 0, "high": 1}}}).families.dense
    assert isinstance(family.dropout, float)
    assert isinstance(family.l2, Range)
    assert isinstance(family.l2.low, float)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), True, "0.1", None])
def test_only_finite_numbers_are_numbers(number):
    with pytest.raises(SpaceError, match=r"^training.learning_rate: must be "):
        space(training={"learning_rate": number})


def test_a_mapping_without_a_name_is_refused():
    with pytest.raises(SpaceError, match=r"^name: this word is missing$"):
        SearchSpace.from_mapping({"data": "digits", "families": {"dense": DENSE}})


def test_a_space_can_not_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        space().name = "other"


def test_the_order_of_named_architectures_identifies_a_search():
    first, second = ("x", {"dense": [8]}), ("y", {"dense": [16]})
    one = SearchSpace.from_mapping({"name": "s", "data": "digits", "architectures": dict([first, second])})
    other = SearchSpace.from_mapping({"name": "s", "data": "digits", "architectures": dict([second, first])})
    assert one.fingerprint != other.fingerprint
    assert changed_words(one.identity, other.identity) == ['order of architectures: ["x", "y"] → ["y", "x"]']
