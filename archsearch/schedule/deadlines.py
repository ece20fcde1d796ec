"""When a CronJob starts its Jobs, and when at the latest they end."""

from dataclasses import dataclass

from archsearch.errors import Refused
from archsearch.schedule.job import Job
from archsearch.schedule.moments import read
from archsearch.schedule.needs import REPORT_MINUTES, needs_of
from archsearch.schedule.spans import span, zone_in_cluster

# A Job's time counts from its creation: a node has to be found and the image to be loaded, too.
MARGIN_MINUTES = 60

# So late a start may be made up for. With --until no later than this, since the Job ends so much later, too.
LATEST_START_SECONDS = 3600
LATEST_START_SECONDS_UNTIL = 600


@dataclass(frozen=True, slots=True)
class Interval:
    """From the start of a job to the next time that its ``until`` names.

    Attributes
    ----------
    seconds : int
        As `archsearch.schedule.spans.span` has them.
    zone : str
        The time zone of both, by its IANA name.
    """

    seconds: int
    zone: str


def interval(job: Job) -> Interval | None:
    """What ``until`` leaves each start; None where that differs from start to start, or there is none."""
    if job.at is None or job.until is None:
        return None
    zone = zone_in_cluster(job.until)
    seconds = span(job.at, job.until, zone)
    return None if seconds is None else Interval(seconds, zone.key)


def start_lines(job: Job) -> str:
    """The time zone and the deadline of starts, for the ``spec`` of a CronJob."""
    left = interval(job)
    if left is None:
        return f"""\
# That is in the time zone of the control plane, mostly UTC, unless another one is named:
# timeZone: Europe/Berlin
# A start that was missed is made up for within an hour. Without this, a hundred missed ones are the end.
startingDeadlineSeconds: {LATEST_START_SECONDS}
"""
    return f"""\
# That, and the time of --until: its time zone, or UTC where it names none.
timeZone: {left.zone}
# A start that was missed is made up for within ten minutes, as its Job ends so much later, too. Without this,
# a hundred missed ones are the end.
startingDeadlineSeconds: {LATEST_START_SECONDS_UNTIL}
"""


def end_lines(job: Job) -> str:
    """The deadline of a Job, for its ``spec``.

    Raises
    ------
    Refused
        If ``until`` is all that bounds it, and a Pod that comes after that time would run to that of the next
        day.
    """
    left, minutes = interval(job), needs_of([job]).minutes
    by_until = left.seconds + REPORT_MINUTES * 60 if left else None
    by_hours = None if minutes is None else (minutes + MARGIN_MINUTES) * 60
    if by_until is not None and (by_hours is None or by_until < by_hours):
        return f"""\
# The search ends by itself at the time of --until; then come its report and MLflow. This ends a Pod that came
# after that time (its node was found late, or it goes on for another one): it would run to that of the next
# day. Everything is saved then, too.
activeDeadlineSeconds: {by_until}
"""
    if by_hours is not None:
        return f"""\
# The search ends by itself after its hours. This ends it where it has waited long for a node, or was started
# again; everything is saved then, too.
activeDeadlineSeconds: {by_hours}
"""
    if job.until is not None and read(job.until).day is None:
        raise Refused(_unbounded(job, job.until))
    return ""


def _unbounded(job: Job, until: str) -> str:
    late = f"job {job.name}: a Pod that comes late would run to --until {until!r} of the next day"
    if job.at is None:
        return f"{late}; give --hours, too, or the day: --until '2026-12-01 06:00'"
    return f"{late}, and how late that is differs between the starts of {job.at!r}; give --hours, too"
