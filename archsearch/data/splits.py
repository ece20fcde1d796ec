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
        If a class has too few samples to be in every part, or no choice of whole groups gives it to all.
    TooFewGroups
        If it has too few groups.
    """
    given = given or {}
    rest = everything = given.get("train", np.arange(len(labels)))
    held_out = given.get("test", np.empty(0, np.int64))
    if "test" not in given and test is not None:
        left = 1 if "val" in given else 2
        rest, held_out = _part(rest, labels, test * len(everything), seed, groups, left)
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
    # scikit-learn refuses where there are very few.
    return draw(train, labels, size, seed)


def draw(indices: Indices, labels: Indices, size: int, seed: int) -> Indices:
    """About `size` of the samples at `indices`: the same share of each class, one sample at least."""
    classes, counts = np.unique(labels[indices], return_counts=True)
    mixed = np.random.default_rng(seed).permutation(indices)
    shares = np.maximum(1, np.round(size * counts / len(indices)).astype(np.int64))
    taken = [mixed[labels[mixed] == one][:share] for one, share in zip(classes, shares, strict=True)]
    return np.sort(np.concatenate(taken))


def _val_half(
    val: Indices, labels: Indices, seed: int, groups: Groups | None, by_hand: bool
) -> NDArray[np.bool_]:
    """Mark one half of `val`: by groups if those give halves alike, else by samples."""
    half = np.zeros(len(val), np.bool_)
    whole = None if groups is None else _grouped_half(val, labels, seed, groups)
    if whole is not None:
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
    indices: Indices, labels: Indices, size: float, seed: int, groups: Groups | None, left: int = 1
) -> tuple[Indices, Indices]:
    """Part off about `size` samples; the rest is for `left` parts, each of which needs every class."""
    if groups is None or not (groups[indices] != "").any():
        return _stratified(indices, labels, size, seed, left)
    return _by_groups(indices, labels, size, seed, groups, left)


def _stratified(
    indices: Indices, labels: Indices, size: float, seed: int, left: int = 1
) -> tuple[Indices, Indices]:
    from sklearn.model_selection import train_test_split

    own = labels[indices]
    _, part = train_test_split(np.arange(len(own)), test_size=round(size), random_state=seed, stratify=own)
    is_part = np.zeros(len(own), np.bool_)
    is_part[part] = True
    # A share of very few samples may be none of them, or too many.
    rng = np.random.default_rng(seed)
    for label in np.unique(own):
        inside, outside = (np.flatnonzero((own == label) & (is_part == side)) for side in (True, False))
        if not len(inside):
            is_part[rng.choice(outside)] = True
        elif len(outside) < left:
            is_part[inside[1:][: left - len(outside)]] = False
    return indices[~is_part], indices[is_part]


def _by_groups(
    indices: Indices, labels: Indices, size: float, seed: int, groups: Groups, left: int = 1
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
    held = (counts > 0).sum(axis=0)
    if held.min() < 1 + left:
        raise TooFewGroups(int(classes[held.argmin()]), int(held.min()))
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
    best = _completed(best, counts, left)
    inside = (counts[best] > 0).sum(axis=0)
    if (lacking := (inside < 1) | (held - inside < left)).any():
        one = int(classes[lacking.argmax()])
        raise ValueError(f"no choice of whole groups gives class number {one} to every part")
    is_part = best[of]
    return indices[~is_part], indices[is_part]


def _completed(taken: NDArray[np.bool_], counts: NDArray[np.int64], left: int) -> NDArray[np.bool_]:
    """`taken` after the smallest groups were moved by which both sides get every class.

    The other side gets `left` groups of each, one for each of the parts that it is for.
    """
    taken, has, sizes = taken.copy(), counts > 0, counts.sum(axis=1)
    for label in np.repeat(np.arange(counts.shape[1]), left):
        inside, outside = has[taken].sum(axis=0), has[~taken].sum(axis=0)
        if not inside[label]:
            movable = ~taken & has[:, label] & ~(has & (outside <= left)).any(axis=1)
        elif outside[label] < left:
            movable = taken & has[:, label] & ~(has & (inside <= 1)).any(axis=1)
        else:
            continue
        if movable.any():
            taken[np.where(movable, sizes, sizes.sum() + 1).argmin()] ^= True
    return taken


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
