import hypothesis.strategies as st
import pytest
from hypothesis import given

from archsearch.space.orderings import MULTIPLE, repeated, rises, widths

ORDERINGS = ["falling", "rising", "diamond", "hourglass", "constant"]

orderings = st.sampled_from(ORDERINGS)
depths = st.integers(1, 64)
sizes = st.integers(1, 65_536)


@given(orderings, depths, sizes, sizes)
def test_a_stack_has_as_many_widths_as_blocks_each_a_multiple_of_eight(ordering, depth, narrowest, widest):
    stack = widths(ordering, depth, narrowest, widest)
    assert len(stack) == len(rises(ordering, depth)) == depth
    assert all(width > 0 and width % MULTIPLE == 0 for width in stack)


@given(depths, sizes, sizes)
def test_rising_and_falling_stacks_are_each_other_reversed_and_monotone(depth, narrowest, widest):
    rising = widths("rising", depth, narrowest, widest)
    assert list(rising) == sorted(rising)
    assert widths("falling", depth, narrowest, widest) == rising[::-1]


@given(st.sampled_from(["diamond", "hourglass"]), depths, sizes, sizes)
def test_diamonds_and_hourglasses_are_symmetric_about_one_turn(ordering, depth, narrowest, widest):
    stack = widths(ordering, depth, narrowest, widest)
    first = stack[: (depth + 1) // 2]
    assert stack == stack[::-1]
    assert list(first) == sorted(first, reverse=ordering == "hourglass" and depth > 2)


@given(orderings, depths, sizes, sizes)
def test_bounds_the_wrong_way_round_change_places(ordering, depth, narrowest, widest):
    assert widths(ordering, depth, narrowest, widest) == widths(ordering, depth, widest, narrowest)


@given(orderings, st.integers(3, 20), st.integers(1, 100), st.integers(1, 100))
def test_a_stack_reaches_both_bounds(ordering, depth, low, high):
    low, high = sorted((low * MULTIPLE, high * MULTIPLE))
    stack = widths(ordering, depth, low, high)
    assert max(stack) == high
    assert min(stack) == (high if ordering == "constant" else low)


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_one_block_alone_is_the_widest(ordering):
    assert widths(ordering, 1, 32, 1024) == (1024,)


def test_six_rising_blocks_from_32_to_1024_are_the_powers_of_two():
    assert widths("rising", 6, 32, 1024) == (32, 64, 128, 256, 512, 1024)


@pytest.mark.parametrize(
    ("ordering", "depth", "stack"),
    [
        ("falling", 3, (256, 128, 64)),
        ("diamond", 5, (64, 128, 256, 128, 64)),
        ("diamond", 4, (64, 256, 256, 64)),
        ("hourglass", 5, (256, 128, 64, 128, 256)),
        ("hourglass", 4, (256, 64, 64, 256)),
        ("constant", 3, (256, 256, 256)),
    ],
)
def test_orderings_look_as_they_are_called(ordering, depth, stack):
    assert widths(ordering, depth, 64, 256) == stack


def test_the_peak_of_a_diamond_rises_and_the_waist_of_an_hourglass_falls():
    assert rises("diamond", 5) == (True, True, True, False, False)
    assert rises("diamond", 4) == (True, True, False, False)
    assert rises("hourglass", 5) == (False, False, False, True, True)
    assert rises("constant", 2) == rises("rising", 2) == (True, True)
    assert rises("falling", 2) == (False, False)


def test_repeats_double_every_block_but_the_first_and_the_last():
    doubled = (32, 64, 64, 128, 128, 256, 256, 512, 512, 1024)
    assert repeated(widths("rising", 6, 32, 1024), 2) == doubled
    assert repeated(widths("falling", 6, 32, 1024), 2) == doubled[::-1]
    assert repeated(widths("diamond", 5, 32, 512), 2) == (32, 128, 128, 512, 512, 128, 128, 32)


@given(st.lists(st.integers(), max_size=9), st.integers(1, 8))
def test_repeats_keep_the_order_and_the_ends(blocks, repeats):
    stack = repeated(blocks, repeats)
    assert len(stack) == len(blocks) + max(0, len(blocks) - 2) * (repeats - 1)
    assert (*stack[:1], *stack[1:-1:repeats], *stack[1:][-1:]) == tuple(blocks)
