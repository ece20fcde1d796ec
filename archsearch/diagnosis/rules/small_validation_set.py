"""AS703: the validation set is too small to rely on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import Measured, Threshold, found, unknown
from archsearch.diagnosis.values import Outcome
from archsearch.diagnosis.wording import percent


@dataclass(frozen=True, slots=True)
class SmallValidationSet:
    """Few validation samples make every validation number uncertain.

    Attributes
    ----------
    least : float
        100: below, the standard error of an accuracy may exceed 5 percentage points (√(¼ / n)), and that of a
        loss whose spread equals its mean exceeds 10 %.
    """

    code: ClassVar[str] = "AS703"
    title: ClassVar[str] = "Small validation set"
    flag: ClassVar[str] = "small_validation_set"
    needs: ClassVar[tuple[str, ...]] = ("n_val",)
    least: Threshold = 100

    def measure(self, reading: Reading) -> Measured:
        """Flag if there are fewer than `least` samples."""
        error, n_val = reading.sampling_error, reading.context.n_val
        if error is None or n_val is None:
            return unknown(reading)
        return found(False, n_val < self.least, n_val=n_val, relative_error=error / reading.scale)

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:
        """How well the validation loss is known."""
        if outcome == "not_applicable":
            return "Without n_val the uncertainty of the validation loss is not known."
        known = percent(evidence["relative_error"])
        return f"With {reading.context.n_val} validation samples their loss is known to about {known}."
