"""The study: a durable record, Optuna over it, and the search loop.

The loop and what it proposes from come when they are first asked for: whoever only looks at searches needs
neither Optuna nor the language of spaces.
"""

from typing import TYPE_CHECKING

from archsearch.late import late
from archsearch.study.events import (
    EpochMeasured,
    Notify,
    Outcome,
    Remark,
    SearchEvent,
    SearchFound,
    SearchStarted,
    TrialEnded,
    TrialStarted,
)
from archsearch.study.record import Record
from archsearch.study.store import Place, Store
from archsearch.study.summary import Summary
from archsearch.study.values import Header, Mirrored, Session

if TYPE_CHECKING:
    from archsearch.study.candidates import (
        Candidate,
        Complete,
        Sample,
        seeds_of,
        space_completer,
        space_sampler,
    )
    from archsearch.study.search import Search

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
    "SearchFound",
    "SearchStarted",
    "Session",
    "Store",
    "Summary",
    "TrialEnded",
    "TrialStarted",
    "seeds_of",
    "space_completer",
    "space_sampler",
]

__getattr__ = late(
    __name__,
    {
        "candidates": ("Candidate", "Complete", "Sample", "seeds_of", "space_completer", "space_sampler"),
        "search": ("Search",),
    },
)
