"""AS601: the network settled far above what can be reached."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import not_applicable
from archsearch.diagnosis.values import Context, Finding
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
        One third of the way from the class frequencies' loss down to the reference is missing. An opinion:
        less is a matter of tuning, more is another class of model.
    certainty : float
        2 standard errors of the validation loss for its number of samples, the usual 5 %.
    settled : float
        The validation loss counts as settled from where nine tenths of its descent lie behind it.
    late_fall : float
        Share of the train loss's descent that may come after that: a quarter. A train loss that goes its
        own way for longer has opened a gap, and the validation loss says nothing of it. A share of the
        descent, so that neither a constant nor a factor that dropout puts on the train loss changes it.
    """

    code: ClassVar[str] = "AS601"
    title: ClassVar[str] = "Settled far above the reference"
    shortfall: float = 1 / 3
    certainty: float = 2.0
    settled: float = 0.9
    late_fall: float = 0.25

    def judge(self, reading: Reading) -> Finding:
        """Fault if the end of the run is far above the reference."""
        lowest_val = float(reading.val_trend[reading.best])
        return self._judge(reading, reading.train_level, reading.val_level, lowest_val)

    def judge_at(self, reading: Reading, index: int) -> Finding:
        """The same of the weights of one epoch."""
        val = float(reading.val_trend[index])
        return self._judge(reading, float(reading.train_trend[index]), val, val)

    def _judge(self, reading: Reading, train: float, val: float, lowest_val: float) -> Finding:
        prior, reference = reading.context.prior_entropy, reading.context.reference_loss
        if prior is None:
            return not_applicable(self, "prior_entropy", CANNOT_TELL)
        if reference is None:
            return not_applicable(self, "reference_loss", CANNOT_TELL)
        if not reading.train_is_eval and self._gap_opened(reading):
            return not_applicable(self, "train_loss_eval", CANNOT_TELL)
        if not reference < prior:
            message = "The reference is no better than the class frequencies: nothing can be held against it."
            return Finding(self.code, self.title, "ok", {"reference_loss": reference}, message)
        name, level = ("train", train) if reading.train_is_eval else ("validation", val)
        missing = (level - reference) / (prior - reference)
        evidence = {"level": level, "reference_loss": reference, "prior_entropy": prior, "shortfall": missing}
        if missing < self.shortfall:
            message = f"The {name} loss of {loss(level)} is near enough the reference, {loss(reference)}."
            return Finding(self.code, self.title, "ok", evidence, message)
        if self._near_best(reading.context, reading.sampling_error, lowest_val):
            message = (
                f"The {name} loss stayed at {loss(level)}, far above the reference, {loss(reference)}, but "
                "no run has a validation loss that is clearly lower."
            )
            return Finding(self.code, self.title, "ok", evidence, message)
        message = (
            f"The {name} loss settled at {loss(level)}; {percent(missing)} of the way from the class "
            f"frequencies ({loss(prior)}) to the reference ({loss(reference)}) is missing."
        )
        return Finding(self.code, self.title, "fault", evidence, message)

    def _near_best(self, context: Context, error: float | None, val: float) -> bool:
        best = context.best_val_loss
        return best is not None and val <= best + self.certainty * (error or 0.0)

    def _gap_opened(self, reading: Reading) -> bool:
        """Whether the train loss went on falling by itself after the validation loss had settled."""
        val, train = reading.val_trend, reading.train_trend
        threshold = val[0] - self.settled * (val[0] - val.min())
        settled = int(np.argmax(val <= threshold))
        descent = float(train[0] - train.min())
        late = float(train[settled] - train.min())
        return late > self.late_fall * descent
