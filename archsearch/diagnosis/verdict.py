"""From curves to a diagnosis: every rule is asked, the first fault in the order is the verdict."""

import math
from dataclasses import replace

import numpy as np

from archsearch.diagnosis.confidence import confidence_in
from archsearch.diagnosis.features import FloatArray
from archsearch.diagnosis.order import (
    ENOUGH_EPOCHS,
    MEMORISED,
    NOT_LEARNING,
    OVERFIT,
    PRECEDENCE,
    REMARKS,
    RULES_VERSION,
    UNDERFIT,
    VERDICTS,
    deciding,
)
from archsearch.diagnosis.reading import Reading, aligned, finite_until, picked, read, shortened
from archsearch.diagnosis.rules import judge
from archsearch.diagnosis.rules.rule import FAULT
from archsearch.diagnosis.values import Context, Curves, Diagnosis, Finding, Verdict, as_losses

NOT_FINITE = ("AS100", "Loss is no number")
NO_CURVE = ("AS000", "Nothing to judge")


def diagnose(curves: Curves, context: Context | None = None, *, confidence: bool = True) -> Diagnosis:
    """Judge one training by its loss curves.

    Multiplying all losses, here and in the context, by a constant changes nothing. Odd input never raises: it
    is ``inconclusive`` or ``diverged``, with the reason.

    Parameters
    ----------
    curves : Curves
        Cut to their common length. Epochs without a number are left out where numbers follow, and count as
        divergence at the end.
    context : Context, optional
        What is known besides; whatever is None is named in `Diagnosis.missing` if a rule needed it.
    confidence : bool
        Whether to estimate the probability that the verdict is right, which takes several times as long.

    Returns
    -------
    Diagnosis
    """
    known = _usable(context or Context())
    train, val, _ = aligned(curves)
    if len(val) == 0:
        finding = Finding(*NO_CURVE, "fault", {"epochs": 0.0}, "No epoch was measured.")
        absent = {"train_loss": curves.train_loss, "val_loss": curves.val_loss}
        missing = tuple(name for name, losses in absent.items() if not len(as_losses(losses)))
        return bare_diagnosis(Verdict.INCONCLUSIVE, finding, missing)
    if not (math.isfinite(train[-1]) and math.isfinite(val[-1])):
        return _diagnose_not_finite(curves, known)
    # Losses whose squares are no number are large beyond sense, but no reason to fail.
    with np.errstate(over="ignore", invalid="ignore"):
        return _diagnose_finite(read(curves, known), confidence)


def bare_diagnosis(verdict: Verdict, finding: Finding, missing: tuple[str, ...] = ()) -> Diagnosis:
    """A diagnosis that rests on one finding alone and concerns run and delivered weights alike.

    It is certain of what it says, except that ``inconclusive`` and ``not_judged`` say nothing.
    """
    certain = {Verdict.INCONCLUSIVE: 0.0, Verdict.NOT_JUDGED: None}.get(verdict, 1.0)
    return Diagnosis(verdict, verdict, (), (finding,), RULES_VERSION, missing, certain)


def _diagnose_finite(reading: Reading, confidence: bool) -> Diagnosis:
    enough = judge(ENOUGH_EPOCHS, reading)
    if enough.outcome == "fault":
        return bare_diagnosis(Verdict.INCONCLUSIVE, enough, ("epochs",))
    judged = [(judge(rule, reading), verdict) for rule, verdict in PRECEDENCE]
    remarks = [judge(rule, reading) for rule in REMARKS]
    asked = [rule for rule, _ in PRECEDENCE] + list(REMARKS)
    faults = (place for place, (finding, _) in enumerate(judged) if finding.outcome == "fault")
    place = next(faults, len(judged))
    verdict = VERDICTS[place]
    findings = sorted(
        [finding for finding, _ in judged] + remarks,
        key=lambda finding: finding.outcome != "fault",  # stable: faults first, in their precedence
    )
    return Diagnosis(
        verdict=verdict,
        delivered=_delivered(reading, verdict),
        flags=tuple(finding.flag for finding in findings if finding.flag),
        findings=tuple(findings),
        rules_version=RULES_VERSION,
        missing=tuple(sorted(reading.lacks(name for rule in asked for name in rule.needs))),
        confidence=confidence_in(place, reading) if confidence else None,
    )


