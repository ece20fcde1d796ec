"""What is told of a search while it runs, and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from archsearch.records import EpochRecord, TrialResult


class Outcome(StrEnum):
    """How a process's work on a search ended."""

    FINISHED = "finished"
    HOURS_REACHED = "hours_reached"
    INTERRUPTED = "interrupted"
    ALL_FAILED = "all_failed"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class SearchFound:
    """Which search a process is to take up: its id."""

    search: str


@dataclass(frozen=True, slots=True)
class SearchStarted:
    """A process takes the search up: trials it is to have, and those that ended before."""

    total: int
    ended: tuple[TrialResult, ...]


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A trial's training starts."""

    trial: TrialResult


@dataclass(frozen=True, slots=True)
class EpochMeasured:
    """An epoch of a trial is recorded."""

    trial: TrialResult
    epoch: EpochRecord
    seed: int


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """A trial is recorded and judged."""

    trial: TrialResult


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that whoever runs the search should know."""

    text: str


SearchEvent = SearchFound | SearchStarted | TrialStarted | EpochMeasured | TrialEnded | Remark
Notify = Callable[[SearchEvent], None]
