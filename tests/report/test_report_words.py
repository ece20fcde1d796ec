import math

import pytest

from archsearch.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.1235"),
        (-0.00001, "0.0000"),
        (None, "–"),
        (math.nan, "not a number"),
        (math.inf, "infinite"),
        (1.8e308, "infinite"),
    ],
)
def test_losses_line_up_and_odd_ones_are_named(value, text):
    assert words.loss(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01, "+0.0100"), (-0.01, "−0.0100"), (-0.00001, "0.0000"), (0.0, "0.0000"), (None, "–")],
)
def test_gaps_carry_their_sign(value, text):
    assert words.signed(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.4 s"), (12.4, "12 s"), (59.7, "1 min 00 s"), (3599.8, "1 h 00 min"), (7380, "2 h 03 min")],
)
def test_durations_read_in_their_largest_unit(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "reference", "text"),
    [
        (0.5, 1, "50\u00a0% below"),
        (1.5, 1, "50\u00a0% above"),
        (1, 1, "equal to"),
        (math.nan, 1, "not comparable with"),
    ],
)
def test_losses_compare_in_words(value, reference, text):
    assert words.percent_below(value, reference) == text


def test_lists_read_as_sentences():
    assert [words.listing(list(items)) for items in ("", "a", "ab", "abc")] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
