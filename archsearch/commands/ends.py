"""Why nothing is left of a search to train, or why it has ended before all was trained."""

from collections.abc import Mapping

from archsearch.commands.bounds import Bound, Bounds
from archsearch.commands.result import NOTHING_TO_DO
from archsearch.records import Status
from archsearch.report.words import count
from archsearch.space import SearchSpace
from archsearch.study import Outcome, Place, Record, Search
from archsearch.study.steering import Mailbox
from archsearch.study.store import edit_since

NOTHING_STARTED = "no trial was started"


def why_ended(search: Search, record: Record, outcome: Outcome, bound: Bound) -> str:
    """Why a search has ended before its total, where its outcome alone does not say; else empty."""
    if outcome is Outcome.GIVEN_UP:
        return f"{search.common_failure}; mend that, and the same command goes on"
    if outcome is Outcome.FINISHED:
        return "; ".join(why_fewer(record, search.exhausted))
    return bound.why_ended(search.too_long) if outcome is Outcome.HOURS_REACHED else ""


def count_ended(record: Record) -> int:
    """How many trials have ended."""
    return sum(trial.status.has_ended for trial in record.trials(with_runs=False)[0])


def none_ended(record: Record) -> str:
    """What came of a time in which no trial has ended."""
    started = sum(trial.status is Status.RUNNING for trial in record.trials(with_runs=False)[0])
    if not started:
        return NOTHING_STARTED
    return f"no trial has ended in this time; {count(started, 'trial')} started"


def why_fewer(record: Record, exhausted: Mapping[str, str]) -> list[str]:
    """Why a search that is done has fewer trials than it was to have.

    `exhausted` has the families of which no more trials can be made, with the reasons.
    """
    trials = record.trials(with_runs=False)[0]
    begun = len(trials)
    total = record.total() + sum(trial.by_hand for trial in (*trials, *record.queued()))
    if begun >= total:
        return []
    reasons = [f"{family}: {reason}" for family, reason in exhausted.items()]
    why = "; ".join(reasons) or "nothing new is left to try"
    return [f"{why}; {begun} of {total} trials"]


def bounds_of(space: SearchSpace) -> Bounds:
    """What the space says that its search may take."""
    return Bounds(space.search.hours, space.search.gpu_hours)


def why_nothing_left(place: Place, space: SearchSpace, total: int, gpus: int) -> str | None:
    """Why nothing is to be trained: all is done, or the search's time is used up; None where some is."""
    if not place.record.is_file():
        return None
    with Record.open(place.record, read_only=True) as record:
        trials = record.trials(with_runs=False)[0]
        sessions = record.sessions()
        is_edited = bool(edit_since(record.header(), space).words)
        has_ended = bool(trials) and sessions[-1].status in (Outcome.FINISHED, Outcome.ALL_FAILED)
        # A space can hold fewer new architectures than trials were asked for.
        is_exhausted = has_ended and record.total() == total and not is_edited
        is_time_up = bounds_of(space).is_used_up(sessions, gpus)
        waits = Mailbox(place.requests).added() or any(trial.by_hand for trial in record.queued())
    is_running = any(trial.status is Status.RUNNING for trial in trials)
    counted = sum(not trial.by_hand for trial in trials)
    if not is_running and not waits and (counted >= total or is_exhausted):
        return NOTHING_TO_DO
    return Outcome.HOURS_REACHED if is_time_up else None
