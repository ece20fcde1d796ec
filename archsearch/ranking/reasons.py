"""Why a trial has its rank, in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import variance
from typing import Protocol

from archsearch.diagnosis import Diagnosis, Finding, Verdict
from archsearch.ranking.score import score
from archsearch.records import TrialResult

CONVERGED, VALIDATION_SAMPLES = "AS501", "AS703"
"""Codes of the findings on how a run converged and on the size of the validation set."""

WORDS = {verdict: verdict.value.replace("_", " ") for verdict in Verdict}
"""Verdicts as they stand in a sentence."""


class Scored(Protocol):
    """A trial with its diagnosis and its score."""

    @property
    def trial(self) -> TrialResult: ...  # noqa: D102
    @property
    def diagnosis(self) -> Diagnosis: ...  # noqa: D102
    @property
    def score(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trial that can be ranked, with what it is sorted by."""

    trial: TrialResult
    diagnosis: Diagnosis
    tier: int
    score: float


def reason(candidates: Sequence[Candidate], index: int) -> str:
    """One to three sentences on the place of one candidate among the sorted ones."""
    candidate = candidates[index]
    sentences = [_verdict(candidate.diagnosis)]
    if len(candidates) == 1:
        return " ".join([*sentences, "It is the only trial ranked."])
    neighbour = candidates[index - 1] if index else candidates[1]
    place = index if index else 2
    if neighbour.tier != candidate.tier:
        side = "below" if index else "above"
        because = f"{WORDS[neighbour.diagnosis.verdict]}, which counts before the score"
        sentences.append(f"It ranks {side} rank {place}, {because}.")
    else:
        difference = abs(candidate.score - neighbour.score)
        side = "above" if index else "below"
        sentences.append(
            f"Its score of {candidate.score:.4g} is {difference:.2g} {side} that of rank {place}."
        )
    noise = score_noise(candidates[0], candidate) if index else None
    if noise and abs(candidates[0].score - candidate.score) < noise.error:
        sentences.append(f"By its score it cannot be told apart from rank 1 {noise.source}.")
    return " ".join(sentences)


@dataclass(frozen=True, slots=True)
class Noise:
    """How far the difference of two scores can be trusted.

    Attributes
    ----------
    error : float
        Standard error of the difference, in nats.
    samples : int
        Validation samples whose choice is in it; 0 where it is not known.
    seeds : int
        Seeds whose choice is in it; 0 where there is one only.
    """

    error: float
    samples: int
    seeds: int

    @property
    def source(self) -> str:
        """What makes the noise, as it stands in a sentence."""
        between = f"between {self.seeds} seeds" if self.seeds else ""
        on = f"on {self.samples} validation samples" if self.samples else ""
        return " and ".join(filter(None, (between, on)))


def indistinguishable(one: Scored, other: Scored) -> bool:
    """Whether the difference of two scores is smaller than the noise; False where the noise is not known."""
    noise = score_noise(one, other)
    return noise is not None and abs(one.score - other.score) < noise.error


def score_noise(one: Scored, other: Scored) -> Noise | None:
    """Standard error of the difference of two scores, in nats; None where nothing is known of it.

    Two independent sources, whose variances add up (Bouthillier et al. 2021, "Accounting for variance in
    machine learning benchmarks"): the validation samples, drawn once for both (`_sampling_error`), and the
    seeds, drawn anew for each (`_seeds_error`).
    """
    sampling, seeds = _sampling_error(one, other), _seeds_error(one, other)
    if sampling is None and seeds is None:
        return None
    return Noise(
        error=math.hypot(sampling or 0.0, seeds or 0.0),
        samples=0 if sampling is None else _samples(one, other),
        seeds=0 if seeds is None else min(len(one.trial.runs), len(other.trial.runs)),
    )


def _sampling_error(one: Scored, other: Scored) -> float | None:
    """The larger spread over samples, divided by √n.

    Both losses are means over the same samples; if these are correlated by one half or more, as those of
    networks trained on the same data are, the difference varies no more than the more variable of the two:
    var(a − b) = 2 (1 − ρ) s² ≤ s².
    """
    samples = _samples(one, other)
    spreads = [
        run.val_loss_spread
        for trial in (one.trial, other.trial)
        for run in trial.runs
        if run.val_loss_spread is not None and math.isfinite(run.val_loss_spread)
    ]
    if not samples or not spreads:
        return None
    return max(spreads) / math.sqrt(samples)


def _seeds_error(one: Scored, other: Scored) -> float | None:
    """Standard error of the difference of two means over seeds: √(s₁²/k₁ + s₂²/k₂) (Welch 1947).

    The seeds of two trials have nothing in common but their numbers: other shapes of weights are drawn.
    """
    variances = []
    for trial in (one.trial, other.trial):
        scores = [value for run in trial.runs if (value := score(run.epochs)) is not None]
        if len(scores) < 2:
            return None
        variances.append(variance(scores) / len(scores))
    return math.sqrt(sum(variances))


def _samples(one: Scored, other: Scored) -> int:
    return validation_samples(one.diagnosis) or validation_samples(other.diagnosis)


def validation_samples(diagnosis: Diagnosis) -> int:
    """Validation samples behind a diagnosis; 0 where not known."""
    found = (finding for finding in diagnosis.findings if finding.code == VALIDATION_SAMPLES)
    return next((int(finding.evidence.get("n_val", 0)) for finding in found), 0)


def deciding(diagnosis: Diagnosis) -> Finding:
    """The finding that says most about the verdict: the first fault, else how the run converged."""
    faults = [finding for finding in diagnosis.findings if finding.outcome == "fault"]
    convergence = [finding for finding in diagnosis.findings if finding.code == CONVERGED]
    return [*faults, *convergence, *diagnosis.findings][0]


def _verdict(diagnosis: Diagnosis) -> str:
    words = WORDS[diagnosis.verdict].capitalize()
    if diagnosis.agreement:
        words += f" in {diagnosis.agreement.words} seeds"
    if diagnosis.delivered is not diagnosis.verdict:
        words += f", with {WORDS[diagnosis.delivered]} weights delivered"
    return f"{words}: {_lower_first(deciding(diagnosis).message)}"


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
