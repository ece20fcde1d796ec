"""Losses logged at steps of their own, brought to the same ones."""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

PER_BATCH = 5
"""A train loss logged at least so many times as often as the validation loss is taken for one of batches:
validating every fifth epoch only is rarer than logging five times an epoch."""

Series = Mapping[int, float]
"""Values by step."""


class Point(Protocol):
    """One logged value, as MLflow's ``Metric`` has it."""

    @property
    def value(self) -> float: ...  # noqa: D102
    @property
    def step(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102


def series(points: Sequence[Point]) -> Series:
    """Values by step; of a step logged twice the last one in time counts."""
    ordered = sorted(points, key=lambda point: point.timestamp)
    if have_no_steps(points):
        return {number: _value(point) for number, point in enumerate(ordered)}
    return {point.step: _value(point) for point in ordered}


def have_no_steps(points: Sequence[Point]) -> bool:
    """Whether all values have one step, MLflow's default, and times that tell their order."""
    steps, times = {point.step for point in points}, {point.timestamp for point in points}
    return len(steps) == 1 and len(times) == len(points) > 1


def at_steps_of(val: Series, train: Series) -> Series:
    """The train loss, or another series, at the steps of the validation loss.

    As it is where it has a value at each of these steps, up to its own last one, and is not of batches. Else
    each step has the mean of the values since the validation before: of what was seen in between.
    """
    last, is_of_batches = max(train), len(train) >= PER_BATCH * len(val)
    if not is_of_batches and all(step in train for step in val if step <= last):
        return train
    ends, steps = sorted(val), sorted(train)
    values = np.array([train[step] for step in steps])
    if is_of_batches and ends[-1] < last / 2:
        # The one counts epochs, the other batches: as many of them in each epoch.
        return _means(ends, np.array_split(values, len(ends)))
    *parts, later = np.split(values, np.searchsorted(steps, ends, side="right"))
    # A training that failed was not validated any more.
    failed = {} if np.isfinite(later).all() else {last: math.nan}
    return {**_means(ends, parts), **failed}


def are_apart(train: Series, val: Series) -> bool:
    """Whether one loss ended before the other began, and is not one of batches against one of epochs."""
    is_of_batches = len(train) >= PER_BATCH * len(val) and max(val) < max(train) / 2
    return not is_of_batches and (max(train) < min(val) or max(val) < min(train))


def last_known(train: Series, val: Series) -> int | None:
    """The last step that both losses have, or at which one of them was no number after that; None for none.

    A loss that is missing after it was not logged yet, which is no sign that it was no number.
    """
    both = train.keys() & val.keys()
    if not both:
        return None
    end = max(both)
    later = [(step, loss) for losses in (train, val) for step, loss in losses.items() if step > end]
    return min((step for step, loss in later if not math.isfinite(loss)), default=end)


def _means(ends: Sequence[int], parts: Sequence[NDArray[np.float64]]) -> Series:
    return {end: float(part.mean()) for end, part in zip(ends, parts, strict=True) if len(part)}


def _value(point: Point) -> float:
    """The value; MLflow's databases keep infinity as the largest number."""
    return math.copysign(math.inf, point.value) if abs(point.value) >= sys.float_info.max else point.value
