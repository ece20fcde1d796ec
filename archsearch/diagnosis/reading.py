"""Curves made ready for the rules: gaps left out, trends and noise measured once."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archsearch.diagnosis import features
from archsearch.diagnosis.features import FloatArray
from archsearch.diagnosis.values import Context, Curves, as_losses

TREND_SHARES = (0.05, 0.2)
"""Trends are taken over a twentieth of the run, short against any real turn; of a noisy validation loss over
more, up to a fifth, until they are as certain as `TREND_ERROR`."""

TREND_ERROR = 0.03
"""Standard error of a trend that is asked for a rise of 3 %, as a share of the validation loss."""

LEVEL_SHARE = 0.1
"""Where a loss ended is read off the last tenth of the run: what lasted shorter is no end state."""

LEAST_TAIL = 5
"""A line through fewer points has hardly an error to speak of."""

TAIL_SHARE = 0.25
"""Whether a curve still falls is read off its last quarter."""

SMALLEST_SCALE = 0.02
"""Relative numbers refer to the best validation loss, or to this share of the first one if that is more:
of losses that fell fiftyfold the rest is too small for its doubling to matter."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Curves of one training, or of many that share a context, with what every rule needs to know of them.

    Attributes
    ----------
    numbers : array, shape (epochs,)
        Epoch numbers, counted from 1, at which both losses were measured.
    raw_train : array, shape (..., epochs)
        Train loss as reported in training.
    train, val : array, shape (..., epochs)
        The judged curves; `train` is in inference mode if `train_is_eval`.
    train_is_eval : bool
    learning_rate, val_accuracy : array, shape (epochs,), or None
    context : Context
    train_trend, val_trend : array, shape (..., epochs)
    best : array of int, shape (...)
        Index of the lowest point of the validation trend.
    lowest_val : array, shape (...)
        The validation trend there.
    scale : array, shape (...)
        The loss that counts as 100 %.
    raw_train_level, train_level, val_level : array, shape (...)
        Where the losses ended.
    trend_width : int
        Epochs of the window behind the trends.
    turn : int
        Epochs up to the best one; of resampled curves, those of the original.
    """

    numbers: NDArray[np.intp]
    raw_train: FloatArray
    train: FloatArray
    val: FloatArray
    train_is_eval: bool
    learning_rate: FloatArray | None
    val_accuracy: FloatArray | None
    context: Context
    train_trend: FloatArray
    val_trend: FloatArray
    best: NDArray[np.intp]
    lowest_val: FloatArray
    scale: FloatArray
    raw_train_level: FloatArray
    train_level: FloatArray
    val_level: FloatArray
    trend_width: int
    turn: int

    @property
    def epochs(self) -> int:
        """Number of epochs measured."""
        return int(self.val.shape[-1])

    @property
    def best_epoch(self) -> NDArray[np.intp]:
        """Number of the epoch with the lowest validation loss in the window of the trend's, shape (...)."""
        away = np.abs(np.arange(self.epochs) - self.best[..., None])
        near = np.where(away <= self.trend_width // 2, self.val, np.inf)
        return np.asarray(self.numbers[np.argmin(near, axis=-1)])

    @property
    def level_width(self) -> int:
        """Epochs of the median behind final levels."""
        return _level_width(self.epochs, self.trend_width)

    def lacks(self, needs: Iterable[str]) -> set[str]:
        """The names among `needs` of inputs that are not there."""
        there = {
            "train_loss_eval": self.train_is_eval,
            "learning_rate": self.learning_rate is not None,
        }
        return {name for name in needs if not there.get(name, getattr(self.context, name, None) is not None)}

    @property
    def tail(self) -> int:
        """Epochs of the run's end that are asked whether they still fall."""
        return min(self.epochs, max(LEAST_TAIL, math.ceil(self.epochs * TAIL_SHARE)))

    @property
    def rise(self) -> FloatArray:
        """How far the validation loss ended above its lowest trend, shape (...)."""
        return self.val_level - self.lowest_val

    @property
    def train_fall(self) -> FloatArray:
        """How far the train loss fell since the best epoch, shape (...)."""
        return features.at(self.train_trend, self.best) - self.train_level

    @property
    def val_error(self) -> FloatArray:
        """Standard error of the validation loss's trend, shape (...); times √2 that of `rise`.

        The larger of that before the best epoch and that since, so that a quiet end makes an old chance low
        no more certain. Apart, since the turn between them is no noise.
        """
        sides = (slice(0, self.turn), slice(self.turn - 1, None))
        return np.maximum(
            *(
                features.level_noise(self.val[..., side], self.val_trend[..., side], self.trend_width)
                for side in sides
            )
        )

    @property
    def train_error(self) -> FloatArray:
        """Standard error of the train loss's trend, shape (...); times √2 that of `train_fall`."""
        return features.level_noise(self.train, self.train_trend, self.trend_width)

    @property
    def luck(self) -> float:
        """How deep the lowest point of a trend is expected to lie by chance alone, in standard errors.

        The expected minimum of m independent normal values is about √(2 ln m) standard errors deep; m is the
        number of windows that do not overlap.
        """
        return math.sqrt(2 * math.log(max(1.0, self.epochs / self.trend_width)))

    @property
    def sampling_error(self) -> FloatArray | None:
        """Standard error of the validation loss as an estimate, from the size of the validation set.

        Where the spread over samples is unknown, it is taken to equal the loss at the end, as of an
        exponential distribution; or, where that is less than the prior entropy h, √(loss · h): a low loss is
        mostly that of the few samples that are still taken for another class, each of about the size h.
        """
        context = self.context
        if not context.n_val:
            return None
        level = np.abs(self.val_level)
        if context.val_loss_spread is not None:
            spread = np.full_like(level, context.val_loss_spread)
        else:
            spread = np.sqrt(level * np.maximum(level, context.prior_entropy or 0.0))
        return spread / math.sqrt(context.n_val)


def read(curves: Curves, context: Context) -> Reading:
    """Prepare the curves of one training, at least one epoch of which is finite (`finite_until`)."""
    raw_train, val, train_eval = aligned(curves)
    measured = np.isfinite(raw_train) & np.isfinite(val)
    rate, accuracy = (_beside(values, measured) for values in (curves.learning_rate, curves.val_accuracy))
    return reading_of(
        np.flatnonzero(measured) + 1,
        raw_train[measured],
        val[measured],
        None if train_eval is None else _filled(train_eval)[measured],
        context,
        rate,
        accuracy,
    )


def reading_of(
    numbers: NDArray[np.intp],
    raw_train: FloatArray,
    val: FloatArray,
    train_eval: FloatArray | None,
    context: Context,
    learning_rate: FloatArray | None = None,
    val_accuracy: FloatArray | None = None,
    like: Reading | None = None,
) -> Reading:
    """Measure what the rules share, of curves of shape (..., epochs) that are finite throughout.

    Many curves are resampled from one, `like`, whose windows they take.
    """
    train = raw_train if train_eval is None else train_eval
    epochs = val.shape[-1]
    width = like.trend_width if like else _trend_width(val)
    level_width = _level_width(epochs, width)
    val_trend = features.running_median(val, width)
    best = np.asarray(np.argmin(val_trend, axis=-1))
    lowest_val = features.at(val_trend, best)
    first = SMALLEST_SCALE * np.abs(val_trend[..., 0])
    scale = np.maximum(np.maximum(np.abs(lowest_val), first), np.finfo(float).tiny)
    raw_train_level = features.level(raw_train, level_width)
    return Reading(
        numbers=numbers,
        raw_train=raw_train,
        train=train,
        val=val,
        train_is_eval=train_eval is not None,
        learning_rate=learning_rate,
        val_accuracy=val_accuracy,
        context=context,
        train_trend=features.running_median(train, width),
        val_trend=val_trend,
        best=best,
        lowest_val=lowest_val,
        scale=scale,
        raw_train_level=raw_train_level,
        train_level=raw_train_level if train_eval is None else features.level(train_eval, level_width),
        val_level=features.level(val, level_width),
        trend_width=width,
        turn=like.turn if like else int(best) + 1,
    )


def _level_width(epochs: int, trend_width: int) -> int:
    return max(trend_width, features.window(epochs, LEVEL_SHARE))


def _trend_width(val: FloatArray) -> int:
    """Epochs over which the median of one curve is as certain as `TREND_ERROR`, within `TREND_SHARES`."""
    shortest, longest = (features.window(len(val), share) for share in TREND_SHARES)
    loss = max(abs(float(features.level(val, longest))), np.finfo(float).tiny)
    wanted = (features.median_error(1) * float(features.noise(val)) / (TREND_ERROR * loss)) ** 2
    return features.odd(min(max(shortest, wanted), longest))


def picked(reading: Reading, epochs: Sequence[int] | NDArray[np.intp] | slice) -> Reading:
    """The same training as if only some of its epochs had been measured."""
    return reading_of(
        reading.numbers[epochs],
        reading.raw_train[..., epochs],
        reading.val[..., epochs],
        reading.train[..., epochs] if reading.train_is_eval else None,
        reading.context,
        None if reading.learning_rate is None else reading.learning_rate[epochs],
        None if reading.val_accuracy is None else reading.val_accuracy[epochs],
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


def finite_until(curves: Curves) -> int:
    """Number of epochs up to the last one at which both losses are finite."""
    train, val, _ = aligned(curves)
    finite = np.flatnonzero(np.isfinite(train) & np.isfinite(val))
    return int(finite[-1]) + 1 if len(finite) else 0


def shortened(curves: Curves, epochs: int) -> Curves:
    """The first epochs of the curves."""
    train, val, train_eval = aligned(curves)
    rate, accuracy = (
        None if values is None else as_losses(values)[:epochs]
        for values in (curves.learning_rate, curves.val_accuracy)
    )
    return Curves(
        train[:epochs], val[:epochs], None if train_eval is None else train_eval[:epochs], rate, accuracy
    )


def _filled(losses: FloatArray) -> FloatArray:
    """Losses without gaps: epochs that were not measured lie on the line between their neighbours."""
    finite = np.isfinite(losses)
    if finite.all():
        return losses
    time = np.arange(len(losses))
    return np.interp(time, time[finite], losses[finite])


def _beside(values: ArrayLike | None, measured: NDArray[np.bool_]) -> FloatArray | None:
    """A curve that is no loss, at the measured epochs; None where it does not cover them."""
    numbers = None if values is None else as_losses(values)[: len(measured)]
    if numbers is None or len(numbers) < len(measured) or not np.isfinite(numbers[measured]).all():
        return None
    return numbers[measured]
