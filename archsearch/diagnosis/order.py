"""The rules in their order of precedence: the first fault is the verdict.

The order, and why:

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

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules import (
    Diverged,
    DropoutAboveValidation,
    EarlyStopped,
    EnoughEpochs,
    LearningRateGone,
    NotConverged,
    NotLearning,
    Overfit,
    PredictsOneClass,
    Rule,
    SmallValidationSet,
    TrainAboveValidation,
    Underfit,
    Unstable,
    ValidationEasier,
)
from archsearch.diagnosis.rules.rule import FAULT
from archsearch.diagnosis.values import Verdict

RULES_VERSION = 2
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

REMARKS: tuple[Rule, ...] = (
    TrainAboveValidation(),
    DropoutAboveValidation(),
    ValidationEasier(),
    SmallValidationSet(),
    EarlyStopped(),
    LearningRateGone(),
    PredictsOneClass(),
)
"""Rules that only raise flags."""

VERDICTS = (*(verdict for _, verdict in PRECEDENCE), Verdict.GOOD)
"""What the rules can come to; `verdict_indices` counts in it."""


def verdict_indices(reading: Reading, rules: Sequence[Rule] | None = None) -> NDArray[np.intp]:
    """The verdict on each curve of a reading.

    Parameters
    ----------
    reading : Reading
    rules : sequence of Rule, optional
        In the place of those of `PRECEDENCE`, in the same order, with thresholds of their own.

    Returns
    -------
    array of int, shape (...)
        Indices into `VERDICTS`.
    """
    asked = [rule for rule, _ in PRECEDENCE] if rules is None else rules
    faults = np.stack([rule.measure(reading).outcome == FAULT for rule in asked], axis=-1)
    return np.where(faults.any(axis=-1), np.argmax(faults, axis=-1), len(asked))
