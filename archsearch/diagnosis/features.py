"""Numbers read off loss curves: pure functions over arrays of shape (..., epochs), one value per curve.

All expect finite losses. None knows a threshold: those belong to the rules.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

MAD_TO_SD = 1.4826
"""Standard deviation of a normal variable over its median absolute deviation."""

SINGLE = 12
"""Epochs from which on a single spike can be told from many."""

MOST_AT_ONCE = 10_000_000
"""Numbers in the windows of a running median that are laid out at a time: 80 MB."""


def window(epochs: int, share: float, least: int = 3) -> int:
    """Odd number of epochs covering `share` of the run, at least `least` where the run is that long.

    Parameters
    ----------
    epochs : int
        Length of the run.
    share : float
        In (0, 1].
    least : int
        Odd; 3 is the smallest window with a median that ignores one outlier.
    """
    wanted = max(least, round(epochs * share))
    longest = max(1, epochs - 1 + epochs % 2)
    return min(odd(wanted), longest)


def odd(epochs: float) -> int:
    """The next odd number from `epochs` on: a window of so many has a middle."""
    whole = math.ceil(epochs)
    return whole + 1 - whole % 2


def running_median(losses: FloatArray, width: int) -> FloatArray:
    """Centred running median; the ends are padded by reflection.

    It removes single spikes whatever their height, and keeps a step, such as one of the learning rate
    leaves, as steep as it was; a mean would lift the low point that follows it.

    Parameters
    ----------
    losses : array, shape (..., epochs)
    width : int
        Odd number of epochs.

    Returns
    -------
    array, shape (..., epochs)
    """
    if width <= 1:
        return losses
    if losses.ndim > 1 and losses.size * width > MOST_AT_ONCE:
        return np.stack([running_median(each, width) for each in losses])
    reach = width // 2
    ends = [(0, 0)] * (losses.ndim - 1) + [(reach, reach)]
    windows = sliding_window_view(np.pad(losses, ends, mode="reflect"), width, axis=-1)
    return np.asarray(np.partition(windows, reach, axis=-1)[..., reach], dtype=np.float64)


def level(losses: FloatArray, width: int) -> FloatArray:
    """Median of the last `width` epochs: where the curve has been at its end, shape (...).

    A median, so that neither a spike nor a turn that has only begun moves it.
    """
    return np.asarray(np.median(losses[..., -width:], axis=-1), dtype=np.float64)


def median_error(width: int) -> float:
    """Standard error of the median of `width` epochs in standard deviations of one, for normal noise."""
    return math.sqrt(math.pi / 2 / width)


def noise(losses: FloatArray) -> FloatArray:
    """Standard deviation of one epoch about the curve's trend, shape (...).

    From the second and the third differences of the run's second half: the former are blind to any straight
    trend, the latter to a bend as well. For white noise of variance s² they have variance 6 s² and 20 s²; the
    smaller estimate is the one with less of the trend in it. Median absolute values make them robust to
    spikes. Zero for curves of fewer than four epochs.
    """
    half = losses[..., -max(5, math.ceil(losses.shape[-1] / 2)) :]
    if half.shape[-1] < 4:
        return np.zeros(losses.shape[:-1])
    estimates = [
        MAD_TO_SD * np.median(np.abs(np.diff(half, n=order, axis=-1)), axis=-1) / math.sqrt(variance)
        for order, variance in ((2, 6), (3, 20))
    ]
    return np.asarray(np.minimum(*estimates), dtype=np.float64)


def level_noise(losses: FloatArray, trend: FloatArray, width: int) -> FloatArray:
    """Standard deviation of the median of `width` epochs about the curve's trend, shape (...).

    At least that of independent epochs (`noise`); more where neighbouring epochs are alike, so that the
    medians of neighbouring windows differ by more than that: as seen in the second differences, one window
    apart, of the running median. Curves of fewer than three windows show only the first.

    Parameters
    ----------
    losses, trend : array, shape (..., epochs)
        A curve and its `running_median`.
    width : int
        Of the running median's window.
    """
    independent = median_error(width) * noise(losses)
    last = max(math.ceil(losses.shape[-1] / 2), 4 * width)
    medians = trend[..., -last:]
    if medians.shape[-1] < 3 * width:
        return independent
    bends = medians[..., 2 * width :] - 2 * medians[..., width:-width] + medians[..., : -2 * width]
    seen = MAD_TO_SD * np.median(np.abs(bends), axis=-1) / math.sqrt(6)
    return np.asarray(np.maximum(independent, seen), dtype=np.float64)


def slope(losses: FloatArray) -> FloatArray:
    """Least-squares change of the loss per epoch, shape (...); zero for a single epoch."""
    time = _centred_time(losses.shape[-1])
    if len(time) < 2:
        return np.zeros(losses.shape[:-1])
    return np.asarray(losses @ time / (time**2).sum(), dtype=np.float64)


def slope_error(losses: FloatArray) -> FloatArray:
    """Standard error of `slope` from the residuals of its line, shape (...); zero below three epochs."""
    epochs = losses.shape[-1]
    if epochs < 3:
        return np.zeros(losses.shape[:-1])
    time = _centred_time(epochs)
    line = losses.mean(axis=-1, keepdims=True) + slope(losses)[..., None] * time
    variance = ((losses - line) ** 2).sum(axis=-1) / (epochs - 2)
    return np.asarray(np.sqrt(variance / (time**2).sum()), dtype=np.float64)


def largest_spike(losses: FloatArray, trend: FloatArray) -> FloatArray:
    """Largest height of an epoch above both its trend and the epoch before it, shape (...).

    The epoch before counts, since a steep descent leaves its trend without any spike.
    """
    heights = np.minimum(losses - trend, np.diff(losses, axis=-1, prepend=losses[..., :1]))
    return np.asarray(np.max(heights, axis=-1, initial=0.0), dtype=np.float64)


def typical_jump(losses: FloatArray) -> FloatArray:
    """Root mean square distance of the epochs from a straight trend, shape (...); zero below three epochs.

    From second differences, as `noise`, but with spikes counted in full: one of height h has second
    differences h, −2 h and h, which sum to 6 h² in squares. Of `SINGLE` epochs or more the three largest are
    left out: one spike alone is no habit of jumping. It serves short runs too, whose smoothed trend would
    follow each jump.
    """
    if losses.shape[-1] < 3:
        return np.zeros(losses.shape[:-1])
    squares = np.diff(losses, n=2, axis=-1) ** 2
    if losses.shape[-1] >= SINGLE:
        squares = np.sort(squares, axis=-1)[..., :-3]
    return np.asarray(np.sqrt(np.mean(squares, axis=-1) / 6), dtype=np.float64)


def steadiness(losses: FloatArray, start: NDArray[np.intp]) -> FloatArray:
    """Correlation of the loss with time from the epoch `start` on, shape (...).

    1 for a loss that rises along a line, near 0 for one that wanders about a level; 0 where nothing follows.

    Parameters
    ----------
    losses : array, shape (..., epochs)
    start : array of int, shape (...)
    """
    time = np.arange(losses.shape[-1], dtype=np.float64)
    counted = time >= start[..., None]
    number = counted.sum(axis=-1, keepdims=True)
    times = np.where(counted, time - (time * counted).sum(axis=-1, keepdims=True) / number, 0)
    values = np.where(counted, losses - (losses * counted).sum(axis=-1, keepdims=True) / number, 0)
    spread = np.sqrt((times**2).sum(axis=-1) * (values**2).sum(axis=-1))
    covered = (times * values).sum(axis=-1)
    return np.asarray(np.divide(covered, spread, out=np.zeros_like(spread), where=spread > 0))


def at(losses: FloatArray, index: NDArray[np.intp]) -> FloatArray:
    """The loss of one epoch of each curve; `index` has shape (...)."""
    return np.asarray(np.take_along_axis(losses, index[..., None], axis=-1)[..., 0], dtype=np.float64)


def _centred_time(epochs: int) -> FloatArray:
    return np.arange(epochs, dtype=np.float64) - (epochs - 1) / 2
