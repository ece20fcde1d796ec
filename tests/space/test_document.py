import math

import pytest

from archsearch.errors import SpaceError
from archsearch.space.document import read_document


def value_of(scalar):
    return read_document("space.yaml", f"word: {scalar}").value["word"]


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("1e-3", 0.001),
        ("3.0e-4", 0.0003),
        (".5", 0.5),
        ("-.inf", -math.inf),
        (".INF", math.inf),
        ("12", 12),
        ("1_000", 1000),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("12:30", "12:30"),
        ("2024-01-02", "2024-01-02"),
        ("1.2.3", "1.2.3"),
        ("'12'", "12"),
    ],
)
def test_scalars_are_read_as_yaml_1_2_says(scalar, value):
    read = value_of(scalar)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("scalar", [".nan", ".NaN", ".NAN"])
def test_not_a_number_is_read_however_it_is_written(scalar):
    assert math.isnan(value_of(scalar))


def test_every_key_and_item_knows_its_line_and_column():
    document = read_document("space.yaml", "data: digits\nsearch:\n  trials: 3\nlist: [a,\n  b]\n")
    assert document.places == {
        (): (1, 1),
        ("data",): (1, 1),
        ("search",): (2, 1),
        ("search", "trials"): (3, 3),
        ("list",): (4, 1),
        ("list", 0): (4, 8),
        ("list", 1): (5, 3),
    }


def test_a_place_within_an_unknown_value_is_that_of_the_nearest_known_around_it():
    document = read_document("space.yaml", "data: digits\nsearch:\n  trials: 3\n")
    assert document.place(("search", "sampler", "kind")) == (2, 1)
    assert document.place(("nothing",)) == (1, 1)


def test_a_key_that_stands_twice_is_refused_with_both_lines():
    with pytest.raises(SpaceError, match=r"^space.yaml:4:3: 'seed' stands here a second time .*line 2\)$"):
        read_document("space.yaml", "search:\n  seed: 1\n  trials: 2\n  seed: 3\n")


def test_the_same_key_in_two_mappings_is_no_duplicate():
    text = "a: {seed: 1}\nb: {seed: 2}\n"
    assert read_document("space.yaml", text).value == {"a": {"seed": 1}, "b": {"seed": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: [1\n", r"^space.yaml:2:1: "),
        ("data: digits\n\tname: x\n", r"^space.yaml:2:1: a tab"),
        ("data: digits\n name: x\n", r"^space.yaml:2:6: a ':' where none can be"),
        ("a:\n    b: 1\n  c: 2\n", r"^space.yaml:3:3: this line is not indented like"),
        ("a: 1\n---\nb: 1\n", r"^space.yaml:2:1: a second document"),
        ("a: 1\nb: 'open\n", r"^space.yaml:3:1: "),
        ("a: 1\n? [x, y]\n: 2\n", r"^space.yaml:2:3: a key is a plain word$"),
        ("a: *nowhere\n", r"^space.yaml:1:4: .*nowhere"),
        ("a: 1\nb: !secret 3\n", r"^space.yaml:2:4: the tag !secret is not known$"),
        ("a: 1\nb: !!int abc\n", r"^space.yaml:2:4: .*'abc'"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_place(text, message):
    with pytest.raises(SpaceError, match=message):
        read_document("space.yaml", text)


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: \x01\n", "[" * 2000])
def test_text_that_can_not_be_read_is_refused_by_the_name_of_the_file(text):
    with pytest.raises(SpaceError, match=r"^space.yaml"):
        read_document("space.yaml", text)


@pytest.mark.parametrize(
    ("text", "found"),
    [("", "an empty file"), ("# nothing\n", "an empty file"), ("- a\n", "a list"), ("digits\n", "a str")],
)
def test_a_file_that_is_no_mapping_is_refused(text, found):
    with pytest.raises(SpaceError, match=rf"^space.yaml:1:1: .*, not {found}$"):
        read_document("space.yaml", text)
