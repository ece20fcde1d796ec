"""Diagnoses of a search's trials, each training judged against the others."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from operator import attrgetter
from types import MappingProxyType

from archsearch.diagnosis.inputs import context_of, curves_of
from archsearch.diagnosis.seeds import majority
from archsearch.diagnosis.storage import Judgement, Judgements
from archsearch.diagnosis.values import Context, Diagnosis, Finding, Verdict
from archsearch.diagnosis.verdict import bare_diagnosis, diagnose
from archsearch.records import DataSummary, Reference, Status, TrainingRun, TrialResult

NONE_YET: Judgements = MappingProxyType({})


def judge_trials(
    trials: Sequence[TrialResult],
    data: DataSummary,
    linear: Reference | None = None,
    stored: Judgements = NONE_YET,
    *,
    anew: bool = True,
) -> dict[tuple[int, int], Judgement]:
    """Judge all trainings of a search, each against all others.

    Judged twice: without a reference first, to learn which trainings converged without a fault; these are
    what each other one is measured by (`_reference_loss`).

    Parameters
    ----------
    trials : sequence of TrialResult
        In any order; running ones are left out.
    data : DataSummary
    linear : Reference, optional
    stored : mapping of (trial, seed) to Judgement, optional
        Made before: what still holds is taken from it, only the rest is computed.
    anew : bool
        False takes all that is stored as it is, whatever has become known of the others since.

    Returns
    -------
    dict of (trial, seed) to Judgement
    """
    return _judge(trials, trials, data, linear, stored, anew=anew)


def judge_trial(
    trial: TrialResult,
    earlier: Sequence[TrialResult],
    data: DataSummary,
    linear: Reference | None = None,
    stored: Judgements = NONE_YET,
) -> dict[tuple[int, int], Judgement]:
    """Judge one trial's trainings, against those of the trials before it: as `judge_trials`."""
    others = [other for other in earlier if other.number != trial.number]
    return _judge([trial], [*others, trial], data, linear, stored, anew=True)


def diagnosis_of(trial: TrialResult, judgements: Judgements) -> Diagnosis:
    """The diagnosis of a trial: the majority's of its trainings, or how it ended.

    Parameters
    ----------
    trial : TrialResult
        Ended.
    judgements : mapping of (trial, seed) to Judgement
        With all of its trainings that have whole curves.
    """
    if not trial.runs:
        return _without_curves(trial.status, "")
    if not trial.status.has_result:
        # The seeds before the last may have been good; the trial is not.
        return _of_run(trial, trial.runs[-1], judgements)
    diagnoses = [_of_run(trial, run, judgements) for run in trial.runs]
    return majority(diagnoses, [run.delivered.val_loss if run.delivered else math.nan for run in trial.runs])


def diagnose_trials(
    trials: Sequence[TrialResult], data: DataSummary, linear: Reference | None = None
) -> dict[int, Diagnosis]:
    """The diagnoses of all trials that have ended, by number, with nothing judged before."""
    judgements = judge_trials(trials, data, linear)
    return {trial.number: diagnosis_of(trial, judgements) for trial in _ended(trials)}


def with_diagnosis(trial: TrialResult, diagnosis: Diagnosis) -> TrialResult:
    """The trial with the diagnosis's words and numbers."""
    return replace(
        trial,
        verdict=str(diagnosis.verdict),
        delivered=str(diagnosis.delivered),
        confidence=diagnosis.confidence,
        agreement=diagnosis.agreement.share if diagnosis.agreement else None,
    )


def _judge(
    asked: Sequence[TrialResult],
    known: Sequence[TrialResult],
    data: DataSummary,
    linear: Reference | None,
    stored: Judgements,
    *,
    anew: bool,
) -> dict[tuple[int, int], Judgement]:
    """The judgements of the trials asked for; those that are known are what they are measured by."""
    stored = {key: judgement for key, judgement in stored.items() if judgement.is_current}
    contexts: dict[tuple[int, int], Context] = {}
    unreferenced = {}
    for trial, run in _trainings(known):
        key = (trial.number, run.seed)
        if key in stored:
            unreferenced[key] = stored[key].unreferenced
        else:
            contexts[key] = context_of(trial, run, data)
            unreferenced[key] = diagnose(curves_of(run), contexts[key], confidence=False).verdict
    models = _telling(
        _Model((trial.number, run.seed), run.delivered.train_loss_eval, run.delivered.val_loss)
        for trial, run in _trainings(known)
        if run.delivered and unreferenced[trial.number, run.seed] is Verdict.GOOD
    )
    best_val_loss = _best_val_loss(known, linear)
    judgements = {}
    for trial, run in _trainings(asked):
        key = (trial.number, run.seed)
        context = replace(
            contexts.get(key) or context_of(trial, run, data),
            reference_loss=_reference_loss(key, models, linear),
            best_val_loss=best_val_loss,
        )
        before = stored.get(key)
        judgements[key] = (
            before
            if before and (before.context == context or not anew)
            else Judgement(context, unreferenced[key], diagnose(curves_of(run), context))
        )
    return judgements


