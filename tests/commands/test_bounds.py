"""The bounds of a start of the command beside those of the search."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from archsearch.commands.bounds import Bound, Bounds, RunBounds, nearest
from archsearch.commands.options import Options, memory_bytes
from archsearch.commands.turn import Taken, Turn
from archsearch.errors import Refused, SearchSkipped
from archsearch.study import Place, Session

HOUR = 3_600.0


def in_hours(hours):
    return datetime.now(UTC) + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("words", "gpus", "name", "hours"),
    [
        ({"hours": 3.0, "until": 2.0}, 0, "--until", 2.0),
        ({"hours": 1.0, "until": 2.0}, 0, "--hours", 1.0),
        ({"hours": 3.0, "until": 2.0, "max_gpu_hours": 3.0}, 2, "--max-gpu-hours", 1.5),
        ({"hours": 3.0, "max_gpu_hours": 1.0}, 0, "--hours", 3.0),
        ({"until": -1.0}, 0, "--until", -1.0),
    ],
)
def test_the_bound_that_is_reached_first_ends_a_run(words, gpus, name, hours):
    until = in_hours(words["until"]) if "until" in words else None
    bound = nearest(*RunBounds(**words | {"until": until}).each(gpus))
    assert bound.name == name
    assert bound.seconds_left == pytest.approx(hours * HOUR, abs=5)


def test_hours_count_from_the_beginning_of_the_command_gpu_hours_from_that_of_the_trainings():
    bounds = RunBounds(hours=2.0, began=time.monotonic() - 1.5 * HOUR)
    assert bounds.nearest.seconds_left == pytest.approx(0.5 * HOUR, abs=5)
    (bound,) = RunBounds(max_gpu_hours=2.0, began=time.monotonic() - 1.5 * HOUR).each(1)
    assert bound.seconds_left == pytest.approx(2 * HOUR, abs=5)


def test_a_machine_that_was_suspended_is_past_until_and_still_has_its_hours(monkeypatch):
    """While it sleeps the clock of the wall goes on, and the monotonic one stands still."""
    wall, asleep = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: wall() + sum(asleep))
    bounds = tuple(RunBounds(hours=2.0, until=in_hours(3.0)).each())
    assert nearest(*bounds).name == "--hours"
    asleep.append(8 * HOUR)
    ends = nearest(*bounds)
    assert (ends.name, ends.seconds_left) == ("--until", pytest.approx(-5 * HOUR, abs=5))
    (hours,) = (bound for bound in bounds if bound.name == "--hours")
    assert hours.seconds_left == pytest.approx(2 * HOUR, abs=5)


def test_bounds_of_a_start_leave_out_what_others_took_and_those_of_the_space_do_not():
    other = Session("here", 1, "", 1, 0.0, 3 * HOUR, "hours_reached", 0.0, 1)
    (of_search,) = Bounds(hours=4.0, gpu_hours=None).each([other], 1)
    assert (of_search.name, of_search.seconds_left) == ("search.hours", pytest.approx(HOUR, abs=5))
    of_run = tuple(RunBounds(hours=2.0, max_gpu_hours=2.0).each(1))
    assert nearest(*of_run).seconds_left == pytest.approx(2 * HOUR, abs=5)
    assert nearest(of_search, *of_run).name == "search.hours"


def test_a_bound_says_what_it_was_and_what_to_do():
    assert RunBounds(hours=2.0).nearest.why_ended() == "--hours (2) are used up; the same command goes on"
    until = datetime(2026, 12, 1, 6, tzinfo=UTC)
    said = RunBounds(until=until).nearest.why_ended()
    assert said == "it is past 2026-12-01 06:00 UTC (--until); the same command goes on"
    (of_space,) = Bounds(hours=None, gpu_hours=3.0).each([], 1)
    assert of_space.why_ended(600.0) == (
        "the next trial takes about 10 min 00 s: more than was left of search.gpu_hours; to go on, raise "
        "them in the space"
    )


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("8GB", 8_000_000_000),
        ("8 gb", 8_000_000_000),
        ("8", 8_000_000_000),
        (8, 8_000_000_000),
        (7.5, 7_500_000_000),
        ("8GiB", 8 * 2**30),
        ("512 MiB", 512 * 2**20),
        (".5MB", 500_000),
    ],
)
def test_amounts_of_memory_have_units(amount, expected):
    assert memory_bytes(amount) == expected


@pytest.mark.parametrize(
    "amount", ["much", "", "0", "0GB", "-8GB", "8TB", "8 GB free", "1.2.3GB", float("nan")]
)
def test_what_is_no_amount_of_memory_is_refused_with_what_is_meant(amount):
    with pytest.raises(Refused, match=r"--min-free-gpu-memory .*no amount of memory; meant is .*10⁹ bytes"):
        Options(min_free_gpu_memory=amount)


@pytest.mark.parametrize("hours", [0, -1.0, float("nan"), float("inf"), 1e308, 10**400, "2"])
def test_hours_that_nobody_means_are_refused(hours):
    with pytest.raises(Refused, match="hours must be a number above 0 and at most 87,600, not "):
        Options(max_gpu_hours=hours)


def test_a_bound_that_is_reached_while_it_is_looked_at_ends_the_waiting(tmp_path, monkeypatch):
    clock = iter([0.0, 0.0, 3.0, 3.0])  # what is left is asked at 0 s and, were it asked again, at 3 s
    bound = Bound("--hours", 1.0, "is used up", "", lambda: next(clock))
    slept = []
    monkeypatch.setattr(RunBounds, "nearest", bound)
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(Place, "is_held", True)
    with pytest.raises(SearchSkipped, match="waited for in vain: is used up"):
        Turn("wait", RunBounds(), is_waiting=True).wait(Place(tmp_path), Taken("held"))
    assert slept == [1.0, 1.0]


def test_a_word_for_if_locked_that_is_none_is_refused():
    with pytest.raises(Refused, match="if_locked is 'fail', 'skip' or 'wait', not 'hope'"):
        Options(if_locked="hope")
