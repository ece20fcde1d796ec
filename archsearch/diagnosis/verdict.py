"""From curves to a diagnosis: every rule is asked, the first fault in a fixed order is the verdict.

Order of precedence, and why:

1. ``diverged`` by NaN or infinity at the end: there is nothing left to judge.
2. ``inconclusive``: with too few epochs no other rule can be trusted.
3. ``diverged`` by a loss that climbed back: it would pass for unstable or not learning.
4. ``overfit``: needs a falling train loss, which excludes the faults below.
5. ``not_learning``: jumping about the class frequencies' loss is first of all not learning.
6. ``unstable``: a trend through random jumps means nothing.
7. ``not_converged``: before its end a run can't be called underfit.
8. ``underfit``.
9. ``good``: no rule found a fault.
"""

import math
from dataclasses import replace

import numpy as np

from archsearch.diagnosis.reading import Reading, aligned, finite_until, read, shortened
from archsearch.diagnosis.rules import (
    Diverged,
    EarlyStopped,
    EnoughEpochs,
    NotConverged,
    NotLearning,
    Overfit,
    Rule,
    SmallValidationSet,
    TrainAboveValidation,
    Underfit,
    Unstable,
    ValidationEasier,
)
from archsearch.diagnosis.values import Context, Curves, Diagnosis, Finding, Verdict

RULES_VERSION = 1
"""Goes up whenever a rule, a threshold or the order changes: stored verdicts carry it."""

ENOUGH_EPOCHS, OVERFIT, UNDERFIT = EnoughEpochs(), Overfit(), Underfit()

PRECEDENCE: tuple[tuple[Rule, Verdict], ...] = (
    (ENOUGH_EPOCHS, Verdict.INCONCLUSIVE),
    (Diverged(), Verdict.DIVERGED),
    (OVERFIT, Verdict.OVERFIT),
    (NotLearning(), Verdict.NOT_LEARNING),
    (Unstable(), Verdict.UNSTABLE),
    (NotConverged(), Verdict.NOT_CONVERGED),
    (UNDERFIT, Verdict.UNDERFIT),
)
"""Rules whose fault is a verdict, in their order of precedence."""

REMARKS: tuple[Rule, ...] = (TrainAboveValidation(), ValidationEasier(), SmallValidationSet(), EarlyStopped())
"""Rules that only raise flags."""

FLAGS = {
    Overfit.code: "mild_overfit",
    Unstable.code: "decaying_spikes",
    TrainAboveValidation.code: "train_above_validation",
    ValidationEasier.code: "validation_easier_than_train",
    SmallValidationSet.code: "small_validation_set",
    EarlyStopped.code: "early_stopped",
}
"""Name of the flag that a rule raises, by its code."""

NOT_FINITE = ("AS100", "Loss is no number")
NO_CURVE = ("AS000", "Nothing to judge")


def diagnose(curves: Curves, context: Context | None = None) -> Diagnosis:
    """Judge one training by its loss curves.

    Multiplying all losses, here and in the context, by a constant changes nothing. Odd input never raises: it
    is ``inconclusive`` or ``diverged``, with the reason.

    Parameters
    ----------
    curves : Curves
        Cut to their common length. Epochs without a number are taken as not measured where numbers follow,
        and as divergence at the end.
    context : Context, optional
        What is known besides; whatever is None is named in `Diagnosis.missing` if a rule needed it.

    Returns
    -------
    Diagnosis
    """
    known = _usable(context or Context())
    train, val, _ = aligned(curves)
    if len(val) == 0:
        finding = Finding(*NO_CURVE, "fault", {"epochs": 0.0}, "No epoch was measured.")
        return bare_diagnosis(Verdict.INCONCLUSIVE, finding)
    if not (math.isfinite(train[-1]) and math.isfinite(val[-1])):
        return _diagnose_not_finite(curves, known)
    return _diagnose_finite(read(curves, known))


def bare_diagnosis(verdict: Verdict, finding: Finding, missing: tuple[str, ...] = ()) -> Diagnosis:
    """A diagnosis that rests on one finding alone and concerns run and delivered weights alike."""
    return Diagnosis(verdict, verdict, (), (finding,), RULES_VERSION, missing)


