"""How likely a verdict is right: how often it survives other noise, and other opinions.

The curves are resampled by a moving-block bootstrap of their noise (Künsch 1989): deviations from the trend
are drawn again in blocks from nearby epochs, the same for train and validation loss, so that jumps stay as
large, as clustered and as common to both as they were. Each resampled curve is judged by rules whose
thresholds are drawn anew as well, since they are opinions. The share that keeps the verdict, and what the
rules would have liked to know, are turned into a probability by a logistic regression.
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

REPLICATES = 100
"""Resampled curves: a share of 0.95 is then known to 0.02, and a curve of 100 epochs takes some 20 ms."""

OPINION = 0.3
"""Standard deviation of the logarithm of a threshold: other reasonable people may choose one a third off."""

NEARBY = 1 / 6
"""Share of the run within which noise is drawn anew: spikes that decay stay where they were."""

LEAST_HALF = 20
"""Epochs that each half of a run needs to be judged by itself."""

MOST_WITHOUT_HALVES = 0.89
"""Confidence that a verdict can have which does not follow from every second epoch alone."""

LEAST_LEFT, MOST_LEFT = 0.001, 1.5
"""Bounds of the share of the first validation loss that is left: beyond, it says no more."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic regression of whether a verdict is right; fitted by ``benchmarks/diagnosis.py --calibrate``.

    On 232 histories of Li et al. (2024, arXiv 2401.10359), labelled overfit or not, on 660 simulated curves
    of known kind, once with and once without what is known besides, and on real trainings of known fault.

    Attributes
    ----------
    intercept : float
    support : float
        Weight of the log-odds of the share of resampled curves with the same verdict.
    lacking : float
        Of each input that the rules up to the verdict's would have liked to have.
    no_prior : float
        Of verdicts that leave open whether anything was learned, as the prior entropy is not known. Other
        noise is then the least doubt: the share of resampled curves is not weighed.
    fallen : float
        Of the logarithm of the validation loss's end over its start, for these: what learned nothing has
        hardly fallen.
    """

    intercept: float
    support: float
    lacking: float
    no_prior: float
    fallen: float

    def probability(self, evidence: "Evidence") -> float:
        """Probability in (0, 1) that a verdict with this evidence is right."""
        log_odds = (
            self.intercept
            + self.support * evidence.support
            + self.lacking * evidence.lacking
            + self.no_prior * evidence.no_prior
            + self.fallen * evidence.fallen
        )
        return 1 / (1 + math.exp(-log_odds))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against a verdict, as numbers; the names are those of `Calibration`'s weights."""

    support: float
    lacking: float
    no_prior: float
    fallen: float


CALIBRATION = Calibration(intercept=2.20, support=0.54, lacking=-1.17, no_prior=2.12, fallen=-3.48)


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
    no_prior = "prior_entropy" in lacking
    if not no_prior:
        share = (support(place, reading) * REPLICATES + 0.5) / (REPLICATES + 1)
        return Evidence(math.log(share / (1 - share)), len(lacking), 0.0, 0.0)
    start = max(abs(float(reading.val[0])), np.finfo(float).tiny)
    left = min(max(abs(float(reading.val_level)) / start, LEAST_LEFT), MOST_LEFT)
    return Evidence(0.0, len(lacking), 1.0, math.log(left))


def support(place: int, reading: Reading, replicates: int = REPLICATES) -> float:
    """Share of resampled curves with the same verdict."""
    rng = np.random.default_rng(0)
    rules = [_varied(rule, rng, replicates) for rule, _ in PRECEDENCE]
    return float(np.mean(are_alike(deciding(resampled(reading, rng, replicates), rules), place)))


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
