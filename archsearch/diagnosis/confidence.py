"""How likely a verdict is right: how often it survives other noise, other opinions, and another end.

The curves are resampled by a moving-block bootstrap of their noise (Künsch 1989): deviations from the trend
are drawn again in blocks from nearby epochs, the same for train and validation loss, so that jumps stay as
large, as clustered and as common to both as they were. Each resampled curve is judged by rules whose
thresholds are drawn anew as well, since they are opinions, and as if training had ended somewhat sooner,
since that is an accident too. The share that keeps the verdict, and what the rules would have liked to know,
make a probability (`Calibration`).
"""

import math
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsearch.diagnosis import features
from archsearch.diagnosis.features import FloatArray
from archsearch.diagnosis.order import PRECEDENCE, are_alike, deciding
from archsearch.diagnosis.reading import Reading, picked, reading_of

REPLICATES = 40
"""Resampled curves for each of `ENDS`: a share of 0.95 is then known to 0.02."""

ENDS = (0.0, 0.05, 0.1)
"""Shares of the run by which it might as well have been shorter."""

OPINION = 0.3
"""Standard deviation of the logarithm of a threshold: other reasonable people may choose one a third off."""

NEARBY = 1 / 6
"""Share of the run within which noise is drawn anew: spikes that decay stay where they were."""

LEAST_HALF = 20
"""Epochs that each half of a run needs to be judged by itself."""

