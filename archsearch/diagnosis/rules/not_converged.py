"""AS501: the loss was still falling when training ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from archsearch.diagnosis import features
from archsearch.diagnosis.features import FloatArray
from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import Measured, Threshold, found
from archsearch.diagnosis.values import Outcome
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
    unsettled : float
        3 % of all that each loss has fallen. An exponential descent counts as settled after four time
        constants, where 2 % of it are left (the settling time of control engineering); the last quarter of
        such a run holds 3 %. Of a loss that fell to nearly nothing, 5 % are not worth more epochs.
    creep : float
        The other way to be still falling, for losses that creep: 15 % of all that each loss has fallen, fell
        in the last quarter. A straight line's last quarter has 25 %, that of an exponential descent whose
        run holds twice its time constant 10 %.
    worth : float
        0.5 % of the best validation loss: a creeping loss that falls by less in a quarter of the run would
        not gain 5 % in more than twice the run.
    certainty : float
        2 standard errors of the slope of the validation loss, the usual 5 %; twice as many for a creeping
        loss, whose fall is small.
    """

    code: ClassVar[str] = "AS501"
    title: ClassVar[str] = "Still falling when training ended"
    flag: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ("early_stopped",)
    fall: Threshold = 0.05
    unsettled: Threshold = 0.03
    creep: Threshold = 0.15
    worth: Threshold = 0.005
    certainty: Threshold = 2.0

    def measure(self, reading: Reading) -> Measured:
        """Fault if both losses fell over the last quarter."""
        val_fall, train_fall, certainty = self._falls(reading)
        fault = self.falls(reading) & (not reading.context.early_stopped)
        return found(
            fault,
            val_fall=val_fall / reading.scale,
            train_fall=train_fall / reading.scale,
            certainty=certainty,
            val_descent_share=_share(val_fall, _descent(reading.val_trend)),
        )

    def falls(self, reading: Reading) -> NDArray[np.bool_]:
        """Whether both losses fell over the last quarter, the validation loss beyond its noise."""
        val_fall, train_fall, certainty = self._falls(reading)
        val_share = _share(val_fall, _descent(reading.val_trend))
        share = np.minimum(val_share, _share(train_fall, _descent(reading.train_trend)))
        far = (np.minimum(val_fall, train_fall) >= self.fall * reading.scale) & (share >= self.unsettled)
        creeps = (share >= self.creep) & (val_fall >= self.worth * reading.scale)
        return np.asarray(
            (far & (certainty >= self.certainty)) | (creeps & (certainty >= 2 * self.certainty))
        )

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:
        """By how much the validation loss fell, as a share of where its last quarter began."""
        if not self.falls(reading):
            if evidence["val_fall"] >= self.fall and evidence["certainty"] >= self.certainty:
                fell = f"Validation loss fell a little in the last {reading.tail} epochs"
                if evidence["val_descent_share"] < self.unsettled:
                    return f"{fell}, but had settled against all that it fell before."
                return f"{fell}, but train loss had settled."
            settled = "had settled" if abs(evidence["val_fall"]) < self.fall else "did not keep falling"
            return f"Validation loss {settled} in the last {reading.tail} epochs."
        scale = float(reading.scale)
        start = float(reading.val[-reading.tail :].mean()) + evidence["val_fall"] * scale / 2
        fallen = percent(evidence["val_fall"] * scale / max(abs(start), 1e-9 * scale))
        fell = f"Validation loss still fell by {fallen} in the last {reading.tail} of {reading.epochs} epochs"
        if outcome == "fault":
            return f"{fell}: it was not trained to its end."
        return f"{fell}, but early stopping had waited in vain for a lower one."

    def _falls(self, reading: Reading) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Falls of both losses over the last quarter, and that of the validation loss in standard errors."""
        steps = reading.tail - 1
        val, train = reading.val[..., -reading.tail :], reading.train[..., -reading.tail :]
        slope, error = -features.slope(val), features.slope_error(val)
        # A perfectly straight line has no error: any fall is then certain.
        certainty = slope / np.maximum(error, 1e-9 * reading.scale)
        return slope * steps, -features.slope(train) * steps, certainty


def _descent(trend: FloatArray) -> FloatArray:
    return np.asarray(trend[..., 0] - trend.min(axis=-1))


def _share(fall: FloatArray, descent: FloatArray) -> FloatArray:
    return np.where(descent > 0, fall / np.where(descent > 0, descent, 1), 0.0)
