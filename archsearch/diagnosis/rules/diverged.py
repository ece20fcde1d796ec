"""AS101: the training blew up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import Measured, Threshold, found
from archsearch.diagnosis.values import Outcome
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
    flag: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()
    lost: Threshold = 0.5
    rise: Threshold = 0.5

    def measure(self, reading: Reading) -> Measured:
        """Fault if the train loss ended far above its lowest trend."""
        lowest = reading.train_trend.min(axis=-1)
        train_rise = reading.train_level - lowest
        descent = reading.train_trend[..., 0] - lowest
        lost = np.where(
            descent > 0, train_rise / np.where(descent > 0, descent, 1), (train_rise > 0).astype(float)
        )
        train_share, val_share = train_rise / reading.scale, reading.rise / reading.scale
        risen = np.minimum(train_share, val_share) >= self.rise
        return found(
            risen & (lost >= self.lost), train_rise=train_share, val_rise=val_share, descent_lost=lost
        )

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:
        """From where to where the loss climbed."""
        if outcome != "fault" and evidence["descent_lost"] < self.lost:
            return "Train loss did not climb back towards its start."
        if outcome != "fault":
            return "Train loss rose again, but not far, or validation loss did not rise with it."
        lowest, level = float(reading.train_trend.min()), float(reading.train_level)
        return (
            f"Train loss climbed from {loss(lowest)} back to {loss(level)} and stayed, "
            f"losing {percent(evidence['descent_lost'])} of its descent; validation loss rose with it."
        )
