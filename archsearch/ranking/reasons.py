"""Why a trial has its rank, in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from archsearch.diagnosis import Diagnosis, Finding, Verdict
from archsearch.diagnosis.rules import NotConverged, SmallValidationSet
from archsearch.records import TrialResult

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
    if index and indistinguishable(candidates[0], candidate):
        samples = validation_samples(candidate.diagnosis)
        sentences.append(f"By its score it cannot be told apart from rank 1 on {samples} validation samples.")
    return " ".join(sentences)


def indistinguishable(one: Scored, other: Scored) -> bool:
    """Whether the difference of two scores is smaller than the noise; False where the noise is not known."""
    noise = score_noise(one, other)
    return noise is not None and abs(one.score - other.score) < noise


def score_noise(one: Scored, other: Scored) -> float | None:
    """Standard error of the difference of two validation losses, in nats; None where not known.

    The larger spread over samples, divided by √n. Both losses are means over the same samples; if these are
    correlated by one half or more, as those of networks trained on the same data are, the difference varies
    no more than the more variable of the two: var(a − b) = 2 (1 − ρ) s² ≤ s².
    """
    samples = validation_samples(one.diagnosis) or validation_samples(other.diagnosis)
    spreads = [
        run.val_loss_spread
        for trial in (one.trial, other.trial)
        for run in trial.runs
        if run.val_loss_spread is not None and math.isfinite(run.val_loss_spread)
    ]
    if not samples or not spreads:
        return None
    return max(spreads) / math.sqrt(samples)


def validation_samples(diagnosis: Diagnosis) -> int:
    """Validation samples behind a diagnosis; 0 where not known."""
    found = (finding for finding in diagnosis.findings if finding.code == SmallValidationSet.code)
    return next((int(finding.evidence.get("n_val", 0)) for finding in found), 0)


def deciding(diagnosis: Diagnosis) -> Finding:
    """The finding that says most about the verdict: the first fault, else how the run converged."""
    faults = [finding for finding in diagnosis.findings if finding.outcome == "fault"]
    convergence = [finding for finding in diagnosis.findings if finding.code == NotConverged.code]
    return [*faults, *convergence, *diagnosis.findings][0]


def _verdict(diagnosis: Diagnosis) -> str:
    words = WORDS[diagnosis.verdict].capitalize()
    if diagnosis.delivered is not diagnosis.verdict:
        words += f", with {WORDS[diagnosis.delivered]} weights delivered"
    return f"{words}: {_lower_first(deciding(diagnosis).message)}"


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