def _diagnose_not_finite(curves: Curves, context: Context) -> Diagnosis:
    """Divergence by NaN or infinity; the weights delivered before may be of use."""
    epochs = finite_until(curves)
    what = f"after epoch {epochs}" if epochs else "from the first epoch on"
    message = f"The loss is not a finite number {what}."
    finding = Finding(*NOT_FINITE, "fault", {"last_finite_epoch": float(epochs)}, message)
    if epochs == 0:
        return bare_diagnosis(Verdict.DIVERGED, finding)
    with np.errstate(over="ignore", invalid="ignore"):
        before = _diagnose_finite(read(shortened(curves, epochs), context), confidence=False)
    settled = before.verdict is Verdict.GOOD or before.delivered is Verdict.GOOD
    return replace(
        before,
        verdict=Verdict.DIVERGED,
        delivered=before.delivered if settled else Verdict.DIVERGED,
        findings=(finding, *before.findings),
        confidence=1.0,  # there is no doubt that it is no number
    )


def _delivered(reading: Reading, verdict: Verdict) -> Verdict:
    """Verdict of the weights of the delivered epoch.

    Stopping at the best epoch undoes overfitting, unless nothing had been learned by then, and divergence if
    the run had settled by then. Jumps, a loss still falling or never fallen, and underfitting are the same in
    the delivered weights as in the run.
    """
    index = _delivered_index(reading)
    if verdict is Verdict.OVERFIT:
        if NOT_LEARNING.nothing_at(reading, index):
            return Verdict.NOT_LEARNING
        # Weights from after the best epoch are as overfit as the run.
        wide = int(MEMORISED.measure_at(reading, index).outcome) == FAULT
        if wide or OVERFIT.worse_at(reading, index):
            return Verdict.OVERFIT
        underfit = int(UNDERFIT.measure_at(reading, index).outcome) == FAULT
        return Verdict.UNDERFIT if underfit else Verdict.GOOD
    if verdict is Verdict.DIVERGED:
        before = VERDICTS[int(deciding(picked(reading, slice(0, index + 1))))]
        return Verdict.GOOD if before is Verdict.GOOD else Verdict.DIVERGED
    return verdict


def _delivered_index(reading: Reading) -> int:
    epoch = reading.context.delivered_epoch
    if epoch is not None and epoch in reading.numbers:
        return int(np.searchsorted(reading.numbers, epoch))
    return int(np.argmin(reading.val))


def _usable(context: Context) -> Context:
    """The context with what is no usable number taken as not known, and what follows from the others."""
    numbers = ("prior_entropy", "val_loss_spread", "reference_loss", "best_val_loss", "n_val")
    unusable = [name for name in numbers if not _is_finite(getattr(context, name))]
    unusable += [
        name for name in ("prior_entropy", "n_val") if name not in unusable and not getattr(context, name) > 0
    ]
    known = replace(context, **dict.fromkeys(unusable))
    if known.prior_entropy is None and known.class_frequencies:
        return replace(known, prior_entropy=_entropy(as_losses(known.class_frequencies)))
    return known


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float | np.number) and math.isfinite(value)


def _entropy(frequencies: FloatArray) -> float | None:
    """Entropy in nats of class frequencies or counts; None if they are none."""
    total = frequencies.sum()
    if not (np.isfinite(frequencies).all() and (frequencies >= 0).all() and total > 0):
        return None
    shares = frequencies[frequencies > 0] / total
    return float(-(shares * np.log(shares)).sum()) or None
