"""``--until``: which moment a time means."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from archsearch.commands.until import moment
from archsearch.errors import Refused

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")


def berlin(text, fold=0):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


def meant(text, now):
    return moment(text, now).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        ("06:00", "2026-11-22T02:00", "2026-11-22T06:00+01:00"),
        ("6:00", "2026-11-22T02:00", "2026-11-22T06:00+01:00"),
        ("06:00", "2026-11-22T07:00", "2026-11-23T06:00+01:00"),
        ("06:00", "2026-11-22T06:00", "2026-11-23T06:00+01:00"),  # not at once
        ("06:00:30", "2026-11-22T06:00", "2026-11-22T06:00:30+01:00"),
        ("06:00 UTC", "2026-11-22T02:00", "2026-11-22T06:00+00:00"),
        ("06:00 America/New_York", "2026-11-22T11:30", "2026-11-22T06:00-05:00"),
        ("23:30 Asia/Tokyo", "2026-11-22T15:45", "2026-11-23T23:30+09:00"),  # there it is 23:45
        ("06:00+05:30", "2026-11-22T00:00", "2026-11-22T06:00+05:30"),
        ("2026-12-01 06:00", "2026-11-22T02:00", "2026-12-01T06:00+01:00"),
        ("2027-07-01 06:00", "2026-11-22T02:00", "2027-07-01T06:00+02:00"),
        ("2026-12-01 06:00 America/New_York", "2026-11-22T02:00", "2026-12-01T06:00-05:00"),
        ("2026-12-01T06:00+03:00", "2026-11-22T02:00", "2026-12-01T06:00+03:00"),
        ("2026-12-01T06:00Z", "2026-11-22T02:00", "2026-12-01T06:00+00:00"),
        (" 2026-12-01T06:00:00 ", "2026-11-22T02:00", "2026-12-01T06:00+01:00"),
    ],
)
def test_a_time_is_the_next_one_and_local_unless_it_says_more(text, now, expected):
    assert meant(text, berlin(now)) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("now", "hours"),
    [("2026-03-28T22:00", 7), ("2026-10-24T22:00", 9), ("2026-11-22T22:00", 8)],
    ids=["clocks go forward", "clocks go back", "neither"],
)
def test_the_hours_until_a_time_are_those_that_pass(now, hours):
    assert (meant("06:00", berlin(now)) - berlin(now).astimezone(UTC)).total_seconds() == hours * 3600


def test_a_time_that_clocks_show_twice_is_the_next_of_the_two():
    first, second = "2026-10-25T00:30:00+00:00", "2026-10-25T01:30:00+00:00"
    assert meant("02:30", berlin("2026-10-25T01:00")).isoformat() == first
    assert meant("02:30", berlin("2026-10-25T02:45")).isoformat() == second
    assert meant("2026-10-25 02:30", berlin("2026-10-25T02:45")).isoformat() == second
    assert meant("02:30", berlin("2026-10-25T02:45", fold=1)).isoformat() == "2026-10-26T01:30:00+00:00"


def test_a_time_that_clocks_skip_is_taken_as_if_they_had_not_been_set():
    assert meant("02:30", berlin("2026-03-29T01:00")) == berlin("2026-03-29T03:30").astimezone(UTC)


def test_a_zone_is_found_where_the_c_library_has_none():
    """As in slim containers: there Python has zones from the package tzdata alone."""
    import zoneinfo

    zoneinfo.reset_tzpath(to=())
    ZoneInfo.clear_cache()
    try:
        assert moment("06:00", berlin("2026-11-22T02:00")).isoformat() == "2026-11-22T06:00:00+01:00"
        assert moment("06:00 Asia/Tokyo", berlin("2026-11-22T02:00")).utcoffset().total_seconds() == 9 * 3600
    finally:
        zoneinfo.reset_tzpath()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tomorrow", r"--until 'tomorrow': not a time; meant is a time such as 06:00 \(the next one\)"),
        ("", "--until '': not a time"),
        ("6", "not a time"),
        ("25:00", "no such time .*hour"),
        ("06:60", "no such time .*minute"),
        ("2026-02-30 06:00", "no such time .*day"),
        ("0001-01-01 00:00 Asia/Tokyo", "no such time"),
        (
            "06:00 Europe/Berln",
            "'06:00 Europe/Berln': Europe/Berln is no time zone; did you mean Europe/Berlin?",
        ),
        ("06:00 europe/berlin", r"did you mean Europe/Berlin\?"),
        ("06:00 Europe", "Europe is no time zone"),
        ("06:00 ../../etc/passwd", "is no time zone"),
        ("06:00+25:00", r"\+25:00 is no offset from UTC"),
        (
            "2020-01-01 06:00",
            "'2020-01-01 06:00': 2020-01-01 06:00 CET is past, it is 2026-11-22 02:00 CET now; without a "
            "date the next 06:00 is meant",
        ),
        ("2026-11-22T01:59+01:00", "is past"),
    ],
)
def test_what_is_no_time_to_come_is_refused_with_what_is_meant(text, message):
    with pytest.raises(Refused, match=message):
        moment(text, berlin("2026-11-22T02:00"))
