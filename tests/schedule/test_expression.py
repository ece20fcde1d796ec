"""Cron expressions: what a right one means, and what is said of a wrong one."""

import re
from datetime import datetime
from itertools import islice

import pytest
from cronsim import CronSim
from hypothesis import assume, given, settings
from made_jobs import EXPRESSIONS

from archsearch.schedule.expression import Expression, parse

# What Slurm's, Kubernetes' and every cron's own readers take, and mean the same by.
COMMON = re.compile(r"\*|\*/[1-9]\d*|\d+(-\d+)?(,\d+(-\d+)?)*")


def parsed(text: str) -> Expression:
    """`text`, if any day matches it."""
    try:
        return parse(text)
    except ValueError as error:
        assume("no month" not in str(error))
        raise


@settings(max_examples=50)
@given(EXPRESSIONS)
def test_what_is_written_means_what_was_said(text: str) -> None:
    written = parsed(text).text
    start = datetime(2026, 1, 1)
    assert list(islice(CronSim(written, start), 20)) == list(islice(CronSim(text, start), 20))


@settings(max_examples=50)
@given(EXPRESSIONS)
def test_what_is_written_has_numbers_only_and_no_7_for_sunday(text: str) -> None:
    try:
        *others, weekday = parse(text, has_both_days=False).text.split()
    except ValueError as error:
        assume(not re.search("no month|days that match both", str(error)))
        raise
    assert all(COMMON.fullmatch(field) for field in (*others, weekday))
    # Slurm counts the steps of a week from Monday, all others from Sunday.
    assert not set(weekday) & set("7/")


@settings(max_examples=50)
@given(EXPRESSIONS)
def test_only_what_some_schedulers_can_not_say_is_refused_for_them(text: str) -> None:
    """They start on days of either field; cron, where one begins with ``*``, on those of both."""
    expression = parsed(text)
    restricts_both = len(expression.days) < 31 and len(expression.weekdays) < 7
    if restricts_both and not expression.either_day:
        with pytest.raises(ValueError, match="days that match both"):
            parse(text, has_both_days=False)
    else:
        assert parse(text, has_both_days=False) == expression


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 2 */2 * mon", "day of month: '*/2' beside day of week 'mon': cron starts on days that match "),
        ("0 2 13 * */2", "day of week: '*/2' beside day of month '13': cron starts on days that match both"),
    ],
)
def test_of_two_fields_for_days_that_are_read_differently_the_one_with_the_step_is_named(
    text: str, message: str
) -> None:
    assert parse(text).either_day is False
    with pytest.raises(ValueError, match=re.escape(message)):
        parse(text, has_both_days=False)


@settings(max_examples=50)
@given(EXPRESSIONS)
def test_what_is_written_is_left_as_it_is(text: str) -> None:
    written = parsed(text)
    assert parse(written.text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0 2 * * *", "0 2 * * *"),
        ("*/15 0-6 * * *", "*/15 0-6 * * *"),
        ("0 22 * * mon-fri", "0 22 * * 1-5"),
        ("0 22 * JAN 7", "0 22 * 1 0"),
        ("0 22 * * 5-7", "0 22 * * 0,5,6"),
        ("5/20 * * * *", "5,25,45 * * * *"),
        ("0 8-18/3 * * *", "0 8,11,14,17 * * *"),  # to Slurm those of 0, 3, 6, ... among 8 to 18
        ("*/20,5 * * * *", "0,5,20,40 * * * *"),
        ("0 0 * * */3", "0 0 * * 0,3,6"),
        ("0 0 1-31 * 1", "0 0 * * *"),
        ("0 0 */1 1-12 1", "0 0 * * 1"),
        ("0 0 */10,5 * 1", "0 0 */10,5 * 1"),
        ("@daily", "0 0 * * *"),
        (" @Weekly ", "0 0 * * 0"),
    ],
)
def test_names_and_words_become_numbers(text: str, written: str) -> None:
    assert parse(text).text == written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("60 2 * * *", "minute: '60' is none; it takes 0 to 59"),
        ("0 24 * * *", "hour: '24' is none; it takes 0 to 23"),
        ("0 2 0 * *", "day of month: '0' is none; it takes 1 to 31"),
        ("0 2 * 13 *", "month: '13' is none; it takes 1 to 12 or jan to dec"),
        ("0 2 * * 8", "day of week: '8' is none; it takes 0 to 7"),
        ("0 2 * * mo", "day of week: 'mo' is none; it takes 0 to 7 (0 and 7 are Sunday) or sun to sat"),
        ("0 22-2 * * *", "hour: '22-2' is none; it takes 0 to 23, lists (1,5), ranges upwards"),
        ("0,x 2 * * *", "minute: 'x' is none"),
        ("0,,5 2 * * *", "minute: '' is none"),
        ("*/0 2 * * *", "minute: '*/0' is none"),
        ("*/90 * * * *", "minute: '*/90' is none"),
        ("0 2 L * *", "day of month: 'L' is none"),
        ("0 2 * * 5#2", "day of week: '5#2' is none"),
        ("0 2 ? * *", "day of month: '?' is none"),
        ("0 2 30 feb *", "day of month: no month of 'feb' has a day '30'"),
        (
            "2am",
            "this is one field; a cron expression has five: minute, hour, day of month, month, day of week",
        ),
        ("0 0 2 * * *", "these are 6 fields; a cron expression has five"),
        ("@nightly", "every night is @daily, at midnight, or '0 2 * * *', at two"),
        ("", "it is empty; a cron expression has five"),
    ],
)
def test_a_wrong_expression_is_told_by_its_field_and_what_that_takes(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse(text)


def test_the_next_start_is_after_the_moment() -> None:
    assert parse("0 2 * * *").next_after(datetime(2026, 12, 1, 2, 0)) == datetime(2026, 12, 2, 2, 0)
