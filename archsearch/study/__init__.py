"""The study: a durable record, Optuna over it, and the search loop."""

from archsearch.study.record import Header, Mirrored, Record, Session
from archsearch.study.search import (
    EpochMeasured,
    Notify,
    Outcome,
    Search,
    SearchEvent,
    SearchStarted,
    TrialEnded,
    TrialStarted,
)
from archsearch.study.store import Place, Store

__all__ = [
    "EpochMeasured",
    "Header",
    "Mirrored",
    "Notify",
    "Outcome",
    "Place",
    "Record",
    "Search",
    "SearchEvent",
    "SearchStarted",
    "Session",
    "Store",
    "TrialEnded",
    "TrialStarted",
]
