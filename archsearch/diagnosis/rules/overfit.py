"""AS201: the validation loss turns up while the train loss goes on falling."""

from dataclasses import dataclass
from typing import ClassVar

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.values import Finding, Outcome
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
        3 %, as the rise: it must be the train loss that goes on falling, not both that rise.
    certainty : float
        4 standard errors of a level: two for the difference of two levels at the usual 5 %, two more since
        the best epoch is the lowest of many.
    """

    code: ClassVar[str] = "AS201"
    title: ClassVar[str] = "Validation loss rises while train loss falls"
    rise: float = 0.03
    growth: float = 0.14
    train_fall: float = 0.03
    certainty: float = 4.0

    def worse_at(self, reading: Reading, index: int) -> bool:
        """Whether the validation loss of one epoch lies as far above its best as `rise` says."""
        above = float(reading.val_trend[index] - reading.val_trend[reading.best])
        return above >= self.rise * reading.scale

    def judge(self, reading: Reading) -> Finding:
        """Fault if overfit; flag if the gap grew while the validation loss held its level."""
        rise = reading.rise / reading.scale
        train_fall = reading.train_fall / reading.scale
        error = reading.val_error / reading.scale
        evidence = {
            "rise": rise,
            "gap_growth": rise + train_fall,
            "train_fall": train_fall,
            "rise_noise": error,
            "best_epoch": float(reading.best + 1),
        }
        gap_grew = rise + train_fall >= self.growth and train_fall >= self.train_fall
        rose = rise >= self.rise and rise > self.certainty * error
        outcome: Outcome = ("fault" if rose else "flag") if gap_grew else "ok"
        return Finding(self.code, self.title, outcome, evidence, _message(reading, outcome))


def _message(reading: Reading, outcome: Outcome) -> str:
    best = reading.best + 1
    if outcome == "ok":
        return f"The gap between train and validation loss stayed as it was at the best epoch ({best})."
    train_then = max(abs(float(reading.train_trend[reading.best])), 1e-9 * reading.scale)
    fell = percent(reading.train_fall / train_then)
    if outcome == "fault":
        rose = percent(reading.rise / reading.scale)
        return f"Validation loss rose {rose} above its best (epoch {best}) while train loss fell {fell}."
    return f"Train loss fell {fell} since epoch {best}; validation loss neither gained nor clearly lost."
