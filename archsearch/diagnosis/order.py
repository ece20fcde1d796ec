"""The rules in their order of precedence: the first fault is the verdict.

The order, and why:

1. ``diverged`` by NaN or infinity at the end: there is nothing left to judge.
2. ``inconclusive``: with too few epochs no other rule can be trusted.
3. ``diverged`` by a loss that climbed back: it would pass for unstable or not learning.
4. ``overfit``: needs a falling train loss, which excludes the faults below.
5. ``not_learning``: jumping about the class frequencies' loss is first of all not learning.
6. ``unstable``: a trend through random jumps means nothing.
7. ``not_converged``: before its end a run can't be called underfit.
8. ``overfit`` by its gap alone: only of a run that has settled.
9. ``underfit``.
10. ``good``: no rule found a fault.
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
    Memorised,
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

ENOUGH_EPOCHS, OVERFIT, NOT_LEARNING = EnoughEpochs(), Overfit(), NotLearning()
MEMORISED, UNDERFIT = Memorised(), Underfit()

PRECEDENCE: tuple[tuple[Rule, Verdict], ...] = (
    (ENOUGH_EPOCHS, Verdict.INCONCLUSIVE),
    (Diverged(), Verdict.DIVERGED),
    (OVERFIT, Verdict.OVERFIT),
    (NOT_LEARNING, Verdict.NOT_LEARNING),
    (Unstable(), Verdict.UNSTABLE),
    (NotConverged(), Verdict.NOT_CONVERGED),
    (MEMORISED, Verdict.OVERFIT),
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
"""The verdict by the place of the rule that decided; by none it is good."""

_CODES = np.array([VERDICTS.index(verdict) for verdict in VERDICTS])


def deciding(reading: Reading, rules: Sequence[Rule] | None = None) -> NDArray[np.intp]:
    """Which rule decides the verdict on each curve of a reading.

    Parameters
    ----------
    reading : Reading
    rules : sequence of Rule, optional
        In the place of those of `PRECEDENCE`, in the same order, with thresholds of their own.

    Returns
    -------
    array of int, shape (...)
        Places in `PRECEDENCE`, and in `VERDICTS`; one more than the last rule's where none found a fault.
    """
    asked = [rule for rule, _ in PRECEDENCE] if rules is None else rules
    faults = np.stack([rule.measure(reading).outcome == FAULT for rule in asked], axis=-1)
    return np.where(faults.any(axis=-1), np.argmax(faults, axis=-1), len(asked))


def are_alike(places: NDArray[np.intp], place: int) -> NDArray[np.bool_]:
    """Whether the rules at `places` come to the same verdict as the one at `place`."""
    return np.asarray(_CODES[places] == _CODES[place])
