"""The parameters that a family and its training ask for, and every combination of their values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archsearch.errors import SpaceError
from archsearch.space.family_words import CnnFamily, DenseFamily
from archsearch.space.sample import sample_architecture, sample_recipe
from archsearch.space.training_words import TrainingWords
from archsearch.suggest import Suggest


@dataclass(frozen=True, slots=True)
class Parameter:
    """What is asked under one name.

    Attributes
    ----------
    name : str
        For example ``"dense.depth"``.
    low, high : number or None
        Of a range; None for a list.
    values : sequence, or None
        Everything it can be, without repetitions and in order; None for a continuous range.
    """

    name: str
    low: float | None
    high: float | None
    values: Sequence[Any] | None


@dataclass(frozen=True, slots=True)
class Grid:
    """All combinations of some parameters' values, numbered from 0; the last parameter changes fastest.

    Attributes
    ----------
    values : mapping of str to sequence
        Everything each parameter can be, by its name, in the order in which they are asked.
    """

    values: Mapping[str, Sequence[Any]]

    @property
    def size(self) -> int:
        """The number of combinations; different ones may make the same architecture."""
        return math.prod(map(len, self.values.values()))

    def combination(self, number: int) -> dict[str, Any]:
        """The value of each parameter in the combination of that `number`."""
        chosen = {}
        for name in reversed(list(self.values)):
            number, place = divmod(number, len(self.values[name]))
            chosen[name] = self.values[name][place]
        return {name: chosen[name] for name in self.values}

    def nth(self, number: int) -> Suggest:
        """Who chooses the combination of that `number`."""
        return Given(self.combination(number))


class Given:
    """Chooses the values it was given, of what it was not the first or the least, as a `Suggest`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        """The given value, else the first of `choices`."""
        return self._values.get(name, choices[0])

    def integer(self, name: str, low: int, high: int, *, log: bool) -> int:  # noqa: ARG002
        """The given value, else `low`."""
        return int(self._values.get(name, low))

    def real(self, name: str, low: float, high: float, *, log: bool) -> float:  # noqa: ARG002
        """The given value, else `low`."""
        return float(self._values.get(name, low))


def grid(family: DenseFamily | CnnFamily, training: TrainingWords) -> Grid:
    """Every combination of what an architecture of `family` and its recipe may be.

    Raises
    ------
    SpaceError
        If a range of numbers is continuous.
    """
    return grid_of(parameters_of(family, training))


def grid_of(parameters: Sequence[Parameter]) -> Grid:
    """Every combination of some parameters' values.

    Raises
    ------
    SpaceError
        If a range of numbers is continuous.
    """
    values = {}
    for parameter in parameters:
        if parameter.values is None:
            raise SpaceError(f"{parameter.name}: a continuous range has no grid; give a list")
        values[parameter.name] = parameter.values
    return Grid(values)


def parameters_of(family: DenseFamily | CnnFamily, training: TrainingWords) -> tuple[Parameter, ...]:
    """What is asked for an architecture of `family` and its recipe."""
    return *architecture_parameters(family), *recipe_parameters(training)


def architecture_parameters(family: DenseFamily | CnnFamily) -> tuple[Parameter, ...]:
    """What `sample_architecture` asks for, whatever was chosen before."""
    asked = _Asked()
    sample_architecture(family, asked, (1, 1, 1))
    return tuple(asked.parameters)


def recipe_parameters(training: TrainingWords) -> tuple[Parameter, ...]:
    """What `sample_recipe` asks for, whatever was chosen before."""
    asked = _Asked()
    sample_recipe(training, asked)
    return tuple(asked.parameters)


class _Asked:
    """Remembers what it is asked, and answers with the first or the least value."""

    def __init__(self) -> None:
        self.parameters: list[Parameter] = []

    def categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        """The first of `choices`."""
        self.parameters.append(Parameter(name, None, None, tuple(dict.fromkeys(choices))))
        return choices[0]

    def integer(self, name: str, low: int, high: int, *, log: bool) -> int:  # noqa: ARG002
        """`low`."""
        self.parameters.append(Parameter(name, low, high, range(low, high + 1)))
        return low

    def real(self, name: str, low: float, high: float, *, log: bool) -> float:  # noqa: ARG002
        """`low`."""
        self.parameters.append(Parameter(name, low, high, None))
        return low
