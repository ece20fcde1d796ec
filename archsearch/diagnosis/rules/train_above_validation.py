"""AS701 and AS705: the train loss is above the validation loss, without and with dropout to explain it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from archsearch.diagnosis.features import FloatArray
from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import Measured, Threshold, found
from archsearch.diagnosis.values import Outcome
from archsearch.diagnosis.wording import percent


@dataclass(frozen=True, slots=True)
class TrainAboveValidation:
    """Train loss, as reported in training, ended above the validation loss, and dropout does not explain it.

    Often read as underfitting. It is a flag and never a verdict.

    Attributes
    ----------
    excess : float
        5 % of the best validation loss: curves nearer than that lie over each other.
    """

    code: ClassVar[str] = "AS701"
    title: ClassVar[str] = "Train loss above validation loss"
    flag: ClassVar[str] = "train_above_validation"
    needs: ClassVar[tuple[str, ...]] = ("train_loss_eval",)
    excess: Threshold = 0.05

    def measure(self, reading: Reading) -> Measured:
        """Flag if the train loss is above and dropout is not the cause."""
        excess = _excess(reading, reading.raw_train_level)
        above = excess >= self.excess
        return found(False, above & ~_by_dropout(reading, self.excess), excess=excess)

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:
        """By how much, and what is known of the cause."""
        if evidence["excess"] < self.excess:
            return "Train loss did not end above validation loss."
        above = f"Train loss ended {percent(evidence['excess'])} above validation loss"
        if outcome == "ok":
            return f"{above}, which dropout explains."
        return f"{above}: {self._why(reading)}"

    def _why(self, reading: Reading) -> str:
        if reading.train_is_eval and _excess(reading, reading.train_level) >= self.excess:
            return "it is above in inference mode too, so dropout does not explain it."
        if reading.train_is_eval:
            return "that is how it is measured in training, since in inference mode it is not above."
        if reading.context.dropout is False:
            return "the architecture has no dropout to explain it."
        return "whether dropout explains it is not known."


@dataclass(frozen=True, slots=True)
class DropoutAboveValidation:
    """Train loss ended above the validation loss since dropout is on while it is measured.

    Attributes
    ----------
    excess : float
        As of `TrainAboveValidation`.
    """

    code: ClassVar[str] = "AS705"
    title: ClassVar[str] = "Train loss above validation loss by dropout"
    flag: ClassVar[str] = "train_above_validation_by_dropout"
    needs: ClassVar[tuple[str, ...]] = ("train_loss_eval",)
    excess: Threshold = 0.05

    def measure(self, reading: Reading) -> Measured:
        """Flag if the train loss is above and dropout is the cause."""
        excess = _excess(reading, reading.raw_train_level)
        return found(False, (excess >= self.excess) & _by_dropout(reading, self.excess), excess=excess)

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:
        """By how much, and how it is known that dropout is the cause."""
        if outcome == "ok":
            return "Dropout does not put train loss above validation loss."
        above = f"Train loss ended {percent(evidence['excess'])} above validation loss: "
        if reading.train_is_eval:
            return f"{above}that is dropout, since in inference mode it is not above."
        return f"{above}dropout, which is on when train loss is measured, explains that."


def _excess(reading: Reading, level: FloatArray) -> FloatArray:
    return (level - reading.val_level) / reading.scale


def _by_dropout(reading: Reading, excess: Threshold) -> NDArray[np.bool_]:
    """Whether dropout is there, and nothing speaks against its being the cause."""
    gone = _excess(reading, reading.train_level) < excess if reading.train_is_eval else True
    return np.full(reading.best.shape, bool(reading.context.dropout)) & gone
