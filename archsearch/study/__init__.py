"""The study: a durable record, Optuna over it, and the search loop."""

from archsearch.study.candidates import (
    Candidate,
    Complete,
    Sample,
    seeds_of,
    space_completer,
    space_sampler,
)
from archsearch.study.events import (
    EpochMeasured,
    Notify,
    Outcome,
    Remark,
    SearchEvent,
    SearchStarted,
    TrialEnded,
    TrialStarted,
)
from archsearch.study.record import Record
from archsearch.study.search import Search
from archsearch.study.store import Place, Store
from archsearch.study.values import Header, Mirrored, Session

__all__ = [
    "Candidate",
    "Complete",
    "EpochMeasured",
    "Header",
    "Mirrored",
    "Notify",
    "Outcome",
    "Place",
    "Record",
    "Remark",
    "Sample",
    "Search",
    "SearchEvent",
    "SearchStarted",
    "Session",
    "Store",
    "TrialEnded",
    "TrialStarted",
    "seeds_of",
    "space_completer",
    "space_sampler",
]
