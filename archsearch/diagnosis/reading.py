"""Curves made ready for the rules: gaps closed, trends and noise measured once."""

import math
from dataclasses import dataclass

import numpy as np

from archsearch.diagnosis import features
from archsearch.diagnosis.features import FloatArray
from archsearch.diagnosis.values import Context, Curves, as_losses

TREND_SHARE = 0.1
"""Trends are taken over a tenth of the run: long enough to outvote spikes, short against any real turn."""

TAIL_SHARE = 0.25
"""Whether a curve still falls is read off its last quarter."""

LEAST_TAIL = 5
"""A line through fewer points has hardly an error to speak of."""

SMALLEST_SCALE = 0.02
"""Relative numbers refer to the best validation loss, or to this share of the first one if that is more:
of losses that fell fiftyfold the rest is too small for its doubling to matter."""

MEAN_TO_MEDIAN = 1.25
"""Standard error of a median over that of a mean, for normal noise (√(π/2))."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One training's curves with what every rule needs to know of them.

    Attributes
    ----------
    raw_train : array, shape (epochs,)
        Train loss as reported in training.
    train, val : array, shape (epochs,)
        The judged curves; `train` is in inference mode if `train_is_eval`.
    train_trend, val_trend : array, shape (epochs,)
    train_is_eval : bool
    width : int
        Epochs of the window behind trends and final levels.
    best : int
        Index of the lowest point of the validation trend.
    scale : float
        The loss that counts as 100 %.
    context : Context
    """

    raw_train: FloatArray
    train: FloatArray
    val: FloatArray
    train_trend: FloatArray
    val_trend: FloatArray
    train_is_eval: bool
    width: int
    best: int
    scale: float
    context: Context

    @property
    def epochs(self) -> int:
        """Length of the run."""
        return len(self.val)

    @property
    def train_level(self) -> float:
        """Where the train loss ended."""
        return float(features.level(self.train, self.width))

    @property
    def val_level(self) -> float:
        """Where the validation loss ended."""
        return float(features.level(self.val, self.width))

    @property
    def rise(self) -> float:
        """How far the validation loss ended above its lowest trend."""
        return self.val_level - float(self.val_trend[self.best])

    @property
    def train_fall(self) -> float:
        """How far the train loss fell since the best epoch."""
        return float(self.train_trend[self.best]) - self.train_level

    @property
    def val_error(self) -> float:
        """Standard error of a level of the validation loss.

        The noise is the larger of that before the best epoch and that of the whole run, so that a quiet end
        makes an old chance low no more certain.
        """
        until_best = self.val[: self.best + self.width // 2 + 1]
        noise = max(float(features.noise(until_best)), float(features.noise(self.val)))
        return MEAN_TO_MEDIAN * noise / math.sqrt(self.width)

    @property
    def tail(self) -> int:
        """Epochs of the run's end that are asked whether they still fall."""
        return min(self.epochs, max(LEAST_TAIL, math.ceil(self.epochs * TAIL_SHARE)))

    @property
    def sampling_error(self) -> float | None:
        """Standard error of the best validation loss as an estimate, from the size of the validation set.

        Where the spread over samples is unknown, it is taken to equal the mean: cross-entropies of a trained
        classifier are at least as skewed as an exponential distribution, whose spread equals its mean.
        """
        if not self.context.n_val or self.context.n_val < 1:
            return None
        spread = self.context.val_loss_spread
        if spread is None or not math.isfinite(spread):
            spread = abs(float(self.val_trend[self.best]))
        return spread / math.sqrt(self.context.n_val)


def read(curves: Curves, context: Context) -> Reading:
    """Prepare curves of which at least one epoch is finite (`finite_epochs`)."""
    raw_train, val, train_eval = aligned(curves)
    raw_train, val = filled(raw_train), filled(val)
    train = raw_train if train_eval is None else filled(train_eval)
    width = features.window(len(val), TREND_SHARE)
    train_trend, val_trend = features.smooth(train, width), features.smooth(val, width)
    best = int(np.argmin(val_trend))
    scale = max(abs(float(val_trend[best])), SMALLEST_SCALE * abs(float(val_trend[0])), np.finfo(float).tiny)
    return Reading(
        raw_train, train, val, train_trend, val_trend, train_eval is not None, width, best, scale, context
    )


def aligned(curves: Curves) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """Train, validation and inference-mode train loss over the epochs that all have.

    An inference-mode train loss that is not finite at the end, where the other two are, was not measured
    there: then it is left out rather than guessed.
    """
    train, val = as_losses(curves.train_loss), as_losses(curves.val_loss)
    epochs = min(len(train), len(val))
    train, val = train[:epochs], val[:epochs]
    if curves.train_loss_eval is None:
        return train, val, None
    train_eval = as_losses(curves.train_loss_eval)[:epochs]
    usable = len(train_eval) == epochs and epochs > 0 and bool(np.isfinite(train_eval[-1]))
    return train, val, train_eval if usable else None


def filled(losses: FloatArray) -> FloatArray:
    """Losses without gaps: epochs that were not measured lie on the line between their neighbours."""
    finite = np.isfinite(losses)
    if finite.all():
        return losses
    time = np.arange(len(losses))
    return np.interp(time, time[finite], losses[finite])


def finite_until(curves: Curves) -> int:
    """Number of epochs up to the last one at which both losses are finite."""
    train, val, _ = aligned(curves)
    finite = np.flatnonzero(np.isfinite(train) & np.isfinite(val))
    return int(finite[-1]) + 1 if len(finite) else 0


def shortened(curves: Curves, epochs: int) -> Curves:
    """The first epochs of the curves."""
    train, val, train_eval = aligned(curves)
    return Curves(train[:epochs], val[:epochs], None if train_eval is None else train_eval[:epochs])
