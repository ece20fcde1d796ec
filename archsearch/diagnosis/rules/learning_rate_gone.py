"""AS706: the learning rate went to zero before the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import Measured, Threshold, found, unknown
from archsearch.diagnosis.values import Outcome
from archsearch.diagnosis.wording import percent


@dataclass(frozen=True, slots=True)
class LearningRateGone:
    """The learning rate had decayed to nearly nothing: the losses settled because it did.

    Attributes
    ----------
    left : float
        Share of its largest value that is as good as zero: 1 %. At that pace, what the run learned in an
        epoch takes a hundred.
    """

    code: ClassVar[str] = "AS706"
    title: ClassVar[str] = "Learning rate decayed to zero"
    flag: ClassVar[str] = "learning_rate_decayed_to_zero"
    needs: ClassVar[tuple[str, ...]] = ("learning_rate",)
    left: Threshold = 0.01

    def measure(self, reading: Reading) -> Measured:
        """Flag if the last learning rate is as good as zero."""
        rates = reading.learning_rate
        if rates is None or rates.max() <= 0:
            return unknown(reading)
        gone = rates <= np.max(self.left) * rates.max()
        return found(False, gone[-1], left=rates[-1] / rates.max(), epochs_at_zero=gone.sum())

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:  # noqa: ARG002
        """How much of the learning rate was left."""
        if outcome == "not_applicable":
            return "Without learning_rate a loss that settled can't be told from one that was frozen."
        if outcome == "ok":
            return "The learning rate was still at work at the end."
        epochs = f"{evidence['epochs_at_zero']:.0f}"
        return (
            f"The learning rate had decayed to {percent(evidence['left'])} of its largest value for the last "
            f"{epochs} epochs: the losses may have settled only for that."
        )