MOST_WITHOUT_HALVES = 0.89
"""Confidence that a verdict can have which does not follow from every second epoch alone."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against a verdict, as numbers.

    Attributes
    ----------
    support : float
        Log-odds of the share of resampled curves with the same verdict.
    lacking : float
        Number of absent inputs that the rules up to the verdict's would have liked to have.
    unmoved : float
        Of verdicts that leave open whether anything was learned, as the prior entropy is not known: the
        share of the first validation loss that is left at the end, squared. What learned nothing has hardly
        moved. In [0, 1]; 0 where the prior entropy is known or does not matter.
    """

    support: float
    lacking: float
    unmoved: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How likely a verdict is right: that it is no accident, and that nothing unknown speaks against it.

    The first is a logistic curve of the support, the second an exponential of what is not known; as a
    product, so that what is absent can only lower the confidence. The weights are maximum-likelihood fits,
    rounded (``benchmarks/diagnosis.py --calibrate``): to 232 histories of Li et al. (2024, arXiv 2401.10359),
    labelled overfit or not, to 660 simulated curves of known kind, with and without what is known besides,
    and to 189 real trainings of known fault, with all that a search knows.

    Attributes
    ----------
    intercept, support : float
        Of the logistic curve.
    lacking, unmoved : float
        Rates of the exponential, at least 0.
    """

    intercept: float
    support: float
    lacking: float
    unmoved: float

    def probability(self, evidence: Evidence) -> float:
        """Probability in (0, 1) that a verdict with this evidence is right."""
        no_accident = 1 / (1 + math.exp(-self.intercept - self.support * evidence.support))
        return no_accident * math.exp(-self.lacking * evidence.lacking - self.unmoved * evidence.unmoved)


CALIBRATION = Calibration(intercept=2.0, support=0.7, lacking=0.01, unmoved=0.8)


def confidence_in(place: int, reading: Reading) -> float:
    """Probability that a verdict on one training is right.

    Parameters
    ----------
    place : int
        Of the rule that decided it, in `archsearch.diagnosis.order.PRECEDENCE`.
    reading : Reading
        Of one training.

    Returns
    -------
    float
        In (0, 1).
    """
    probability = CALIBRATION.probability(evidence_for(place, reading))
    return probability if _halves_agree(place, reading) else min(probability, MOST_WITHOUT_HALVES)


def evidence_for(place: int, reading: Reading) -> Evidence:
    """What the calibration weighs."""
    rules = [rule for rule, _ in PRECEDENCE[: place + 1]]
    lacking = reading.lacks(name for rule in rules for name in rule.needs)
    drawn = REPLICATES * len(ENDS)
    share = (support(place, reading) * drawn + 0.5) / (drawn + 1)
    return Evidence(
        support=math.log(share / (1 - share)),
        lacking=len(lacking),
        unmoved=_left(reading) ** 2 if "prior_entropy" in lacking else 0.0,
    )


def _left(reading: Reading) -> float:
    """Share of the first validation loss that is left at the end, in [0, 1].

    1 for losses that may be negative: of those nobody knows what nothing is.
    """
    if reading.val.min() < 0:
        return 1.0
    return float(np.clip(reading.val_level / max(float(reading.val[0]), np.finfo(float).tiny), 0, 1))


def support(place: int, reading: Reading) -> float:
    """Share of resampled curves with the same verdict."""
    rng = np.random.default_rng(0)
    alike = []
    for end in ENDS:
        rules = [_varied(rule, rng, REPLICATES) for rule, _ in PRECEDENCE]
        epochs = reading.epochs - round(end * reading.epochs)
        shorter = reading if epochs == reading.epochs else picked(reading, slice(0, epochs))
        alike.append(are_alike(deciding(resampled(shorter, rng, REPLICATES), rules), place))
    return float(np.mean(alike))


def _halves_agree(place: int, reading: Reading) -> bool:
    """Whether the even epochs alone and the odd ones alone lead to the same verdict, if they are enough."""
    if reading.epochs // 2 < LEAST_HALF:
        return True
    halves = [deciding(picked(reading, slice(first, None, 2))) for first in (0, 1)]
    return bool(are_alike(np.stack(halves), place).all())


def resampled(reading: Reading, rng: np.random.Generator, replicates: int) -> Reading:
    """Curves with the same trend and other noise, shape (replicates, epochs)."""
    chosen = _blocks(reading.epochs, rng, replicates)
    width = reading.trend_width

    def redrawn(losses: FloatArray) -> FloatArray:
        return features.running_median(losses, width) + _noise(losses)[chosen]

    same = not reading.train_is_eval
    return reading_of(
        reading.numbers,
        redrawn(reading.raw_train),
        redrawn(reading.val),
        None if same else redrawn(reading.train),
        reading.context,
        like=reading,
    )


def _noise(losses: FloatArray) -> FloatArray:
    """Deviation of each epoch from its two neighbours' line, made as large as that of one epoch alone.

    For white noise the difference of a value and the mean of two others has 3/2 of its variance.
    """
    padded = np.pad(losses, 1, mode="reflect", reflect_type="odd")
    return np.asarray((losses - (padded[:-2] + padded[2:]) / 2) * math.sqrt(2 / 3), dtype=np.float64)


def _blocks(epochs: int, rng: np.random.Generator, replicates: int) -> NDArray[np.intp]:
    """Which epoch's noise each epoch gets, shape (replicates, epochs)."""
    length = max(1, round(epochs ** (1 / 3)))
    starts = np.arange(0, epochs, length)
    reach = max(1, round(epochs * NEARBY))
    moved = starts + rng.integers(-reach, reach + 1, size=(replicates, len(starts)))
    moved = np.clip(moved, 0, max(0, epochs - length))
    return (moved[..., None] + np.arange(length)).reshape(replicates, -1)[:, :epochs].clip(0, epochs - 1)


def _varied(rule: Any, rng: np.random.Generator, replicates: int) -> Any:
    """The rule with thresholds drawn anew for each replicate, log-normally about its own."""
    changes: dict[str, Any] = {}
    for field in fields(rule):
        value = getattr(rule, field.name)
        if is_dataclass(value):
            changes[field.name] = _varied(value, rng, replicates)
        else:
            changes[field.name] = value * np.exp(OPINION * rng.standard_normal(replicates))
    return replace(rule, **changes)
