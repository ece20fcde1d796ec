"""AS401: the losses still jump at the end."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from archsearch.diagnosis import features
from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.values import Finding
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
        sample even where the train loss, averaged over an epoch, hides them.
    decay : float
        One half: jumps that have halved between the first and the last third, each as a share of the loss
        at its time, are dying out.
    spike : float
        20 %: a single epoch that far above the trend early in the run is worth mentioning.
    """

    code: ClassVar[str] = "AS401"
    title: ClassVar[str] = "Losses jump"
    jump: float = 0.1
    train_jump: float = 0.05
    sampling: float = 3.0
    decay: float = 0.5
    spike: float = 0.2

    def judge(self, reading: Reading) -> Finding:
        """Fault if late jumps are large and no smaller than early ones; flag for spikes that died out."""
        third = max(3, reading.epochs // 3)
        val, val_trend = reading.val, reading.val_trend
        # The first epochs are left out: there a steep descent is itself a jump.
        early_part = slice(reading.width // 2, reading.width // 2 + third)
        late = float(features.typical_jump(val[-third:])) / reading.scale
        # Shares of the loss at their time: jumps that only fall along with it are not dying out.
        early_level = max(reading.scale, abs(float(np.median(val_trend[early_part]))))
        early = float(features.typical_jump(val[early_part])) / early_level
        train = float(features.typical_jump(reading.train[-third:]))
        spike = float(features.largest_spike(val[early_part], val_trend[early_part])) / reading.scale
        evidence = {"early": early, "late": late, "train_late": train / reading.scale, "largest_early": spike}
        dying = late < self.decay * early
        if late >= self.jump and not dying and self._weights_jump(reading, late, evidence["train_late"]):
            message = (
                f"In its last third the validation loss still jumps by {percent(late)} from epoch to epoch, "
                f"after {percent(early)} in the first."
            )
            return Finding(self.code, self.title, "fault", evidence, message)
        if dying and spike >= self.spike:
            message = f"Early spikes of up to {percent(spike)} shrank to jumps of {percent(late)}."
            return Finding(self.code, self.title, "flag", evidence, message)
        message = f"In its last third the validation loss varies by {percent(late)} about its trend."
        return Finding(self.code, self.title, "ok", evidence, message)

    def _weights_jump(self, reading: Reading, val_jump: float, train_jump: float) -> bool:
        if train_jump >= self.train_jump:
            return True
        error = reading.sampling_error
        return error is not None and val_jump * reading.scale > self.sampling * error
