"""Why the first is first, in a few sentences for a terminal."""

import math
from collections.abc import Sequence

from archsearch.diagnosis import Verdict
from archsearch.ranking.order import Ranked, tier
from archsearch.ranking.reasons import WORDS, deciding, indistinguishable, score_noise
from archsearch.records import Reference

LEAST_ABOVE = 0.5
"""Per cent by which a loss must be above that of a reference to be called worse: less rounds to nothing."""


def why_first(ranking: Sequence[Ranked], references: Sequence[Reference]) -> str:
    """Say what speaks for the first trial, and how much of its lead is noise.

    Parameters
    ----------
    ranking : sequence of Ranked
        Best first.
    references : sequence of Reference
        Class frequencies, linear model.

    Returns
    -------
    str
        Two to four sentences, without a line break.
    """
    if not ranking:
        return "No trial was completed with a finite score. There is nothing to rank."
    sentences = [_verdict(ranking[0]), _lead(ranking), _compared(ranking[0], references)]
    return " ".join(sentence for sentence in sentences if sentence)


def _verdict(first: Ranked) -> str:
    message = deciding(first.diagnosis).message
    seeds = f" in {first.diagnosis.agreement.words} seeds" if first.diagnosis.agreement else ""
    verdict, delivered = WORDS[first.diagnosis.verdict], WORDS[first.diagnosis.delivered]
    if first.diagnosis.verdict is Verdict.GOOD:
        return f"Trial {first.trial.number} is first with the verdict good{seeds}: {message}"
    weights = f", its delivered weights {delivered}" if delivered != verdict else ""
    best = f"trial {first.trial.number} is the best of them, its run {verdict}{seeds}{weights}"
    return f"No run is good; {best}: {message}"


def _lead(ranking: Sequence[Ranked]) -> str:
    if len(ranking) == 1:
        return "It is the only trial ranked."
    first, second = ranking[0], ranking[1]
    if tier(first.diagnosis) != tier(second.diagnosis):
        verdict = WORDS[second.diagnosis.verdict]
        return f"The second, trial {second.trial.number}, is {verdict}, which counts before the score."
    lead = f"Its score of {first.score:.4g} leads the second by {second.score - first.score:.2g}"
    noise = score_noise(first, second)
    if noise is None:
        return f"{lead}; how much of that is chance is not known."
    if not indistinguishable(first, second):
        return f"{lead}, more than the noise of {noise.error:.2g} {noise.source}."
    return (
        f"{lead}, less than the noise of {noise.error:.2g} {noise.source}: "
        f"ranks 1 to {_last_indistinguishable(ranking)} cannot be told apart by their scores."
    )


def _last_indistinguishable(ranking: Sequence[Ranked]) -> int:
    """Last rank of the first one's tier before the first score that noise can't explain."""
    first = ranking[0]
    for each in ranking[1:]:
        if tier(each.diagnosis) != tier(first.diagnosis) or not indistinguishable(first, each):
            return each.rank - 1
    return len(ranking)


def _compared(first: Ranked, references: Sequence[Reference]) -> str:
    finite = [each for each in references if math.isfinite(each.val_loss)]
    if not finite:
        return ""
    known = " and ".join(f"{each.val_loss:.3g} ({each.name})" for each in finite)
    best = min(finite, key=lambda each: each.val_loss)
    above = 100 * (first.val_loss / best.val_loss - 1) if best.val_loss > 0 else 0.0
    # The no-break space keeps the number with its sign.
    worse = f": {above:.0f}\u00a0% above that of the {best.name}" if above >= LEAST_ABOVE else ""
    return f"Its validation loss is {first.val_loss:.3g}, against {known}{worse}."
