"""AS001: enough epochs to judge."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import Measured, Threshold, found
from archsearch.diagnosis.values import Outcome


@dataclass(frozen=True, slots=True)
class EnoughEpochs:
    """Too few epochs carry no trend.

    Attributes
    ----------
    least : float
        5: a line through the end needs as many to have an error worth the name, and a noise estimate from
        second differences has three terms. The one threshold that counts epochs: it is about statistics, not
        about how long networks train.
    """

    code: ClassVar[str] = "AS001"
    title: ClassVar[str] = "Enough epochs to judge"
    flag: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()
    least: Threshold = 5

    def measure(self, reading: Reading) -> Measured:
        """Fault if fewer than `least` epochs were measured."""
        epochs = np.full(reading.best.shape, float(reading.epochs))
        return found(epochs < self.least, epochs=epochs, least=self.least)

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:
        """How many epochs there are, and how many it takes."""
        if outcome != "fault":
            return f"Measured for {reading.epochs} epochs."
        needed = f"of the {evidence['least']:.0f} epochs that a judgement needs"
        return f"Only {reading.epochs} {needed} were measured."
