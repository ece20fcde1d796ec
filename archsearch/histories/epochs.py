"""Numbers of the epochs of one curve: which are there, which are missing, how far apart they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from archsearch.histories.table import FloatArray, listed

IntArray = NDArray[np.int64]

MOST_MISSING = 0.5
"""Share of a curve's epochs that may be missing. Beyond it most of the curve would be straight lines of our
own making, and numbers so far apart are more often batches than epochs."""


@dataclass(frozen=True, slots=True, eq=False)
class Epochs:
    """The epochs at which a curve was recorded.

    Attributes
    ----------
    numbers : array of int, shape (rows,)
        Ascending, none twice.
    step : int
        How many epochs lie between one place of the curve and the next: 5 where each fifth was logged.
    """

    numbers: IntArray
    step: int

    @classmethod
    def of(cls, numbers: IntArray) -> "Epochs":
        """Epochs with the largest step that reaches all of them."""
        return cls(numbers, max(int(np.gcd.reduce(np.diff(numbers), initial=0)), 1))

    @property
    def first(self) -> int:
        """Number of the first epoch."""
        return int(self.numbers[0])

    @property
    def last(self) -> int:
        """Number of the last epoch."""
        return int(self.numbers[-1])

    @property
    def length(self) -> int:
        """Places from the first epoch to the last, those that are missing included."""
        return (self.last - self.first) // self.step + 1

    @property
    def are_mostly_missing(self) -> bool:
        """Whether more than `MOST_MISSING` of the places are empty."""
        return self.length - len(self.numbers) > MOST_MISSING * self.length

    def spread(self, values: FloatArray) -> FloatArray:
        """Values at their epochs' places, NaN where one is missing; shape (length,)."""
        if self.length == len(values):
            return values
        spread = np.full(self.length, np.nan)
        spread[(self.numbers - self.first) // self.step] = values
        return spread

    def planned(self, epochs: int) -> int:
        """How many places a training of so many planned epochs would have had."""
        before = max(self.first - 1, 0)
        return max(-(-(epochs - before) // self.step), 1)

    def notes(self) -> Iterator[str]:
        """What is unusual, a sentence each."""
        if self.first > 1:
            yield f"The first epoch is {self.first}: epochs are counted from there."
        if self.step > 1:
            yield f"Epochs are {self.step} apart throughout: each counts as one."
        if self.length > len(self.numbers):
            places = np.arange(self.first, self.last + 1, self.step)
            missing = np.setdiff1d(places, self.numbers, assume_unique=True)
            what = "1 epoch is" if len(missing) == 1 else f"{len(missing)} epochs are"
            yield f"{what} missing ({_ranges(missing, self.step)}): taken as not measured."


def _ranges(numbers: IntArray, step: int) -> str:
    """``4, 7–9``."""
    runs = [list(run) for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0] * step)]
    ends = [(int(run[0][1]), int(run[-1][1])) for run in runs]
    return listed([f"{start}" if start == end else f"{start}–{end}" for start, end in ends], most=5)
