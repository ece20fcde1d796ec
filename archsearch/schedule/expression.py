"""Cron expressions: what is wrong with one, and what a right one means.

Schedulers read them differently: one knows no names of days, another counts the steps of a range from 0. What
is let through is written as all of them read it alike: a field is ``*``, ``*/n``, or numbers and ranges.
"""

import re
from collections.abc import Collection, Mapping, Sequence
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
_STEPS = re.compile(r"\*/([0-9]+)")
_SHORTEST_RANGE = 3


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    attribute: str  # of a CronSim
    high: int
    number: int  # of all its values
    allowed: str

    def values(self, said: str) -> frozenset[int]:
        """What the field stands for.

        Raises
        ------
        ValueError
            If that is none.
        """
        return frozenset[int]().union(*map(self._values, said.split(",")))

    def _values(self, item: str) -> Collection[int]:
        """Those of an item of the list; the library checks it and knows the names."""
        matched = _ITEM.fullmatch(item)
        fields = [item if field is self else "*" for field in _FIELDS]
        try:
            if matched is None or int(matched["step"] or 1) > self.high:
                raise CronSimError
            values = getattr(CronSim(" ".join(fields), datetime(2000, 1, 1)), self.attribute)
        except CronSimError:
            raise ValueError(
                f"{self.name}: {item!r} is none; it takes {self.allowed}, lists (1,5), ranges upwards (1-5), "
                "steps (*/5) and *"
            ) from None
        return {value % 7 for value in values} if self is _WEEKDAY else set(values)


_DAY = _Field("day of month", "days", 31, 31, "1 to 31")
_WEEKDAY = _Field("day of week", "weekdays", 7, 7, "0 to 7 (0 and 7 are Sunday) or sun to sat")
_FIELDS = (
    _Field("minute", "minutes", 59, 60, "0 to 59"),
    _Field("hour", "hours", 23, 24, "0 to 23"),
    _DAY,
    _Field("month", "months", 12, 12, "1 to 12 or jan to dec"),
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
        Whether `days` and `weekdays` both leave some out and a day matches by either; else it has to by both.
        As in Vixie's cron, from which Debian's and cronie descend: either, unless one of them begins with
        ``*``.
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


def parse(text: str, *, has_both_days: bool = True) -> Expression:
    """The meaning of a cron expression of five fields, or of a word such as ``@daily``.

    Parameters
    ----------
    text : str
        As Debian's cron reads it.
    has_both_days : bool
        Whether the scheduler, like cron, can start on days that match both the day of month and the day of
        week: where one of these fields begins with ``*/``. That of Kubernetes (robfig/cron) and that of Slurm
        take such a field for any other, and start on days that match either.

    Raises
    ------
    ValueError
        If it is none, no day ever matches, or the scheduler can't say it: the field, what stands there and
        what may stand there.
    """
    fields = _WORDS.get(text.strip().lower(), text).split()
    if len(fields) != len(_FIELDS):
        raise ValueError(_no_five_fields(text, fields))
    said = dict(zip(_FIELDS, fields, strict=True))
    values = {field: field.values(said[field]) for field in _FIELDS}
    days = _DAY, _WEEKDAY
    restrict_both = all(len(values[field]) < field.number for field in days)
    starred = [field for field in days if said[field].startswith("*")]
    if not starred and not restrict_both:  # every day matches one of them, and that is enough
        values |= {field: field.values("*") for field in days}
    needs_both = starred if restrict_both else []
    if needs_both and not has_both_days:
        raise ValueError(_read_apart(needs_both[0], said))
    written = " ".join(_written(field, said[field], values[field], field in needs_both) for field in _FIELDS)
    try:
        simulated = CronSim(written, datetime(2000, 1, 1))
    except CronSimError:  # each field by itself is right
        raise ValueError(f"{_DAY.name}: no month of {fields[3]!r} has a day {fields[2]!r}") from None
    return Expression(
        text=written,
        minutes=frozenset(simulated.minutes),
        hours=frozenset(simulated.hours),
        days=frozenset(simulated.days),
        months=frozenset(simulated.months),
        weekdays=_WEEKDAY.values(written.split()[-1]),
        either_day=restrict_both and not starred,
    )


def _written(field: _Field, said: str, values: frozenset[int], keeps_star: bool) -> str:
    """A field as every scheduler reads it alike; its ``*`` at the beginning stays where it matters."""
    if len(values) >= field.number:
        return "*"
    first, _, rest = said.partition(",")
    steps = _STEPS.fullmatch(first)
    if steps and keeps_star:
        return ",".join(filter(None, (first, rest and _listed(field.values(rest)))))
    # Slurm counts the steps of a week from Monday.
    if steps and not rest and field is not _WEEKDAY:
        return first
    return _listed(values)


def _listed(values: Collection[int]) -> str:
    """Numbers and ranges, as ``0,8-18``."""
    rows: list[list[int]] = []
    for value in sorted(values):
        if rows and rows[-1][-1] == value - 1:
            rows[-1].append(value)
        else:
            rows.append([value])
    return ",".join(
        f"{row[0]}-{row[-1]}" if len(row) >= _SHORTEST_RANGE else ",".join(map(str, row)) for row in rows
    )


def _read_apart(field: _Field, said: Mapping[_Field, str]) -> str:
    other = _WEEKDAY if field is _DAY else _DAY
    return (
        f"{field.name}: {said[field]!r} beside {other.name} {said[other]!r}: cron starts on days that match "
        "both, this scheduler on days that match either; let one of the two be '*'"
    )


def _no_five_fields(text: str, fields: Sequence[str]) -> str:
    if text.strip().startswith("@"):
        return (
            f"no such word; known are {', '.join(_WORDS)}; every night is @daily, at midnight, or "
            f"{EVERY_NIGHT!r}, at two"
        )
    number = {0: "it is empty", 1: "this is one field"}.get(len(fields), f"these are {len(fields)} fields")
    return f"{number}; a cron expression has five: {FIELDS} ({EVERY_NIGHT!r} is every night at two)"
