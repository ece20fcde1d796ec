"""What to try next against the fault of a trial."""

from archsearch.diagnosis import Diagnosis
from archsearch.records import DataSummary, TrialResult
from archsearch.remedies import Remedy, remedies
from archsearch.report.values import NextTrial

SHOWN = 3
"""Remedies on a card: after three a reader has another diagnosis to go by."""


def next_trials(trial: TrialResult, diagnosis: Diagnosis | None, data: DataSummary) -> tuple[NextTrial, ...]:
    """The first remedies for a trial; none where it was not judged or has no fault."""
    if diagnosis is None:
        return ()
    advised = remedies(diagnosis, trial.architecture, trial.recipe, data)
    return tuple(NextTrial(remedy.title, _changed(remedy, trial)) for remedy in advised[:SHOWN])


def _changed(remedy: Remedy, trial: TrialResult) -> str:
    if remedy.architecture != trial.architecture:
        return remedy.architecture.notation
    notation = remedy.recipe.notation
    return notation if notation != trial.recipe.notation else ""