def _ended(trials: Iterable[TrialResult]) -> list[TrialResult]:
    return [trial for trial in trials if trial.status.has_ended]


def _trainings(trials: Iterable[TrialResult]) -> Iterator[tuple[TrialResult, TrainingRun]]:
    """The trainings that have whole curves."""
    for trial in _ended(trials):
        for run in trial.runs:
            if run.status.has_result:
                yield trial, run


def _of_run(trial: TrialResult, run: TrainingRun, judgements: Judgements) -> Diagnosis:
    if run.status.has_result:
        return judgements[trial.number, run.seed].diagnosis
    return _without_curves(run.status, run.reason)


def _without_curves(status: Status, reason: str) -> Diagnosis:
    """The diagnosis of a training that left no whole curves, by how it ended."""
    why = f": {reason.rstrip('.')}." if reason else "."
    if status is Status.PRUNED:
        message = f"Stopped for being worse than others{why}"
        finding = Finding("AS002", "Pruned", "not_applicable", {}, message)
        return bare_diagnosis(Verdict.NOT_JUDGED, finding)
    if status is Status.SKIPPED:
        finding = Finding("AS004", "Skipped", "not_applicable", {}, f"Ended by hand{why}")
        return bare_diagnosis(Verdict.NOT_JUDGED, finding)
    if status is Status.DIVERGED:
        finding = Finding("AS100", "Loss is no number", "fault", {}, f"Training diverged{why}")
        return bare_diagnosis(Verdict.DIVERGED, finding)
    finding = Finding("AS003", "Training broke off", "fault", {}, f"Training broke off ({status}){why}")
    return bare_diagnosis(Verdict.INCONCLUSIVE, finding, ("epochs",))


@dataclass(frozen=True, slots=True)
class _Model:
    """A training without a fault, by which others are measured: its losses at the delivered epoch."""

    key: tuple[int, int]
    train: float
    val: float


def _telling(models: Iterable[_Model]) -> list[_Model]:
    """Those that decide any reference: the two lowest by each loss, as none is measured by itself."""
    finite = [model for model in models if math.isfinite(model.train) and math.isfinite(model.val)]
    return nsmallest(2, finite, attrgetter("train")) + nsmallest(2, finite, attrgetter("val"))


def _reference_loss(key: tuple[int, int], models: Sequence[_Model], linear: Reference | None) -> float | None:
    """What a training's loss is measured by: the lowest train loss of another one without a fault.

    One that is overfit must not be it, else a network that memorises would make every other one underfit.
    The linear model is held to the same: it is overfit itself, as on few samples of many pixels, where its
    validation loss is above that of a training that it would have to outdo by its train loss. So it counts
    while there is no other, and where its validation loss is lower than that of them all: against networks
    that are all too small it is the only witness.
    """
    others = [model for model in models if model.key != key]
    levels = [model.train for model in others]
    if linear and not any(model.val < linear.val_loss for model in others):
        levels += _finite([linear.train_loss_eval])
    return min(levels, default=None)


def _best_val_loss(trials: Iterable[TrialResult], linear: Reference | None) -> float | None:
    """Lowest validation loss of any run's delivered epoch; the linear model's where it is lower."""
    delivered = [run.delivered for trial in _ended(trials) for run in trial.runs if run.delivered]
    known = _finite([*(record.val_loss for record in delivered), *([linear.val_loss] if linear else [])])
    return min(known, default=None)


def _finite(losses: Iterable[float]) -> list[float]:
    return [loss for loss in losses if math.isfinite(loss)]
