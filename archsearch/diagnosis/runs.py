"""Diagnoses of a search's trials, each judged against the others."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from archsearch.architecture import AnyArchitecture, HyperModelArchitecture
from archsearch.diagnosis.values import Context, Curves, Diagnosis, Finding, Verdict
from archsearch.diagnosis.verdict import bare_diagnosis, diagnose
from archsearch.records import DataSummary, Reference, Status, TrainingRun, TrialResult

WORST_FIRST = (
    Verdict.DIVERGED,
    Verdict.NOT_LEARNING,
    Verdict.UNSTABLE,
    Verdict.OVERFIT,
    Verdict.UNDERFIT,
    Verdict.NOT_CONVERGED,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_JUDGED,
    Verdict.GOOD,
)
"""Decides where as many runs have one verdict as another."""


def diagnose_trials(
    trials: Sequence[TrialResult], data: DataSummary, linear: Reference | None = None
) -> dict[int, Diagnosis]:
    """Judge all trials of a search, each against all others.

    Judged twice: without a reference first, to learn which runs converged without a fault; the lowest train
    loss among the *other* trials' such runs, or of the linear model if lower, is then each trial's
    reference. One that is overfit itself must not be it, else a network that memorises would make every
    other one underfit.

    Parameters
    ----------
    trials : sequence of TrialResult
        In any order; running ones are left out.
    data : DataSummary
    linear : Reference, optional

    Returns
    -------
    dict of int to Diagnosis
        By trial number.
    """
    ended = [trial for trial in trials if trial.status is not Status.RUNNING]
    unreferenced = {trial.number: _diagnose(trial, data, None, None) for trial in ended}
    levels = {
        trial.number: _reference_level(trial)
        for trial in ended
        if unreferenced[trial.number].verdict is Verdict.GOOD
    }
    best = _best_val_loss(ended, linear)
    return {
        trial.number: _diagnose(trial, data, _lowest(_without(levels, trial.number), linear), best)
        for trial in ended
    }


def diagnose_trial(
    trial: TrialResult, earlier: Sequence[TrialResult], data: DataSummary, linear: Reference | None = None
) -> Diagnosis:
    """Judge one trial against those before it, by the verdicts that these already carry.

    Parameters
    ----------
    trial : TrialResult
        Ended.
    earlier : sequence of TrialResult
        Those without a verdict are judged here, without a reference.
    data : DataSummary
    linear : Reference, optional
    """
    ended = [other for other in earlier if other.status is not Status.RUNNING]
    others = [other for other in ended if other.number != trial.number]
    levels = [
        _reference_level(other)
        for other in others
        if (other.verdict or _diagnose(other, data, None, None).verdict) == Verdict.GOOD
    ]
    return _diagnose(trial, data, _lowest(levels, linear), _best_val_loss([*others, trial], linear))


def majority(diagnoses: Sequence[Diagnosis]) -> Diagnosis:
    """The first diagnosis with the verdict that most have; of equally frequent ones the worse."""
    counts = Counter(diagnosis.verdict for diagnosis in diagnoses)
    verdict = max(counts, key=lambda verdict: (counts[verdict], -WORST_FIRST.index(verdict)))
    return next(diagnosis for diagnosis in diagnoses if diagnosis.verdict is verdict)


def _diagnose(
    trial: TrialResult, data: DataSummary, reference_loss: float | None, best_val_loss: float | None
) -> Diagnosis:
    if not trial.runs:
        return _without_curves(trial.status, "")
    if trial.status is not Status.COMPLETED:
        ended_by = trial.runs[-1]  # the seeds before it may have been good; the trial is not
        return _diagnose_run(trial, ended_by, data, reference_loss, best_val_loss)
    return majority([_diagnose_run(trial, run, data, reference_loss, best_val_loss) for run in trial.runs])


def _diagnose_run(
    trial: TrialResult, run: TrainingRun, data: DataSummary, reference: float | None, best_val: float | None
) -> Diagnosis:
    if run.status is not Status.COMPLETED:
        return _without_curves(run.status, run.reason)
    context = Context(
        prior_entropy=data.prior_entropy,
        n_val=data.n_val,
        val_loss_spread=run.val_loss_spread,
        reference_loss=reference,
        best_val_loss=best_val,
        early_stopped=run.early_stopped,
        planned_epochs=trial.recipe.epochs,
        dropout=_has_dropout(trial.architecture),
        delivered_epoch=run.delivered_epoch,
    )
    return diagnose(curves_of(run), context)


def curves_of(run: TrainingRun) -> Curves:
    """The loss curves of one training."""
    return Curves(
        train_loss=[record.train_loss for record in run.epochs],
        val_loss=[record.val_loss for record in run.epochs],
        train_loss_eval=[record.train_loss_eval for record in run.epochs],
    )


def _has_dropout(architecture: AnyArchitecture) -> bool:
    if isinstance(architecture, HyperModelArchitecture):
        # What its code does is not known; its users call a dropout rate by that name.
        return any("dropout" in name.lower() and bool(value) for name, value in architecture.values)
    rates = [block.dropout for block in architecture.conv] + [block.dropout for block in architecture.dense]
    return any(rate > 0 for rate in rates)


def _without_curves(status: Status, reason: str) -> Diagnosis:
    """The diagnosis of a training that left no whole curves, by how it ended."""
    why = f": {reason.rstrip('.')}." if reason else "."
    if status is Status.PRUNED:
        message = f"Stopped for being worse than others{why}"
        finding = Finding("AS002", "Pruned", "not_applicable", {}, message)
        return bare_diagnosis(Verdict.NOT_JUDGED, finding)
    if status is Status.DIVERGED:
        finding = Finding("AS100", "Loss is no number", "fault", {}, f"Training diverged{why}")
        return bare_diagnosis(Verdict.DIVERGED, finding)
    finding = Finding("AS003", "Training broke off", "fault", {}, f"Training broke off ({status}){why}")
    return bare_diagnosis(Verdict.INCONCLUSIVE, finding, ("epochs",))


def _reference_level(trial: TrialResult) -> float:
    """Lowest train loss in inference mode at a delivered epoch; infinity if there is none."""
    delivered = [run.delivered for run in trial.runs if run.delivered is not None]
    return min(_finite(record.train_loss_eval for record in delivered), default=math.inf)


def _without(levels: dict[int, float], number: int) -> list[float]:
    return [level for other, level in levels.items() if other != number]


def _lowest(levels: Iterable[float], linear: Reference | None) -> float | None:
    known = _finite([*levels, *([linear.train_loss_eval] if linear else [])])
    return min(known, default=None)


def _best_val_loss(trials: Iterable[TrialResult], linear: Reference | None) -> float | None:
    """Lowest validation loss of any run's delivered epoch; the linear model's where it is lower."""
    delivered = [run.delivered for trial in trials for run in trial.runs if run.delivered is not None]
    known = _finite([*(record.val_loss for record in delivered), *([linear.val_loss] if linear else [])])
    return min(known, default=None)


def _finite(losses: Iterable[float]) -> list[float]:
    return [loss for loss in losses if math.isfinite(loss)]
