"""Cron expressions: what is wrong with one, and what a right one means.

Schedulers read them differently: one knows no names of days, another takes no 7 for Sunday. What is let
through is written as all of them read it alike: five fields of numbers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cronsim import CronSim, CronSimError

FIELDS = "minute, hour, day of month, month, day of week"
EVERY_NIGHT = "0 2 * * *"

_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_VALUE = r"(?:[0-9]{1,3}|[A-Za-z]{3})"
_ITEM = re.compile(rf"(?:\*|{_VALUE}(?:-{_VALUE})?)(?:/(?P<step>[0-9]{{1,3}}))?")
# Of those, what every scheduler takes: no names, and a step only behind * or a range.
_COMMON = re.compile(r"\*(/[0-9]+)?|[0-9]+(-[0-9]+(/[0-9]+)?)?")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    attribute: str  # of a CronSim
    high: int
    allowed: str

    def values(self, said: str) -> frozenset[int]:
        """What the field stands for; the library checks it and knows the names."""
        fields = [said if field is self else "*" for field in _FIELDS]
        values = getattr(CronSim(" ".join(fields), datetime(2000, 1, 1)), self.attribute)
        return frozenset(value % 7 for value in values) if self is _WEEKDAY else frozenset(values)


_WEEKDAY = _Field("day of week", "weekdays", 7, "0 to 7 (0 and 7 are Sunday) or sun to sat")
_FIELDS = (
    _Field("minute", "minutes", 59, "0 to 59"),
    _Field("hour", "hours", 23, "0 to 23"),
    _Field("day of month", "days", 31, "1 to 31"),
    _Field("month", "months", 12, "1 to 12 or jan to dec"),
    _WEEKDAY,
)


@dataclass(frozen=True, slots=True)
class Expression:
    """When something happens.

    Attributes
    ----------
    text : str
        Five fields of numbers.
    minutes, hours, days, months, weekdays : frozenset of int
        Those that match; `weekdays` from 0, Sunday, to 6.
    either_day : bool
        Whether a day matches by `days` or by `weekdays`; else it has to by both. As in Vixie's cron, from
        which Debian's and cronie descend: either, unless one of the two fields begins with ``*``.
    """

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def next_after(self, moment: datetime) -> datetime:
        """The first minute after `moment` that matches."""
        return next(CronSim(self.text, moment))


def parse(text: str) -> Expression:
    """The meaning of a cron expression of five fields, or of a word such as ``@daily``.

    Raises
    ------
    ValueError
        If it is none, or no day ever matches: the field, what stands there and what may stand there.
    """
    fields = _WORDS.get(text.strip().lower(), text).split()
    if len(fields) != len(_FIELDS):
        raise ValueError(_no_five_fields(text, fields))
    written = [
        ",".join(_written(field, item) for item in said.split(","))
        for field, said in zip(_FIELDS, fields, strict=True)
    ]
    try:
        simulated = CronSim(" ".join(written), datetime(2000, 1, 1))
    except CronSimError:  # each field by itself is right
        raise ValueError(f"day of month: no month of {fields[3]!r} has a day {fields[2]!r}") from None
    return Expression(
        text=" ".join(written),
        minutes=frozenset(simulated.minutes),
        hours=frozenset(simulated.hours),
        days=frozenset(simulated.days),
        months=frozenset(simulated.months),
        weekdays=_WEEKDAY.values(written[4]),
        either_day=not (written[2].startswith("*") or written[4].startswith("*")),
    )


def _written(field: _Field, item: str) -> str:
    """An item of a list as every scheduler reads it."""
    matched = _ITEM.fullmatch(item)
    try:
        if matched is None or int(matched["step"] or 1) > field.high:
            raise CronSimError
        values = field.values(item)
    except CronSimError:
        raise ValueError(
            f"{field.name}: {item!r} is none; it takes {field.allowed}, lists (1,5), ranges upwards (1-5), "
            "steps (*/5) and *"
        ) from None
    numbers = re.sub("[A-Za-z]{3}", lambda name: str(*field.values(name[0])), item)
    has_sunday_as_7 = field is _WEEKDAY and "7" in item and not item.startswith("*")
    if _COMMON.fullmatch(numbers) and not has_sunday_as_7:
        return numbers
    return ",".join(map(str, sorted(values)))


def _no_five_fields(text: str, fields: Sequence[str]) -> str:
    number = "one field" if len(fields) == 1 else f"{len(fields)} fields"
    words = f", and words such as @daily: {', '.join(_WORDS)}" if text.strip().startswith("@") else ""
    return (
        f"{text!r} has {number}; a cron expression has five: {FIELDS} ({EVERY_NIGHT!r} is every night at "
        f"two){words}"
    )
