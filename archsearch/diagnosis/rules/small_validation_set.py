"""AS703: the validation set is too small to rely on."""

from dataclasses import dataclass
from typing import ClassVar

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import not_applicable
from archsearch.diagnosis.values import Finding, Outcome
from archsearch.diagnosis.wording import percent


@dataclass(frozen=True, slots=True)
class SmallValidationSet:
    """Few validation samples make every validation number uncertain.

    Attributes
    ----------
    least : int
        100: below, the standard error of an accuracy may exceed 5 percentage points (√(¼ / n)), and that of a
        loss whose spread equals its mean exceeds 10 %.
    """

    code: ClassVar[str] = "AS703"
    title: ClassVar[str] = "Small validation set"
    least: int = 100

    def judge(self, reading: Reading) -> Finding:
        """Flag if there are fewer than `least` samples."""
        error = reading.sampling_error
        if error is None or reading.context.n_val is None:
            return not_applicable(self, "n_val", "the uncertainty of the validation loss is not known")
        n_val = reading.context.n_val
        relative = error / reading.scale
        evidence = {"n_val": float(n_val), "relative_error": relative}
        outcome: Outcome = "flag" if n_val < self.least else "ok"
        message = f"With {n_val} validation samples their loss is known to about {percent(relative)}."
        return Finding(self.code, self.title, outcome, evidence, message)
