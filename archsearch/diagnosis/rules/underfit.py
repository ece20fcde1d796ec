"""AS601: the network settled far above what can be reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from archsearch.diagnosis.features import FloatArray
from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import NOT_APPLICABLE, Measured, Threshold, found, unknown
from archsearch.diagnosis.values import Outcome
from archsearch.diagnosis.wording import loss, percent

CANNOT_TELL = "it can't be said whether more could be learned"


@dataclass(frozen=True, slots=True)
class Underfit:
    """The train loss in inference mode stayed far above a reference, the validation loss above the best.

    Train loss above validation loss proves nothing: dropout does it to healthy networks. Without the train
    loss in inference mode the validation loss stands in for it, provided that both curves settled together.

    Attributes
    ----------
    shortfall : float
        One quarter of the way from the class frequencies' loss down to the reference is missing. An opinion:
        less is a matter of tuning, more is another class of model.
    certainty : float
        2 standard errors of the validation loss for its number of samples, the usual 5 %.
    unsettled : float
        The validation loss counts as settled from where only a tenth of its descent lies before it.
    late_fall : float
        Share of the train loss's descent that may come after that: a quarter. A train loss that goes its
        own way for longer has opened a gap, and the validation loss says nothing of it. A share of the
        descent, so that neither a constant nor a factor that dropout puts on the train loss changes it.
    """

    code: ClassVar[str] = "AS601"
    title: ClassVar[str] = "Settled far above the reference"
    flag: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ("prior_entropy", "reference_loss", "train_loss_eval")
    shortfall: Threshold = 0.25
    certainty: Threshold = 2.0
    unsettled: Threshold = 0.1
    late_fall: Threshold = 0.25

    def measure(self, reading: Reading) -> Measured:
        """Fault if the end of the run is far above the reference."""
        return self._measure(reading, reading.train_level, reading.val_level, reading.lowest_val)

    def measure_at(self, reading: Reading, index: int) -> Measured:
        """The same of the weights of one epoch."""
        val = reading.val_trend[..., index]
        return self._measure(reading, reading.train_trend[..., index], val, val)

    def _measure(
        self, reading: Reading, train: FloatArray, val: FloatArray, lowest_val: FloatArray
    ) -> Measured:
        prior, reference = reading.context.prior_entropy, reading.context.reference_loss
        if prior is None or reference is None:
            return unknown(reading)
        if not reference < prior:
            return found(np.zeros(reading.best.shape), reference_loss=reference, prior_entropy=prior)
        level = train if reading.train_is_eval else val
        missing = (level - reference) / (prior - reference)
        fault = (missing >= self.shortfall) & ~self._near_best(reading, lowest_val)
        measured = found(fault, level=level, reference_loss=reference, prior_entropy=prior, shortfall=missing)
        if reading.train_is_eval:
            return measured
        outcome = np.where(self._gap_opened(reading), NOT_APPLICABLE, measured.outcome)
        return Measured(outcome, measured.evidence)

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:
        """Where the loss settled between the class frequencies and the reference."""
        context = reading.context
        if outcome == "not_applicable":
            absent = [name for name in ("prior_entropy", "reference_loss") if getattr(context, name) is None]
            return f"Without {(absent or ['train_loss_eval'])[0]} {CANNOT_TELL}."
        if "shortfall" not in evidence:
            return "The reference is no better than the class frequencies: nothing can be held against it."
        name = "train" if reading.train_is_eval else "validation"
        level, reference = loss(evidence["level"]), loss(evidence["reference_loss"])
        if outcome == "fault":
            missing, prior = percent(evidence["shortfall"]), loss(evidence["prior_entropy"])
            return (
                f"The {name} loss settled at {level}; {missing} of the way from the class frequencies "
                f"({prior}) to the reference ({reference}) is missing."
            )
        if evidence["shortfall"] < self.shortfall:
            return f"The {name} loss of {level} is near enough the reference, {reference}."
        return (
            f"The {name} loss stayed at {level}, far above the reference, {reference}, but no run has a "
            "validation loss that is clearly lower."
        )

    def _near_best(self, reading: Reading, val: FloatArray) -> NDArray[np.bool_]:
        best = reading.context.best_val_loss
        if best is None:
            return np.zeros(val.shape, dtype=bool)
        error = reading.sampling_error
        return np.asarray(val <= best + self.certainty * (0.0 if error is None else error))

    def _gap_opened(self, reading: Reading) -> NDArray[np.bool_]:
        """Whether the train loss went on falling by itself after the validation loss had settled."""
        val, train = reading.val_trend, reading.train_trend
        lowest_val = val.min(axis=-1, keepdims=True)
        before = np.asarray(self.unsettled)[..., None] * (val[..., :1] - lowest_val)
        settled = np.argmax(val <= lowest_val + before, axis=-1)
        lowest = train.min(axis=-1)
        late = np.take_along_axis(train, settled[..., None], axis=-1)[..., 0] - lowest
        return np.asarray(late > self.late_fall * (train[..., 0] - lowest))
