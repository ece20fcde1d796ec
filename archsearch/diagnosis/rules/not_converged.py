"""AS501: the loss was still falling when training ended."""

from dataclasses import dataclass
from typing import ClassVar

from archsearch.diagnosis import features
from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.values import Finding
from archsearch.diagnosis.wording import percent


@dataclass(frozen=True, slots=True)
class NotConverged:
    """The validation loss and the train loss both still fell at the end.

    A run that early stopping ended counts as converged: it waited for a lower validation loss in vain.

    Attributes
    ----------
    fall : float
        5 % of the best validation loss over the last quarter of the run: going on for as long again would pay
        about as much, more than the rise that makes a run overfit costs.
    certainty : float
        2 standard errors of the slope of the validation loss, the usual 5 %.
    """

    code: ClassVar[str] = "AS501"
    title: ClassVar[str] = "Still falling when training ended"
    fall: float = 0.05
    certainty: float = 2.0

    def judge(self, reading: Reading) -> Finding:
        """Fault if both losses fell over the last quarter; the sentence gives the share of its beginning."""
        val_fall, train_fall, certainty = self._falls(reading)
        evidence = {"val_fall": val_fall, "train_fall": train_fall, "certainty": certainty}
        if not self.falls(reading):
            settled = "had settled" if abs(val_fall) < self.fall else "did not keep falling"
            message = f"Validation loss {settled} in the last {reading.tail} epochs."
            return Finding(self.code, self.title, "ok", evidence, message)
        last = f"the last {reading.tail} of {reading.epochs} epochs"
        start = float(reading.val[-reading.tail :].mean()) + val_fall * reading.scale / 2
        fallen = val_fall * reading.scale / max(abs(start), 1e-9 * reading.scale)
        fell = f"Validation loss still fell by {percent(fallen)} in {last}"
        if reading.context.early_stopped:
            message = f"{fell}, but early stopping had waited in vain for a lower one."
            return Finding(self.code, self.title, "ok", evidence, message)
        return Finding(self.code, self.title, "fault", evidence, f"{fell}: it was not trained to its end.")

    def falls(self, reading: Reading) -> bool:
        """Whether both losses fell over the last quarter, the validation loss beyond its noise."""
        val_fall, train_fall, certainty = self._falls(reading)
        return min(val_fall, train_fall) >= self.fall and certainty >= self.certainty

    def _falls(self, reading: Reading) -> tuple[float, float, float]:
        """Falls as shares of the scale, and that of the validation loss in standard errors."""
        steps = reading.tail - 1
        val, train = reading.val[-reading.tail :], reading.train[-reading.tail :]
        slope, error = -float(features.slope(val)), float(features.slope_error(val))
        # A perfectly straight line has no error: any fall is then certain.
        certainty = slope / max(error, 1e-9 * reading.scale)
        return slope * steps / reading.scale, -float(features.slope(train)) * steps / reading.scale, certainty
