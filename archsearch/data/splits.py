"""Fixed, stratified splits of a data set."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


class Split(NamedTuple):
    """Which samples serve what; each an array of indices.

    Attributes
    ----------
    train, val, test : array of int64
        Disjoint.
    train_eval : array of int64
        The part of `train`, about as large as `val`, on which train loss is measured in inference mode.
    val_half : array of bool, shape (len(val),)
        True for one half of `val`; an epoch is chosen on one half and its loss read on the other.
    """

    train: Indices
    val: Indices
    test: Indices
    train_eval: Indices
    val_half: NDArray[np.bool_]


def split(labels: NDArray[np.int64], validation: float, test: float, seed: int) -> Split:
    """Split samples by class.

    Parameters
    ----------
    labels : array of int64, shape (samples,)
    validation, test : float
        Shares of all samples.
    seed : int

    Raises
    ------
    ValueError
        If a class has too few samples to be in every part.
    """
    everything = np.arange(len(labels))
    rest, held_out = _stratified(everything, labels, test * len(labels), seed)
    train, val = _stratified(rest, labels, validation * len(labels), seed)
    # A stratified part must leave a sample of each class out: of a training part hardly larger, all is taken.
    is_larger = len(train) - len(val) >= len(np.unique(labels))
    train_eval = _stratified(train, labels, len(val), seed)[1] if is_larger else train
    half = _stratified(np.arange(len(val)), labels[val], len(val) / 2, seed)[1]
    val_half = np.zeros(len(val), dtype=np.bool_)
    val_half[half] = True
    return Split(train, val, held_out, train_eval, val_half)


def _stratified(indices: Indices, labels: Indices, size: float, seed: int) -> tuple[Indices, Indices]:
    from sklearn.model_selection import train_test_split

    rest, part = train_test_split(indices, test_size=round(size), random_state=seed, stratify=labels[indices])
    return np.sort(rest), np.sort(part)
