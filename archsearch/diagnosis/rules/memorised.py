"""AS202: what was learned holds for the training samples only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from archsearch.diagnosis.features import FloatArray
from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import Measured, Threshold, found, unknown
from archsearch.diagnosis.values import Outcome
from archsearch.diagnosis.wording import loss, percent


@dataclass(frozen=True, slots=True)
class Memorised:
    """The generalization gap is wide, though the validation loss never turned up.

    So it is where there are few training samples: the network has learned them before the validation loss
    finds a reason to rise. Curves that settle apart are as overfit as those that part.

    Attributes
    ----------
    gap : float
        One fifth of the prior entropy: of what the network knows of the classes of training samples, it does
        not know a fifth for others. An opinion; networks that are called good in what people show of their
        curves have less than a tenth.
    certainty : float
        2 standard errors of the validation loss for its number of samples, the usual 5 %.
    """

    code: ClassVar[str] = "AS202"
    title: ClassVar[str] = "Wide gap between train and validation loss"
    flag: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ("prior_entropy", "train_loss_eval")
    gap: Threshold = 0.2
    certainty: Threshold = 2.0

    def measure(self, reading: Reading) -> Measured:
        """Fault if the gap at the end of the run is wide."""
        return self._measure(reading, reading.train_level, reading.val_level)

    def measure_at(self, reading: Reading, index: int) -> Measured:
        """The same of the weights of one epoch."""
        return self._measure(reading, reading.train_trend[..., index], reading.val_trend[..., index])

    def _measure(self, reading: Reading, train: FloatArray, val: FloatArray) -> Measured:
        prior = reading.context.prior_entropy
        # A train loss measured with dropout on, or during the epoch, says little of the gap.
        if prior is None or prior <= 0 or not reading.train_is_eval:
            return unknown(reading)
        gap = val - train
        error = reading.sampling_error
        sure = True if error is None else gap > self.certainty * error
        return found((gap >= self.gap * prior) & np.asarray(sure), gap=gap / prior, prior_entropy=prior)

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:
        """How wide the gap is, against all that there is to know."""
        if outcome == "not_applicable":
            absent = "train_loss_eval" if not reading.train_is_eval else "prior_entropy"
            return f"Without {absent} it can't be said how wide the generalization gap is."
        share = f"{percent(evidence['gap'])} of the class frequencies' loss"
        if outcome == "ok" and evidence["gap"] < 0:
            return f"Validation loss is below train loss, by {share}."
        if outcome == "ok":
            few = "" if evidence["gap"] < self.gap else ", which so few validation samples may explain"
            return f"The generalization gap is {share}{few}."
        return (
            f"Validation loss settled at {loss(float(reading.val_level))} while train loss ended at "
            f"{loss(float(reading.train_level))}: a gap of {share}."
        )
