import json
import pickle

import pytest
import yaml

from archsearch.errors import SpaceError
from archsearch.space.data_words import Data
from archsearch.space.schema import SearchSpace

DENSE = {"dense": {"depth": 2, "narrowest": 8, "widest": 16}}


def space(data):
    return SearchSpace.from_mapping({"name": "x", "data": data, "families": DENSE})


def test_words_that_are_not_said_are_not_recorded():
    assert space("digits").data.model_dump(mode="json", exclude_none=True) == {
        "source": "digits", "validation": 0.2, "test": 0.2, "split_seed": 0,
    }  # fmt: skip
    assert space("digits").data.model_dump(mode="json", exclude_defaults=True) == {"source": "digits"}


@pytest.mark.parametrize("name", ["digits", "mnist", "fashion_mnist", "cifar10", "cifar100"])
def test_a_named_data_set_is_short_for_its_source(name):
    assert space(name).data == Data(source=name)
    assert (space(name).data.kind, space(name).data.origin) == ("source", name)


EVERY_WORD = {
    "image_folder": "d", "image_size": [20, 30], "color": "rgb",
    "groups": {"pattern": r"p(\d+)", "across": ["train", "val"]}, "class_weights": {"a": 2.0},
    "validation": 0.1, "test": "none", "split_seed": 3, "allow_leaks": True,
}  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        EVERY_WORD,
        {
            "csv": "t.csv",
            "label": "y",
            "drop": ["id"],
            "groups": {"column": "who"},
            "class_weights": "balanced",
        },
        {"python": "mine:load"},
        {"npz": "a.npz", "test": 0.3},
    ],
)
def test_recorded_words_are_read_back_as_the_same_words(words):
    data = space(words).data
    dumped = data.model_dump(mode="json", exclude_none=True)
    assert space(json.loads(json.dumps(dumped))).data == data
    assert space(yaml.safe_load(yaml.safe_dump(dumped))).data == data
    assert words.items() <= dumped.items()


def test_a_worker_knows_which_words_were_said():
    data = pickle.loads(pickle.dumps(Data(npz="a.npz", test=0.2)))
    assert "test" in data.model_fields_set
    assert "validation" not in data.model_fields_set


def test_text_for_groups_is_a_pattern_of_images_and_a_column_of_tables():
    assert space({"image_folder": "d", "groups": "IM-1"}).data.groups.pattern == "IM-1"
    assert space({"parquet": "t", "label": "y", "groups": "who"}).data.groups.column == "who"


def test_class_names_that_look_like_numbers_are_names():
    assert space({"image_folder": "d", "class_weights": {0: 1, 1: 2.5}}).data.class_weights == {
        "0": 1,
        "1": 2.5,
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "data: give one source (source, image_folder, npz, csv, parquet or python), not none"),
        ({"npz": "a", "csv": "b", "label": "c"}, "data.csv: give one source"),
        ({"csv": "b"}, "data.csv: needs label: the column that holds the class"),
        (
            {"csv": "b", "label": "y", "image_size": [2, 2]},
            "data.image_size: image_size belongs to image_folder, not to csv",
        ),
        ({"source": "digits", "color": "rgb"}, "data.color: color belongs to image_folder, not to source"),
        (
            {"npz": "a", "groups": "b"},
            "data.groups: groups belongs to image_folder, csv or parquet, not to npz",
        ),
        (
            {"image_folder": "a", "label": "b"},
            "data.label: label belongs to csv or parquet, not to image_folder",
        ),
        (
            {"image_folder": "a", "drop": ["b"]},
            "data.drop: drop belongs to csv or parquet, not to image_folder",
        ),
        (
            {"image_folder": "a", "groups": "(b"},
            "data.groups: not a regular expression: missing ), unterminated subpattern at position 0 "
            "of '(b'",
        ),
        (
            {"image_folder": "a", "groups": {"pattern": "[b"}},
            "data.groups.pattern: not a regular expression: ",
        ),
        ({"image_folder": "a", "groups": {"column": "b"}}, "data.groups.column: belongs to csv or parquet"),
        (
            {"csv": "a", "label": "b", "groups": {"pattern": "b"}},
            "data.groups.pattern: belongs to image_folder",
        ),
        ({"image_folder": "a", "groups": {"across": ["val"]}}, "data.groups: give either pattern"),
        (
            {"image_folder": "a", "groups": {"pattern": "b", "across": ["tset"]}},
            "data.groups.across.0: must be 'train', 'val' or 'test', not 'tset'; did you mean test?",
        ),
        ({"image_folder": "a", "image_size": [180]}, "data.image_size"),
        ({"image_folder": "a", "image_size": [180, 0]}, "data.image_size.1: must be at least 1, not 0"),
        (
            {"image_folder": "a", "class_weights": "equal"},
            "data.class_weights: must be 'balanced', not 'equal'",
        ),
        ({"image_folder": "a", "class_weights": {"b": 0}}, "data.class_weights.b: must be above 0, not 0"),
        ({"image_folder": "a", "test": "nothing"}, "data.test: must be 'none', not 'nothing'"),
        ({"image_folder": "a", "test": 0.5}, "data.test: must be below 0.5, not 0.5"),
        (
            {"source": "digit"},
            "data.source: must be 'digits', 'mnist', 'fashion_mnist', 'cifar10' or 'cifar100', not "
            "'digit'; did you mean digits?",
        ),
        ({"image_folder": ""}, "data.image_folder"),
    ],
)  # fmt: skip
def test_words_that_do_not_go_together_are_faults_with_their_place(words, message):
    with pytest.raises(SpaceError) as caught:
        space(words)
    assert str(caught.value).startswith(message)
