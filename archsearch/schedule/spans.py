"""How long each start of a job lasts that ends at a time of day."""

from datetime import UTC, datetime, time, tzinfo
from zoneinfo import ZoneInfo

from archsearch.schedule.expression import parse
from archsearch.schedule.moments import read

DAY_SECONDS = 86_400

# Whoever means a night or a working day stays far below it; the two times in the wrong order do not.
LONG_SECONDS = 20 * 3600


def span(at: str, until: str, zone: tzinfo) -> int | None:
    """Seconds from each start to the next time that `until` names.

    Parameters
    ----------
    at : str
        A cron expression.
    until : str
        A time of day, in the zone of `at` unless it names one.
    zone : tzinfo
        Of `at`.

    Returns
    -------
    int or None
        More than 0, at most a day; as the clocks go now. None where it differs from start to start, or
        `until` has a date.
    """
    starts, end = parse(at), read(until)
    if end.day or len(starts.hours) > 1 or len(starts.minutes) > 1:
        return None
    (hour,), (minute,) = starts.hours, starts.minutes
    ahead = 0.0 if end.zone is None else _ahead(end.zone) - _ahead(zone)
    return round(_seconds(end.clock) - ahead - hour * 3600 - minute * 60) % DAY_SECONDS or DAY_SECONDS


def zone_in_cluster(until: str) -> ZoneInfo:
    """The time zone of a CronJob: that of its ``until`` where it has a name, else UTC."""
    zone = read(until).zone
    return zone if isinstance(zone, ZoneInfo) else ZoneInfo("Etc/UTC")


def require_another_time(at: str, until: str, hours: float | None) -> None:
    """Have a job not end at the very time at which it starts: that would be a day later.

    Parameters
    ----------
    at, until : str
    hours : float or None
        Of each start. What ends it sooner leaves nothing to refuse.

    Raises
    ------
    ValueError
    """
    is_bounded = hours is not None and hours * 3600 < DAY_SECONDS
    if read(until).zone is None and not is_bounded and span(at, until, UTC) == DAY_SECONDS:
        raise ValueError(
            "the job starts at that time, so each start would run up to 24 h, to the next one; say when "
            "it is to end, or with hours how long it may run"
        )


def long_span(at: str, until: str, hours: float | None, zone: tzinfo) -> str:
    """How long each start runs where that is longer than most mean, in words; else empty.

    Parameters
    ----------
    at, until : str
    hours : float or None
        Of each start.
    zone : tzinfo
        Of `at`.
    """
    seconds, end = span(at, until, zone), read(until)
    if seconds is None or seconds <= LONG_SECONDS or (hours is not None and hours * 3600 < seconds):
        return ""
    starts = parse(at)
    begin = time(min(starts.hours), min(starts.minutes))
    is_next_day = end.zone is None and end.clock <= begin
    to = f"{end.undated} of the next day" if is_next_day else end.undated
    return f"each start runs up to {round(seconds / 3600, 1):g} h (from {begin:%H:%M} to {to})"


def _seconds(clock: time) -> int:
    return clock.hour * 3600 + clock.minute * 60 + clock.second


def _ahead(zone: tzinfo) -> float:
    offset = datetime.now(zone).utcoffset()
    assert offset is not None
    return offset.total_seconds()
