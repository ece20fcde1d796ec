"""Fixed splits of a data set: given ones completed, or stratified by class and by groups."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsearch.space.data_words import Part

Indices = NDArray[np.int64]
Groups = NDArray[np.str_]

# Orders of groups that are tried, how many groups may be looked at in all of them, and the error in a class's
# share that needs no better order.
ORDERS = 25
LOOKS = 100_000
GOOD_ENOUGH = 0.005

# A half of the validation set by groups is used if no class's share of it is further from a half than this.
HALF_TOLERANCE = 0.15


class TooFewGroups(ValueError):
    """The groups of a class can't be shared out: it has too few."""

    def __init__(self, label: int, groups: int) -> None:
        super().__init__(f"class number {label} has too few groups ({groups}) for every part to get one")
        self.label = label
        self.groups = groups


class Split(NamedTuple):
    """Which samples serve what; each an array of indices.

    Attributes
    ----------
    train, val, test : array of int64
        Disjoint; `test` is empty where the space goes without a test set.
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


def split(
    labels: NDArray[np.int64],
    validation: float,
    test: float | None,
    seed: int,
    given: Mapping[Part, Indices] | None = None,
    groups: Groups | None = None,
) -> Split:
    """Split samples by class, keeping groups whole.

    Parameters
    ----------
    labels : array of int64, shape (samples,)
    validation, test : float
        Shares of all samples or, where splits are given, of the given training set; a share counts where that
        split is not given. `test` may be None: no test set.
    seed : int
    given : mapping of str to array of int64, optional
        Splits that the data bring along; ``"train"`` at least.
    groups : array of str, shape (samples,), optional
        An empty text is a group of its own.

    Raises
    ------
    ValueError
        If a class has too few samples to be in every part.
    TooFewGroups
        If it has too few groups.
    """
    given = given or {}
    rest = everything = given.get("train", np.arange(len(labels)))
    held_out = given.get("test", np.empty(0, np.int64))
    if "test" not in given and test is not None:
        rest, held_out = _part(rest, labels, test * len(everything), seed, groups)
    if "val" in given:
        train, val = rest, given["val"]
    else:
        train, val = _part(rest, labels, validation * len(everything), seed, groups)
    # Parts of given splits need no scikit-learn, whose import takes longer than reading decoded images.
    by_hand = bool(given)
    return Split(
        train=train,
        val=val,
        test=held_out,
        train_eval=_measured(train, labels, len(val), seed, by_hand),
        val_half=_val_half(val, labels, seed, groups, by_hand),
    )


def _measured(train: Indices, labels: Indices, size: int, seed: int, by_hand: bool) -> Indices:
    # A stratified part must leave a sample of each class out: of a training part hardly larger, all is taken.
    classes, counts = np.unique(labels[train], return_counts=True)
    if len(train) - size < len(classes):
        return train
    if not by_hand and size >= len(classes) and counts.min() >= 2:
        return _stratified(train, labels, size, seed)[1]
    # The same share of each class, one sample at least; scikit-learn refuses where there are very few.
    mixed = np.random.default_rng(seed).permutation(train)
    shares = np.maximum(1, np.round(size * counts / len(train)).astype(np.int64))
    taken = [mixed[labels[mixed] == one][:share] for one, share in zip(classes, shares, strict=True)]
    return np.sort(np.concatenate(taken))


def _val_half(
    val: Indices, labels: Indices, seed: int, groups: Groups | None, by_hand: bool
) -> NDArray[np.bool_]:
    """Mark one half of `val`: by groups if those give halves alike, else by samples."""
    half = np.zeros(len(val), np.bool_)
    whole = groups is not None and _grouped_half(val, labels, seed, groups)
    if whole is not False and whole is not None:
        half[np.searchsorted(val, whole)] = True
    elif not by_hand and np.unique(labels[val], return_counts=True)[1].min() >= 2:
        half[_stratified(np.arange(len(val)), labels[val], len(val) / 2, seed)[1]] = True
    else:  # every other sample, class after class
        mixed = np.random.default_rng(seed).permutation(len(val))
        half[mixed[np.argsort(labels[val][mixed], kind="stable")][::2]] = True
    return half


def _grouped_half(val: Indices, labels: Indices, seed: int, groups: Groups) -> Indices | None:
    try:
        rest, half = _by_groups(val, labels, len(val) / 2, seed, groups)
    except ValueError:
        return None
    shares = _counts(labels, half) / np.maximum(1, _counts(labels, val))
    there = _counts(labels, val) > 0
    return half if np.abs(shares[there] - 0.5).max() <= HALF_TOLERANCE and len(rest) else None


def _counts(labels: Indices, indices: Indices) -> NDArray[np.int64]:
    return np.bincount(labels[indices], minlength=int(labels.max()) + 1)


def _part(
    indices: Indices, labels: Indices, size: float, seed: int, groups: Groups | None
) -> tuple[Indices, Indices]:
    if groups is None or not (groups[indices] != "").any():
        return _stratified(indices, labels, size, seed)
    return _by_groups(indices, labels, size, seed, groups)


def _stratified(indices: Indices, labels: Indices, size: float, seed: int) -> tuple[Indices, Indices]:
    from sklearn.model_selection import train_test_split

    rest, part = train_test_split(indices, test_size=round(size), random_state=seed, stratify=labels[indices])
    return np.sort(rest), np.sort(part)


def _by_groups(
    indices: Indices, labels: Indices, size: float, seed: int, groups: Groups
) -> tuple[Indices, Indices]:
    """Part off about `size` samples in whole groups, each class in about the same share.

    Groups are taken in random order, each if that brings the classes' shares nearer to those asked for (in
    squares); of several orders the best is kept. (Folds of scikit-learn's ``StratifiedGroupKFold`` come in
    shares 1/k only, and of 12 groups deviate up to 4 % of all samples where these deviate 2 %.)
    """
    of = _numbered(groups[indices], indices)
    classes, own = np.unique(labels[indices], return_inverse=True)
    counts = np.zeros((of.max() + 1, len(classes)), np.int64)
    np.add.at(counts, (of, own), 1)
    totals = counts.sum(axis=0)
    share = size / len(indices)
    rng = np.random.default_rng(seed)
    best, least = np.zeros(len(counts), np.bool_), np.inf
    for _ in range(min(ORDERS, 1 + LOOKS // len(counts))):
        taken = _taken(counts / totals, share, rng.permutation(len(counts)))
        error = float(np.abs(counts[taken].sum(axis=0) / totals - share).max())
        if error < least:
            best, least = taken, error
        if least <= GOOD_ENOUGH:
            break
    is_part = best[of]
    for number, one in enumerate(classes):
        inside = int((own[is_part] == number).sum())
        if not 0 < inside < totals[number]:
            held = int((counts[:, number] > 0).sum())
            raise TooFewGroups(int(one), held)
    return indices[~is_part], indices[is_part]


def _numbered(groups: Groups, indices: Indices) -> NDArray[np.int64]:
    """A number for each group; samples without a group get one each."""
    names = np.where(groups == "", np.char.add("\n", indices.astype(np.str_)), groups)
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _taken(weights: NDArray[np.float64], share: float, order: Indices) -> NDArray[np.bool_]:
    """Groups, in `order`, that bring the sum over classes of (share so far - share)² down."""
    taken = np.zeros(len(weights), np.bool_)
    missing = np.full(weights.shape[1], share)
    # Each group touches few classes: their numbers once, so that the loop works on those only.
    rows, columns = np.nonzero(weights)
    starts = np.searchsorted(rows, np.arange(len(weights) + 1))
    for group in order:
        touched = columns[starts[group] : starts[group + 1]]
        weight, gap = weights[group, touched], missing[touched]
        if weight @ (2 * gap - weight) > 0:
            taken[group] = True
            missing[touched] = gap - weight
    return taken
