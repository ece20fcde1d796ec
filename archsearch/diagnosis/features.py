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
    return min(wanted + 1 - wanted % 2, longest)


def smooth(losses: FloatArray, width: int) -> FloatArray:
    """Centred running median, then centred running mean; the ends are padded with their own median.

    The median removes single spikes whatever their height, the mean the steps that it leaves.

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
    medians = np.median(_windows(losses, width), axis=-1)
    return np.asarray(np.mean(_windows(medians, width), axis=-1), dtype=np.float64)


def level(losses: FloatArray, width: int) -> FloatArray:
    """Median of the last `width` epochs: where the curve ended, shape (...)."""
    return np.asarray(np.median(losses[..., -width:], axis=-1), dtype=np.float64)


def noise(losses: FloatArray) -> FloatArray:
    """Standard deviation of one epoch about the curve's trend, shape (...).

    From the second differences of the run's second half, which are blind to any straight trend; for white
    noise of variance s² they have variance 6 s². Their median absolute value makes it robust to spikes.
    Zero for curves of fewer than four epochs.
    """
    half = losses[..., -max(4, math.ceil(losses.shape[-1] / 2)) :]
    bends = np.diff(half, n=2, axis=-1)
    if bends.shape[-1] < 2:
        return np.zeros(losses.shape[:-1])
    return np.asarray(MAD_TO_SD * np.median(np.abs(bends), axis=-1) / math.sqrt(6), dtype=np.float64)


def slope(losses: FloatArray) -> FloatArray:
    """Least-squares change of the loss per epoch, shape (...); zero for a single epoch."""
    time = _centred_time(losses.shape[-1])
    if len(time) < 2:
        return np.zeros(losses.shape[:-1])
    return np.asarray((losses * time).sum(axis=-1) / (time**2).sum(), dtype=np.float64)


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

    From second differences, as `noise`, but with every spike counted in full: one of height h has second
    differences h, −2 h and h, which sum to 6 h² in squares. It serves short runs too, whose smoothed trend
    would follow each jump.
    """
    if losses.shape[-1] < 3:
        return np.zeros(losses.shape[:-1])
    bends = np.diff(losses, n=2, axis=-1)
    return np.asarray(np.sqrt(np.mean(bends**2, axis=-1) / 6), dtype=np.float64)


def _windows(values: FloatArray, width: int) -> FloatArray:
    reach = width // 2
    ends = [(0, 0)] * (values.ndim - 1) + [(reach, reach)]
    return sliding_window_view(np.pad(values, ends, mode="reflect"), width, axis=-1)


def _centred_time(epochs: int) -> FloatArray:
    return np.arange(epochs, dtype=np.float64) - (epochs - 1) / 2
