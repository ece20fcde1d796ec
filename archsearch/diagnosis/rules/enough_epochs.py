"""AS001: enough epochs to judge."""

from dataclasses import dataclass
from typing import ClassVar

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.values import Finding


@dataclass(frozen=True, slots=True)
class EnoughEpochs:
    """Too few epochs carry no trend.

    Attributes
    ----------
    least : int
        5: a line through the end needs as many to have an error worth the name, and a noise estimate from
        second differences has three terms. The one threshold that counts epochs: it is about statistics, not
        about how long networks train.
    """

    code: ClassVar[str] = "AS001"
    title: ClassVar[str] = "Enough epochs to judge"
    least: int = 5

    def judge(self, reading: Reading) -> Finding:
        """Fault if the run is shorter than `least`."""
        epochs = reading.epochs
        evidence = {"epochs": float(epochs), "least": float(self.least)}
        if epochs >= self.least:
            return Finding(self.code, self.title, "ok", evidence, f"Measured for {epochs} epochs.")
        message = f"Only {epochs} of the {self.least} epochs that a judgement needs were measured."
        return Finding(self.code, self.title, "fault", evidence, message)
