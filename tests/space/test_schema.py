import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from archsearch.architecture import HyperModelArchitecture
from archsearch.errors import SpaceError
from archsearch.resources import bundled_spaces
from archsearch.space import SearchSpace
from archsearch.space.document import read_document
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
        {"search": {"hours": 2.5}},
        {"search": {"gpu_hours": 2.5}},
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
        {"search": {"budget": "epochs"}},
        {"training": {"seeds": 2}},
        {"training": {"early_stopping": ["off", {"patience": 3}]}},
        {"training": {"augmentation": {"flip": "horizontal"}}},
        {"constraints": {"parameters": 1000}},
        {"families": {"dense": DENSE | {"repeats": 2}}},
        {"families": {"dense": DENSE, "mine": {"hypermodel": "m:M"}}},
    ],
    ids=str,
)
def test_a_search_is_another_when_any_other_word_changes(words):
    assert space(**words).fingerprint != space().fingerprint


def test_defaults_written_out_do_not_make_another_search():
    written = space(training={"epochs": 30, "optimizer": "adam"}, search={"seed": 0, "sampler": "tpe"})
    assert written.fingerprint == space().fingerprint


def test_words_that_later_versions_add_leave_the_fingerprint_as_it_is():
    # What identified this space is what it says, however many other words the language has.
    said = {
        "data": {"source": "digits"},
        "families": {"dense": {"depth": 2, "narrowest": 32, "widest": 64}},
        "training": {"epochs": 9},
    }
    expected = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:8]
    assert space(training={"epochs": 9}, search={"trials": 3}).fingerprint == expected


def test_the_identity_has_every_word_so_that_changes_can_be_told():
    identity = space().identity
    assert identity["training"]["epochs"] == 30
    assert identity["families"]["dense"]["repeats"] == 1
    assert {"name", "execution"}.isdisjoint(identity)
    assert {"trials", "hours"}.isdisjoint(identity["search"])


def test_an_architecture_in_one_line_is_the_one_written_out():
    line = space(architectures={"a": "conv 8 5×5 max, 16 3×3 stride 2 → global max → dense 32 dropout 0.2"})
    blocks = {"conv": [[8, 5], {"filters": 16, "stride": 2, "pooling": "none"}], "bridge": "global_max"}
    written = space(architectures={"a": blocks | {"dense": [[32, 0.2]]}})
    assert line == written
    assert line.fingerprint == written.fingerprint


def test_a_line_of_a_hypermodel_is_its_values():
    mine = {"mine": {"hypermodel": "models:Mine", "arguments": {"classes": 10}}}
    one = space(families=mine, architectures={"a": 'mine units=64 act="relu" rate=1e-5 deep=true'})
    values = {"units": 64, "act": "relu", "rate": 1e-5, "deep": True}
    assert one == space(families=mine, architectures={"a": {"family": "mine", "values": values}})
    assert one.named_architectures == {
        "a": HyperModelArchitecture("mine", "models:Mine", tuple(values.items()))
    }
    again = SearchSpace.from_mapping(read_document("space.yaml", one.text).value)
    assert again.fingerprint == one.fingerprint


def test_families_are_in_a_fixed_order_whatever_the_file_says():
    own = {name: {"hypermodel": "m:M"} for name in ("zebra", "ant")}
    cnn = {"blocks": 1, "filters": {"first": 8}}
    assert list(space(families={**own, "cnn": cnn, "dense": DENSE}).families.named) == [
        "dense",
        "cnn",
        "ant",
        "zebra",
    ]


def test_the_folder_of_a_space_is_that_of_its_file_or_the_current_one(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.yaml").write_text("data: digits\narchitectures: {a: dense 8}\n")
    monkeypatch.chdir(tmp_path)
    assert SearchSpace.from_yaml(Path("sub/a.yaml")).folder == tmp_path / "sub"
    assert space().folder == tmp_path


def test_without_a_sampler_only_the_named_architectures_are_trials():
    named = {"a": "dense 8", "b": "dense 16"}
    assert space(architectures=named, search={"sampler": "none"}).trials == 2


@pytest.mark.parametrize(("words", "most"), [(30, 30), ([20, 40], 40), ({"low": 10, "high": 60}, 60)])
def test_the_longest_training_is_known(words, most):
    assert space(training={"epochs": words}).training.longest == most


def test_what_does_not_fit_the_data_is_refused_with_its_place(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        """\
data: digits
families:
  cnn: {blocks: 1, filters: {first: 8}}
architectures:
  ok: dense 8
  conv: conv 8 3×3 max → flatten
  long: {conv: [8, 8, 8, 8]}
training:
  augmentation: {flip: horizontal}
"""
    )
    read = SearchSpace.from_yaml(path)
    with pytest.raises(SpaceError) as error:
        read.require_fit((13,))
    places = [line.removeprefix(f"{path}:").split(": ", 2)[:2] for line in str(error.value).splitlines()]
    assert places == [
        ["3:3", "families.cnn"],
        ["6:3", "architectures.conv"],
        ["7:3", "architectures.long"],
        ["9:3", "training.augmentation"],
    ]
    with pytest.raises(SpaceError) as error:
        read.require_fit((8, 8, 1))
    assert str(error.value) == (
        f"{path}:7:26: architectures.long.conv.3: max pooling leaves nothing of 1×1 pixels; set pooling: none"
    )


def test_dense_stacks_fit_samples_of_any_shape():
    space(architectures={"a": "dense 8"}).require_fit((13,))


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


def test_architectures_that_are_the_same_are_refused_with_both_names():
    named = {"a": {"dense": [[32, 0.2]]}, "b": "dense 16", "c": "dense 32 dropout 0.2"}
    with pytest.raises(SpaceError, match=r"^architectures.c: the same as architectures.a; leave one of them"):
        SearchSpace.from_mapping({"name": "s", "data": "digits", "architectures": named})
