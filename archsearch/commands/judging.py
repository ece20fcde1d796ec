"""Judge a search's trials against each other, and keep in its record what had to be judged."""

from collections.abc import Sequence
from contextlib import suppress

from archsearch.commands.result import Judged, judge
from archsearch.diagnosis import Judgements
from archsearch.errors import StorageFull, StoreError
from archsearch.records import TrialResult
from archsearch.study import Mirrored, Place, Record

News = tuple[list[TrialResult], Judgements]
"""Trials whose verdict has changed, and the judgements that have."""


def judged_and_kept(record: Record) -> Judged:
    """Judge all trials of a record against each other, and store what that changes."""
    snapshot, stored = record.snapshot(), record.judgements()
    judged = judge(snapshot, stored)
    news = _news(judged, snapshot.trials, stored)
    if any(news):
        record.put_judgements(*news)
    return judged


def judged_as_it_stands(place: Place) -> tuple[Judged, Mirrored | None]:
    """Judge a search that may be running, and store what that changes where nothing is in the way.

    In the way are a process that runs the search, and files that can't be written. The search is not held
    for it: whoever wants to run it finds it free.

    Parameters
    ----------
    place : Place

    Returns
    -------
    Judged
    Mirrored or None
        How far MLflow is in line with the record.
    """
    with Record.open(place.record, read_only=True) as record:
        revision, stored, mirrored = record.revision(), record.judgements(), record.mirrored()
    snapshot = place.snapshot()
    judged = judge(snapshot, stored)
    news = _news(judged, snapshot.trials, stored)
    if any(news):
        with suppress(StoreError, StorageFull):
            _store(place, news, revision)
    return judged, mirrored


def _store(place: Place, news: News, revision: int) -> None:
    """Store what was judged at a revision, unless somebody has worked on the search since."""
    if not place.is_held:
        with Record.open(place.record) as record:
            record.put_judgements(*news, at=revision)


def _news(judged: Judged, before: Sequence[TrialResult], stored: Judgements) -> News:
    pairs = zip(judged.snapshot.trials, before, strict=True)
    trials = [trial for trial, earlier in pairs if _verdict_of(trial) != _verdict_of(earlier)]
    return trials, {key: each for key, each in judged.judgements.items() if each is not stored.get(key)}


def _verdict_of(trial: TrialResult) -> tuple[object, ...]:
    return trial.verdict, trial.delivered, trial.confidence, trial.agreement
