"""AS201: the validation loss turns up while the train loss goes on falling."""

import math
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
class Overfit:
    """The validation loss rose above its best, beyond its noise, and the gap to the train loss opened since.

    The growth of the gap since the best epoch is judged, not the gap: a constant that dropout adds to the
    train loss cancels from it. All shares are of the best validation loss.

    Attributes
    ----------
    rise : float
        3 %: within the range of 1 to 5 % of generalization loss that Prechelt (1998, "Early stopping – but
        when?", criterion GL) explores; less is hardly worth an epoch's choice.
    growth : float
        14 %: growth of the gap above which histories labelled overfit lie, in the simulated ones of Li et al.
        (2024, arXiv 2401.10359).
    train_fall : float
        3 %, as the rise: it is the train loss that goes on falling, not both that rise. One that has changed
        by less stands still.
    steadiness : float
        0.7, the correlation with time of a rise of which time explains one half (r²). A rise as steady as
        that is no noise, however small; and a train loss that has nothing left to fall to may stand still
        meanwhile.
    certainty : float
        2 standard errors, the usual 5 %: of the rise, beyond the depth that the lowest of many epochs has by
        chance, or of a steady rise's correlation; and of the rise for its number of samples.
    paired : float
        0.5: the spread over samples of their change of loss, as a share of the spread of their loss. One
        network's losses at two epochs are correlated: 0.16 to 0.5 in overfit trainings on digits.
    """

    code: ClassVar[str] = "AS201"
    title: ClassVar[str] = "Validation loss rises while train loss falls"
    flag: ClassVar[str] = "mild_overfit"
    needs: ClassVar[tuple[str, ...]] = ("n_val",)
    rise: Threshold = 0.03
    growth: Threshold = 0.14
    train_fall: Threshold = 0.03
    steadiness: Threshold = 0.7
    certainty: Threshold = 2.0
    paired: Threshold = 0.5

    def worse_at(self, reading: Reading, index: int) -> NDArray[np.bool_]:
        """Whether the validation loss of one epoch lies as far above its best as `rise` says."""
        above = reading.val_trend[..., index] - reading.lowest_val
        return np.asarray(above >= self.rise * reading.scale)

    def measure(self, reading: Reading) -> Measured:
        """Fault if overfit; flag if the gap grew while the validation loss held its level."""
        rise = reading.rise / reading.scale
        train_fall = reading.train_fall / reading.scale
        val_error, train_error = reading.val_error / reading.scale, reading.train_error / reading.scale
        error, luck = math.sqrt(2) * val_error, reading.luck * val_error
        steadiness, steady = self._steady(reading)
        stands = train_fall >= -np.maximum(self.train_fall, self.certainty * math.sqrt(2) * train_error)
        apart = (train_fall >= self.train_fall) | (stands & steady)
        grew = (rise + train_fall >= self.growth) & apart
        rose = (rise >= self.rise) & ((rise > self.certainty * error + luck) | steady)
        if reading.sampling_error is not None:
            rose &= reading.rise > self.certainty * self.paired * reading.sampling_error
        return found(
            grew & rose,
            grew,
            rise=rise,
            gap_growth=rise + train_fall,
            train_fall=train_fall,
            steadiness=steadiness,
            rise_error=error,
            luck=luck,
            best_epoch=reading.best_epoch,
        )

    def _steady(self, reading: Reading) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Correlation of the validation loss with time since its best, and whether that is a steady rise.

        The second half of the rise must go on as well: a step to a new level is no steady rise.
        """
        correlation, later = (
            features.steadiness(reading.val_trend, start)
            for start in (reading.best, (reading.best + reading.epochs) // 2)
        )
        windows = (reading.epochs - reading.best) / reading.trend_width
        left = np.maximum(1 - correlation**2, np.finfo(float).eps)
        certainty = correlation * np.sqrt(np.maximum(windows - 2, 0) / left)
        goes_on = np.minimum(correlation, later) >= self.steadiness
        return correlation, goes_on & (certainty >= self.certainty)

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:
        """By how much the validation loss rose since which epoch, and the train loss fell."""
        best = int(evidence["best_epoch"])
        if outcome == "ok" and evidence["gap_growth"] >= self.growth:
            return f"The gap to the train loss has grown since epoch {best}, as both losses rose."
        if outcome == "ok":
            return f"The gap between train and validation loss stayed as it was at the best epoch ({best})."
        train_then = abs(float(features.at(reading.train_trend, reading.best)))
        fell = percent(float(reading.train_fall) / max(train_then, 1e-9 * float(reading.scale)))
        train = f"train loss fell {fell}" if evidence["train_fall"] > 0 else "train loss stood still"
        if outcome == "fault":
            rose = percent(evidence["rise"])
            return f"Validation loss rose {rose} above its best (epoch {best}) while {train}."
        return f"Since epoch {best} {train}; validation loss neither gained nor clearly lost."
