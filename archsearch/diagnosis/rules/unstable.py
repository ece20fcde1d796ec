"""AS401: the losses still jump at the end."""

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
class Unstable:
    """Losses jump at random to the end; spikes that shrink as training goes on are forgiven.

    Jumps are root mean square distances from the trend over a third of the run, as shares of the best
    validation loss.

    Attributes
    ----------
    jump : float
        10 % from one epoch to the next: then the epoch at which training happens to end decides more than
        most choices of architecture do.
    train_jump : float
        5 %: jumps of the validation loss alone may come from a small validation set; if the train loss,
        measured on more samples, jumps half as much, it is the weights that jump.
    sampling : float
        3 standard errors of the validation loss for its number of samples: larger jumps are not chance of the
        sample even where the train loss, averaged over an epoch, hides them. Jumps below one standard error
        change no choice, whoever jumps.
    decay : float
        One half: jumps that have halved between the first and the last third, each as a share of the loss
        at its time, are dying out.
    spike : float
        20 %: a single epoch that far above the trend early in the run is worth mentioning.
    """

    code: ClassVar[str] = "AS401"
    title: ClassVar[str] = "Losses jump"
    flag: ClassVar[str] = "decaying_spikes"
    needs: ClassVar[tuple[str, ...]] = ("n_val",)
    jump: Threshold = 0.1
    train_jump: Threshold = 0.05
    sampling: Threshold = 3.0
    decay: Threshold = 0.5
    spike: Threshold = 0.2

    def measure(self, reading: Reading) -> Measured:
        """Fault if late jumps are large and no smaller than early ones; flag for spikes that died out."""
        third = max(3, reading.epochs // 3)
        # The first epochs are left out: there a steep descent is itself a jump.
        skipped = features.window(reading.epochs, 0.1) // 2
        early_part = slice(skipped, skipped + third)
        val, trend, scale = reading.val, reading.val_trend, reading.scale
        late = features.typical_jump(val[..., -third:]) / scale
        # Shares of the loss at their time: jumps that only fall along with it are not dying out.
        early_level = np.maximum(scale, np.abs(np.median(trend[..., early_part], axis=-1)))
        early = features.typical_jump(val[..., early_part]) / early_level
        train = features.typical_jump(reading.train[..., -third:]) / scale
        spike = features.largest_spike(val[..., early_part], trend[..., early_part]) / scale
        dying = late < self.decay * early
        jumps = (late >= self.jump) & self._weights_jump(reading, late, train)
        return found(
            jumps & ~dying,
            dying & (spike >= self.spike),
            early=early,
            late=late,
            train_late=train,
            largest_early=spike,
        )

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:  # noqa: ARG002
        """How large the jumps are, late and early."""
        late = percent(evidence["late"])
        if outcome == "fault":
            return (
                f"In its last third the validation loss still jumps by {late} from epoch to epoch, "
                f"after {percent(evidence['early'])} in the first."
            )
        if outcome == "flag":
            return f"Early spikes of up to {percent(evidence['largest_early'])} shrank to jumps of {late}."
        return f"In its last third the validation loss varies by {late} about its trend."

    def _weights_jump(
        self, reading: Reading, val_jump: FloatArray, train_jump: FloatArray
    ) -> NDArray[np.bool_]:
        trains = np.asarray(train_jump >= self.train_jump)
        error = reading.sampling_error
        if error is None:
            return trains
        jump = val_jump * reading.scale
        return np.asarray((trains & (jump > error)) | (jump > self.sampling * error))
