"""The order of trials: by tier of verdict, then by score, then by number."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, TypeVar

from archsearch.diagnosis import Diagnosis, Verdict
from archsearch.ranking.reasons import Candidate, reason
from archsearch.ranking.score import trial_score
from archsearch.records import TrialResult

TIERS: Mapping[Verdict, int] = {
    Verdict.GOOD: 1,
    Verdict.NOT_CONVERGED: 2,
    Verdict.INCONCLUSIVE: 2,
    Verdict.NOT_JUDGED: 2,
    Verdict.OVERFIT: 3,
    Verdict.UNDERFIT: 3,
    Verdict.UNSTABLE: 3,
    Verdict.DIVERGED: 4,
    Verdict.NOT_LEARNING: 4,
}
"""Tier of a run's verdict: no fault, may be good, a fault in how it converged, no model at all."""

GOOD_WEIGHTS_TIER = 2
"""Tier of a run with a fault whose delivered weights are good."""


class Rankable(Protocol):
    """All of a trial that its place among others rests on."""

    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def score(self) -> float | None: ...  # noqa: D102
    @property
    def verdict(self) -> str | None: ...  # noqa: D102
    @property
    def delivered(self) -> str | None: ...  # noqa: D102


T = TypeVar("T", bound=Rankable)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One trial in its place.

    Attributes
    ----------
    rank : int
        Counted from 1.
    trial : TrialResult
    diagnosis : Diagnosis
    score : float
        What it is sorted by within its tier; lower is better.
    val_loss : float
        At the delivered epoch, mean over the runs.
    gap : float
        Generalization gap at the delivered epoch: validation loss minus train loss in inference mode, mean
        over the runs. It does not count in the ranking: a small gap is what an underfit network has too.
    val_accuracy : float
        At the delivered epoch, mean over the runs.
    reason : str
        Why it has this rank, in plain words.
    """

    rank: int
    trial: TrialResult
    diagnosis: Diagnosis
    score: float
    val_loss: float
    gap: float
    val_accuracy: float
    reason: str


def tier(diagnosis: Diagnosis) -> int:
    """Tier of a diagnosis, 1 (best) to 4.

    ==== ===================================================================================
    tier what it holds
    ==== ===================================================================================
    1    run good
    2    run with a fault but delivered weights good; not converged; inconclusive
    3    overfit, underfit, unstable
    4    diverged, not learning
    ==== ===================================================================================
    """
    return _tier(diagnosis.verdict, diagnosis.delivered)


def _tier(verdict: Verdict, delivered: Verdict) -> int:
    of_run = TIERS[verdict]
    return min(of_run, GOOD_WEIGHTS_TIER) if delivered is Verdict.GOOD else of_run


def rank(trials: Sequence[TrialResult], diagnoses: Mapping[int, Diagnosis]) -> tuple[Ranked, ...]:
    """Order the trials with a result, completed or stopped, that have a finite score.

    Parameters
    ----------
    trials : sequence of TrialResult
        In any order: the result does not depend on it.
    diagnoses : mapping of int to Diagnosis
        By trial number.

    Returns
    -------
    tuple of Ranked
        Best first. The score that was stored with a trial is used where there is one.
    """
    candidates = sorted(
        _candidates(trials, diagnoses), key=lambda each: (each.tier, each.score, each.trial.number)
    )
    return tuple(_placed(candidates, index) for index in range(len(candidates)))


def leader(trials: Iterable[T]) -> T | None:
    """The best so far by stored verdicts and scores, without judging all trials anew."""
    return next(iter(by_rank(trials)), None)


def by_rank(trials: Iterable[T]) -> list[T]:
    """The trials with a score and a verdict, the best first, as they were last judged."""
    placed = [
        (_tier_of(trial.verdict, trial.delivered), trial.score, trial.number, trial)
        for trial in trials
        if trial.score is not None and trial.verdict and trial.delivered
    ]
    return [trial for *_, trial in sorted(placed, key=lambda place: place[:-1])]


@cache
def _tier_of(verdict: str, delivered: str) -> int:
    """From the words that are stored: of many searches there are thousands, of few kinds."""
    return _tier(Verdict(verdict), Verdict(delivered))


def _candidates(trials: Sequence[TrialResult], diagnoses: Mapping[int, Diagnosis]) -> list[Candidate]:
    candidates = []
    for trial in trials:
        value = trial.score if trial.score is not None else trial_score(trial.runs)
        if trial.status.has_result and value is not None and math.isfinite(value):
            diagnosis = diagnoses[trial.number]
            candidates.append(Candidate(trial, diagnosis, tier(diagnosis), value))
    return candidates


def _placed(candidates: Sequence[Candidate], index: int) -> Ranked:
    candidate = candidates[index]
    known = [run.delivered for run in candidate.trial.runs if run.delivered is not None]
    return Ranked(
        rank=index + 1,
        trial=candidate.trial,
        diagnosis=candidate.diagnosis,
        score=candidate.score,
        val_loss=_mean([record.val_loss for record in known]),
        gap=_mean([record.val_loss - record.train_loss_eval for record in known]),
        val_accuracy=_mean([record.val_accuracy for record in known]),
        reason=reason(candidates, index),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
