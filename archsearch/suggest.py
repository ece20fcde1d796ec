"""Who chooses the values of what is searched."""

import math
import random
from typing import Any, Protocol


class Suggest(Protocol):
    """Chooses values; Optuna's trials, a random generator and KerasTuner's hyperparameters fit behind it."""

    def categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        """One of `choices`."""

    def integer(self, name: str, low: int, high: int, *, log: bool) -> int:
        """A whole number from `low` to `high`, both included."""

    def real(self, name: str, low: float, high: float, *, log: bool) -> float:
        """A number from `low` to `high`."""


class RandomSuggest:
    """Chooses evenly at random; for showing samples of a space."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def categorical(self, name: str, choices: tuple[Any, ...]) -> Any:  # noqa: ARG002 - the protocol's word
        """One of `choices`."""
        return self._random.choice(choices)

    def integer(self, name: str, low: int, high: int, *, log: bool) -> int:
        """A whole number from `low` to `high`."""
        if not log:
            return self._random.randint(low, high)
        # Half a number beyond either end, or the ends would come half as often as their neighbours.
        return min(max(low, round(self.real(name, low - 0.5, high + 0.5, log=True))), high)

    def real(self, name: str, low: float, high: float, *, log: bool) -> float:  # noqa: ARG002
        """A number from `low` to `high`."""
        if log:
            return math.exp(self._random.uniform(math.log(low), math.log(high)))
        return self._random.uniform(low, high)


class MiddleSuggest:
    """Chooses nothing at random: the first of a list, the middle of a range."""

    def categorical(self, name: str, choices: tuple[Any, ...]) -> Any:  # noqa: ARG002 - the protocol's word
        """The first of `choices`."""
        return choices[0]

    def integer(self, name: str, low: int, high: int, *, log: bool) -> int:
        """The whole number nearest to the middle."""
        return round(self.real(name, low, high, log=log))

    def real(self, name: str, low: float, high: float, *, log: bool) -> float:  # noqa: ARG002
        """The middle, the geometric one where `log` is true."""
        return math.sqrt(low * high) if log else (low + high) / 2
