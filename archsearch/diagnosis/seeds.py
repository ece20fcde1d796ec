"""One diagnosis for several trainings that are alike but for their seeds."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import mean, stdev

from archsearch.diagnosis.values import Agreement, Diagnosis, Finding, Verdict

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
"""Decides where as many trainings have one verdict as another."""

OTHER_VERDICTS = len(Verdict) - 2
"""Verdicts that curves may have instead of the one that was given: all but this one and ``not_judged``."""

SEEDS_DISAGREE = ("AS801", "Seeds disagree")
FLAG = "seeds_disagree"


def majority(diagnoses: Sequence[Diagnosis], val_losses: Sequence[float] | None = None) -> Diagnosis:
    """The diagnosis of a trial from those of its trainings; the order of the seeds changes nothing in it.

    The verdict is the one that most have, of equally frequent ones the worse. Among the trainings with this
    verdict, the verdict of the delivered weights is chosen in the same way, and of those with both the one
    whose validation loss is the median speaks for the trial: its findings and flags are the trial's.

    Parameters
    ----------
    diagnoses : sequence of Diagnosis
        Of at least one training.
    val_losses : sequence of float, optional
        At each training's delivered epoch, in the same order; NaN where there is none.

    Returns
    -------
    Diagnosis
        Of a single training its own. Of several, one with `Diagnosis.agreement` and a finding on it.
    """
    if len(diagnoses) == 1:
        return diagnoses[0]
    losses = tuple(val_losses) if val_losses is not None else (math.nan,) * len(diagnoses)
    verdict = _most_frequent(each.verdict for each in diagnoses)
    alike = [pair for pair in zip(losses, diagnoses, strict=True) if pair[1].verdict is verdict]
    delivered = _most_frequent(each.delivered for _, each in alike)
    typical = _median([pair for pair in alike if pair[1].delivered is delivered])
    verdicts = tuple(each.verdict for each in diagnoses)
    agreement = Agreement(verdicts, len(alike) / len(diagnoses), losses, _spread(losses))
    finding = _finding(agreement)
    return replace(
        typical,
        flags=(*typical.flags, FLAG) if finding.flag else typical.flags,
        findings=(*typical.findings, finding),
        missing=tuple(sorted({name for each in diagnoses for name in each.missing})),
        confidence=_pooled(diagnoses, verdict),
        agreement=agreement,
    )


def _most_frequent(verdicts: Iterable[Verdict]) -> Verdict:
    return _by_frequency(verdicts)[0][0]


def _by_frequency(verdicts: Iterable[Verdict]) -> list[tuple[Verdict, int]]:
    return sorted(Counter(verdicts).items(), key=lambda item: (-item[1], WORST_FIRST.index(item[0])))


def _median(alike: Sequence[tuple[float, Diagnosis]]) -> Diagnosis:
    """The diagnosis with the (lower) median loss; between equal losses its content decides, not its place."""
    ordered = sorted(alike, key=lambda pair: (math.isnan(pair[0]), pair[0], repr(pair[1])))
    return ordered[(len(ordered) - 1) // 2][1]


def _spread(losses: Sequence[float]) -> float:
    finite = [loss for loss in losses if math.isfinite(loss)]
    return float(stdev(finite)) if len(finite) > 1 else math.nan


def _pooled(diagnoses: Sequence[Diagnosis], verdict: Verdict) -> float | None:
    """Probability that a training with a seed drawn at random deserves the majority's verdict.

    The mean over the seeds of the probability that each gives it, by the law of total probability: the linear
    opinion pool (Stone 1961, Ann. Math. Stat. 32, 1339). A training of another verdict gives it an equal part
    of its doubt. Seeds that agree and are equally sure keep their confidence; those that disagree lower it.
    """
    shares = []
    for each in diagnoses:
        if each.confidence is None:
            return None
        doubt = 1 - each.confidence
        shares.append(each.confidence if each.verdict is verdict else doubt / OTHER_VERDICTS)
    return float(mean(shares))  # exact, where a sum of floats would depend on the order


def _finding(agreement: Agreement) -> Finding:
    seeds = len(agreement.verdicts)
    (verdict, first), *others = _by_frequency(agreement.verdicts)
    parts = [f"{first} of {seeds} seeds {_are(first)} {_words(verdict)}"]
    parts += [f"{count} {_are(count)} {_words(other)}" for other, count in others]
    evidence = {"seeds": float(seeds), "share": agreement.share}
    if math.isfinite(agreement.spread):
        evidence["spread"] = agreement.spread
    outcome, flag = ("flag", FLAG) if others else ("ok", "")
    return Finding(*SEEDS_DISAGREE, outcome, evidence, f"{', '.join(parts)}.", flag)  # type: ignore[arg-type]


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _words(verdict: Verdict) -> str:
    return verdict.value.replace("_", " ")
