"""Logarithmic axes for losses: what range they span and where their ticks stand."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from archsearch.report.values import ReportSummary, TrialCard

FEW_DECADES = 1.2
SOME_DECADES = 2.4


@dataclass(frozen=True, slots=True)
class LogScale:
    """A logarithmic range of positive numbers."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Iterable[float], margin: float = 1.15) -> "LogScale":
        """The range of the drawable values with a margin on both sides; 0.1 to 1 where there is none."""
        drawable = [value for value in values if is_drawable(value)]
        if not drawable:
            return cls(0.1, 1.0)
        return cls(min(drawable) / margin, max(drawable) * margin)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Round numbers in the range, at most about six."""
        decades = log10(self.high / self.low)
        if decades < FEW_DECADES:
            steps: tuple[float, ...] = (1, 1.5, 2, 3, 4, 5, 6, 8) if decades < FEW_DECADES / 3 else (1, 2, 5)
        else:
            steps = (1, 3) if decades < SOME_DECADES else (1,)
        exponents = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        inside = [
            step * 10.0**exponent
            for exponent in exponents
            for step in steps
            if self.low <= step * 10.0**exponent <= self.high
        ]
        return tuple(inside[:: ceil(len(inside) / 6) or 1])

    def share(self, value: float) -> float:
        """Where a positive number stands: 0 at `low`, 1 at `high`, beyond them outside."""
        return log10(value / self.low) / log10(self.high / self.low)


def is_drawable(value: float | None) -> bool:
    """Whether a number can stand on a logarithmic axis."""
    return value is not None and isfinite(value) and value > 0


def curve_scale(summary: ReportSummary) -> LogScale:
    """One range of losses for the curves of all trials, so that they compare.

    It reaches from a third of the lowest validation loss to a little above the loss of predicting the class
    frequencies. A train loss below it, or a loss that shoots up, leaves the frame: a scale that
    held them all would flatten what decides a verdict.
    """
    val = [
        value for card in summary.cards for curve in card.curves for value in curve.val if is_drawable(value)
    ]
    prior = summary.data.prior_entropy
    high = 1.6 * prior if is_drawable(prior) else max(val, default=1.0)
    low = min([*val, high / 10]) / 3
    return LogScale(low, high)


def longest_epoch(cards: Iterable[TrialCard]) -> int:
    """The last epoch any trial was planned for or reached: where the curves' common axis ends."""
    return max((max(card.epochs_planned, card.epochs_done) for card in cards), default=1)


def tick_text(value: float) -> str:
    """A tick's number without exponent where that is short."""
    return f"{value:.0f}" if value >= 10 else f"{value:g}"
