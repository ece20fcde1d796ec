"""The moment that a user names by a clock's time, perhaps with a date and a time zone."""

import difflib
import os
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

MEANT = (
    "meant is a time such as 06:00 (the next one), '06:00 Europe/Berlin', '2026-12-01 06:00' or "
    "2026-12-01T06:00+01:00"
)

_FORM = re.compile(
    r"(?:(?P<date>\d{4}-\d\d-\d\d)(?:T|\s+))?(?P<time>\d?\d:\d\d(?::\d\d)?)\s*(?P<zone>\S.*)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Said:
    """What a user says of a moment.

    Attributes
    ----------
    day : date or None
        None: any.
    clock : time
        What a clock shows then.
    zone : tzinfo or None
        None: the local one.
    undated : str
        The text, less its date.
    """

    day: date | None
    clock: time
    zone: tzinfo | None
    undated: str


def read(text: str) -> Said:
    """What `text` says.

    Raises
    ------
    ValueError
        If it is no time, or its zone is unknown.
    """
    found = _FORM.fullmatch(text.strip())
    if not found:
        raise ValueError(f"not a time; {MEANT}")
    zone = _zone(found["zone"]) if found["zone"] else None
    try:
        clock = time.fromisoformat(found["time"].zfill(8 if found["time"].count(":") > 1 else 5))
        day = date.fromisoformat(found["date"]) if found["date"] else None
    except ValueError as error:
        raise _no_such_time(error) from None
    return Said(day, clock, zone, found.string[found.start("time") :])


def require_every_day(text: str) -> None:
    """Have `text` name a time that comes again each day.

    Raises
    ------
    ValueError
        If it is of one day, or no time at all.
    """
    said = read(text)
    if said.day:
        raise ValueError(
            "this is one day, and the job starts again and again: after that day it would always be refused; "
            f"leave out the date: {said.undated!r}"
        )


def moment(text: str, now: datetime | None = None) -> datetime:
    """The moment that `text` names.

    A time without a date is the next one. Where the clocks are set back, and show a time twice, that may be
    the second one; where they are set forward, and skip it, it is taken as if they had not been.

    Parameters
    ----------
    text : str
        ``06:00``, ``06:00 Europe/Berlin``, ``2026-12-01 06:00``, ISO 8601 with an offset, and so on.
    now : datetime, optional
        With its time zone; by default the present moment.

    Returns
    -------
    datetime
        In the time zone that `text` says, else in the local one.

    Raises
    ------
    ValueError
        If it is no time, its zone is unknown, or it is past.
    """
    now, said = now or datetime.now(UTC), read(text)
    zone = said.zone or _local_zone()
    try:
        named = list(_moments(said.day, said.clock, zone, now))
    except (ValueError, OverflowError) as error:
        raise _no_such_time(error) from None
    coming = next((at for at in named if at > now), None)
    if coming is None:
        past, present = (shown(at.astimezone(zone)) for at in (named[-1], now))
        raise ValueError(
            f"{past} is past, it is {present} now; without a date the next {said.clock:%H:%M} is meant"
        )
    return coming.astimezone(zone)


def shown(at: datetime) -> str:
    """A moment as people read it: ``2026-12-01 06:00 CET``."""
    return f"{at:%Y-%m-%d %H:%M %Z}"


def _no_such_time(error: Exception) -> ValueError:
    return ValueError(f"no such time ({error}); {MEANT}")


def _moments(day: date | None, clock: time, zone: tzinfo | None, now: datetime) -> Iterator[datetime]:
    """When a clock in that zone shows that time: on the day, else today and tomorrow; in UTC.

    Aware datetimes of one zone are compared by what the clock shows, those in UTC by the moment.
    """
    today = now.astimezone(zone).date()
    for each in [day] if day else [today, today + timedelta(days=1)]:
        for fold in (0, 1):  # the first and the second time that it is shown (PEP 495)
            yield datetime.combine(each, clock, zone).replace(fold=fold).astimezone(UTC)


def _local_zone() -> tzinfo | None:
    """The zone that ``TZ`` names; None for what the C library takes for the local one.

    That library knows no zones where a container has none of its files, and then takes all for UTC.
    """
    name = os.environ.get("TZ", "").removeprefix(":")
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def _zone(name: str) -> tzinfo | None:
    if re.fullmatch(r"Z|[+-]\d\d(:?\d\d)?", name, re.ASCII):
        try:
            return time.fromisoformat(f"00:00{name}").tzinfo
        except ValueError:
            raise ValueError(f"{name} is no offset from UTC; {MEANT}") from None
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: a folder of zones, as Europe
        known = {zone.casefold(): zone for zone in zoneinfo.available_timezones()}
        nearest = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.8)
        hint = f"did you mean {known[nearest[0]]}?" if nearest else MEANT
        raise ValueError(f"{name} is no time zone; {hint}") from None