def _diagnose_finite(reading: Reading) -> Diagnosis:
    enough = ENOUGH_EPOCHS.judge(reading)
    if enough.outcome == "fault":
        return bare_diagnosis(Verdict.INCONCLUSIVE, enough, ("epochs",))
    judged = [(_flagged(rule.judge(reading)), verdict) for rule, verdict in PRECEDENCE]
    remarks = [_flagged(rule.judge(reading)) for rule in REMARKS]
    verdict = next((verdict for finding, verdict in judged if finding.outcome == "fault"), Verdict.GOOD)
    findings = sorted(
        [finding for finding, _ in judged] + remarks,
        key=lambda finding: finding.outcome != "fault",  # stable: faults first, in their precedence
    )
    flags = tuple(finding.flag for finding in findings if finding.flag)
    delivered = _delivered(reading, verdict)
    return Diagnosis(verdict, delivered, flags, tuple(findings), RULES_VERSION, _missing(reading))


def _flagged(finding: Finding) -> Finding:
    return replace(finding, flag=FLAGS[finding.code]) if finding.outcome == "flag" else finding


def _diagnose_not_finite(curves: Curves, context: Context) -> Diagnosis:
    """Divergence by NaN or infinity; the weights delivered before may be of use."""
    epochs = finite_until(curves)
    what = f"after epoch {epochs}" if epochs else "from the first epoch on"
    message = f"The loss is not a finite number {what}."
    finding = Finding(*NOT_FINITE, "fault", {"last_finite_epoch": float(epochs)}, message)
    if epochs == 0:
        return bare_diagnosis(Verdict.DIVERGED, finding)
    before = _diagnose_finite(read(shortened(curves, epochs), context))
    settled = before.verdict is Verdict.GOOD or before.delivered is Verdict.GOOD
    delivered = before.delivered if settled else Verdict.DIVERGED
    findings = (finding, *before.findings)
    return Diagnosis(Verdict.DIVERGED, delivered, before.flags, findings, RULES_VERSION, before.missing)


def _delivered(reading: Reading, verdict: Verdict) -> Verdict:
    """Verdict of the weights of the delivered epoch.

    Stopping at the best epoch undoes overfitting, and divergence if the run had settled by then. Jumps, a
    loss still falling or never fallen, and underfitting are the same in the delivered weights as in the
    run.
    """
    index = _delivered_index(reading)
    if verdict is Verdict.OVERFIT:
        # Weights from after the best epoch are as overfit as the run.
        if OVERFIT.worse_at(reading, index):
            return Verdict.OVERFIT
        return Verdict.UNDERFIT if UNDERFIT.judge_at(reading, index).outcome == "fault" else Verdict.GOOD
    if verdict is Verdict.DIVERGED:
        before = Curves(reading.raw_train[: index + 1], reading.val[: index + 1])
        if reading.train_is_eval:
            before = Curves(before.train_loss, before.val_loss, reading.train[: index + 1])
        upto = read(before, reading.context)
        sound = all(rule.judge(upto).outcome != "fault" for rule, _ in PRECEDENCE)
        return Verdict.GOOD if sound else Verdict.DIVERGED
    return verdict


def _delivered_index(reading: Reading) -> int:
    epoch = reading.context.delivered_epoch
    if epoch is not None and 1 <= epoch <= reading.epochs:
        return epoch - 1
    return int(np.argmin(reading.val))


def _missing(reading: Reading) -> tuple[str, ...]:
    """Inputs without which a rule could not be applied or had to make do."""
    wanted = {"prior_entropy", "reference_loss", "n_val", "early_stopped"}
    absent = {name for name in wanted if getattr(reading.context, name) is None}
    if not reading.train_is_eval:
        absent.add("train_loss_eval")
    return tuple(sorted(absent))


def _usable(context: Context) -> Context:
    """The context with numbers that are not finite taken as not known."""
    names = ("prior_entropy", "val_loss_spread", "reference_loss", "best_val_loss")
    values = {name: getattr(context, name) for name in names}
    unusable = [name for name, value in values.items() if value is not None and not math.isfinite(value)]
    if context.n_val is not None and context.n_val < 1:
        unusable.append("n_val")
    return replace(context, **dict.fromkeys(unusable))
