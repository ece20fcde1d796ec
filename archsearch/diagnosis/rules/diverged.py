"""AS101: the training blew up."""

from dataclasses import dataclass
from typing import ClassVar

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.values import Finding
from archsearch.diagnosis.wording import loss, percent


@dataclass(frozen=True, slots=True)
class Diverged:
    """The train loss climbed back and stayed up, and the validation loss with it.

    Losses that end in NaN or infinity are divergence too; they are seen before any rule is asked.

    Attributes
    ----------
    lost : float
        Share of the train loss's whole descent that was lost again. One half: by then the run ended nearer
        to its start than to its best. Measured on the descent, which a constant such as that of dropout
        cancels from.
    rise : float
        Least rise of either loss, relative to the best validation loss. One half, so that the slight wobble
        of a network that never left the start is not called divergence.
    """

    code: ClassVar[str] = "AS101"
    title: ClassVar[str] = "Training diverged"
    lost: float = 0.5
    rise: float = 0.5

    def judge(self, reading: Reading) -> Finding:
        """Fault if the train loss ended far above its lowest trend."""
        lowest = float(reading.train_trend.min())
        train_rise = reading.train_level - lowest
        descent = float(reading.train_trend[0]) - lowest
        lost = train_rise / descent if descent > 0 else float(train_rise > 0)
        evidence = {
            "train_rise": train_rise / reading.scale,
            "val_rise": reading.rise / reading.scale,
            "descent_lost": lost,
        }
        risen = min(train_rise, reading.rise) >= self.rise * reading.scale
        if risen and lost >= self.lost:
            message = (
                f"Train loss climbed from {loss(lowest)} back to {loss(reading.train_level)} and stayed, "
                f"losing {percent(lost)} of its descent; validation loss rose with it."
            )
            return Finding(self.code, self.title, "fault", evidence, message)
        message = "Train loss did not climb back towards its start."
        return Finding(self.code, self.title, "ok", evidence, message)
