"""How a search stands: whether somebody runs it, how it ended, and whether that needs somebody."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from archsearch.errors import StoreError
from archsearch.report.words import count
from archsearch.study import Outcome, Place, Store, Summary
from archsearch.study.holding import Holder, holder_of
from archsearch.study.steering import Mailbox

RUNNING = "running"
"""What the record of a search says while a process works on it, and after one was killed."""


class State(StrEnum):
    """How a search stands, for whoever looks after it.

    ``resumable`` was interrupted or killed, and nobody runs it. ``bound_reached`` ended at a bound that was
    set for it, such as its hours, before it had all its trials.
    """

    RUNNING = "running"
    RESUMABLE = "resumable"
    BOUND_REACHED = "bound_reached"
    COMPLETE = "complete"
    FAILED = "failed"


STATES = {
    Outcome.FINISHED: State.COMPLETE,
    Outcome.HOURS_REACHED: State.BOUND_REACHED,
    Outcome.INTERRUPTED: State.RESUMABLE,
    Outcome.ALL_FAILED: State.FAILED,
    Outcome.GIVEN_UP: State.FAILED,
}
"""What becomes of a search that nobody runs."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a search stands at one moment.

    Attributes
    ----------
    summary : Summary
    state : State
    holder : Holder or None
        The process that runs it.
    seconds_left : float or None
        Until it ends, where it runs and that is known.
    added : int
        Architectures that people have added, and no process has taken up; 0 where one runs.
    """

    summary: Summary
    state: State
    holder: Holder | None = None
    seconds_left: float | None = None
    added: int = 0

    @property
    def worked_at(self) -> float:
        """When a process last worked on it, in seconds since 1970-01-01 UTC."""
        return max(self.summary.worked_at, self.holder.at) if self.holder else self.summary.worked_at

    @property
    def outcome(self) -> str | None:
        """How the last process's work on it ended; None while one works on it."""
        if self.state is State.RUNNING:
            return None
        return Outcome.INTERRUPTED if self.summary.status == RUNNING else self.summary.status

    @property
    def reason(self) -> str:
        """Why it stands so, in words; empty where the state says all."""
        summary = self.summary
        recorded = summary.sessions[-1].reason if summary.sessions else ""
        if self.state is State.RUNNING:
            return ""
        if self.state is State.COMPLETE:
            return recorded or ("nothing new is left to try" if summary.ended < summary.total else "")
        if self.state is State.RESUMABLE:
            return recorded or ("killed" if summary.status == RUNNING else "interrupted")
        if self.state is State.BOUND_REACHED:
            return recorded or "its time was up"
        if recorded:
            return recorded
        how = "the last trials all failed" if summary.status == Outcome.GIVEN_UP else "every trial failed"
        return f"{how}, the last one: {summary.failure}" if summary.failure else how


def look(place: Place) -> Standing:
    """How a search stands now.

    Raises
    ------
    StoreError
        If its record can't be read.
    """
    summary, is_held = place.summary(), place.is_held
    if summary.status == RUNNING and not is_held:
        summary = place.summary()  # it was killed, unless it has ended since it was read
    if not is_held:
        state = State.RESUMABLE if summary.status == RUNNING else STATES[Outcome(summary.status)]
        return Standing(summary, state, added=len(Mailbox(place.requests, read_only=True).added()))
    left = _seconds_left(place) if summary.status == RUNNING else None
    return Standing(summary, State.RUNNING, holder_of(place.folder), left)


def _seconds_left(place: Place) -> float | None:
    from archsearch.commands.watched import Watcher  # here, as of many searches few run

    return Watcher(place).look().seconds_left


def places_of(store: Store, searches: Sequence[str]) -> list[Place]:
    """The searches that are named, each once; all of the store where none is.

    Raises
    ------
    SearchNotFound
    StoreError
        If there is no store, or it can't be read.
    """
    if searches:
        return list({place.folder: place for place in map(store.find, searches)}.values())
    if not store.path.is_dir():
        raise StoreError(f"{store.path}: no such store; name the folder with --store")
    return store.searches()


def waiting(added: int) -> str:
    """What is to be said of architectures that were added and not taken up; empty where there are none."""
    verb = "waits" if added == 1 else "wait"
    return f"{count(added, 'added architecture')} {verb} for the next run" if added else ""


def iso(seconds: float) -> str:
    """A moment as programs read it: ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def when(seconds: float) -> str:
    """A moment as people on this machine write it."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
