"""A change of what is trained: of the network or of its recipe, or none where it would change nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archsearch.architecture import AnyArchitecture, Architecture
from archsearch.records import DataSummary, Recipe


@dataclass(frozen=True, slots=True)
class Subject:
    """What was trained; `data` is None where it is not known on what."""

    architecture: AnyArchitecture
    recipe: Recipe
    data: DataSummary | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """What would be trained instead, and in a few words what is different about it."""

    title: str
    architecture: AnyArchitecture
    recipe: Recipe


NewNetwork = Callable[[Architecture], tuple[str, Architecture] | None]
"""An architecture to a title and another one; None where the change does not apply or is at its limit."""

NewRecipe = Callable[[Subject], tuple[str, Recipe] | None]
"""A subject to a title and another recipe; None likewise."""


@dataclass(frozen=True, slots=True)
class NetworkChange:
    """A change of the network alone; of none that a user's HyperModel builds, whose bounds are not known.

    Attributes
    ----------
    code : str
        Stable, for example ``"lower-dropout"``.
    make : callable
    """

    code: str
    make: NewNetwork

    def apply(self, subject: Subject) -> Changed | None:
        """What would be trained instead; None where the change does not apply, or images would not fit."""
        if not isinstance(subject.architecture, Architecture):
            return None
        made = self.make(subject.architecture)
        if made is None or not _fits(made[1], subject.data):
            return None
        return Changed(*made, subject.recipe)


@dataclass(frozen=True, slots=True)
class RecipeChange:
    """A change of the recipe alone.

    Attributes
    ----------
    code : str
        Stable, for example ``"more-epochs"``.
    make : callable
    reaches_hypermodels : bool
        Whether it changes how a user's HyperModel is trained; optimizer, precision and layers are its own.
    """

    code: str
    make: NewRecipe
    reaches_hypermodels: bool = False

    def apply(self, subject: Subject) -> Changed | None:
        """What would be trained instead; None where the change does not apply."""
        if not (self.reaches_hypermodels or isinstance(subject.architecture, Architecture)):
            return None
        made = self.make(subject)
        return None if made is None else Changed(made[0], subject.architecture, made[1])


Change = NetworkChange | RecipeChange


def rung_below(value: float, ladder: Sequence[float]) -> float | None:
    """The highest of `ladder` that is lower than `value`."""
    return max((rung for rung in ladder if rung < value), default=None)


def rung_above(value: float, ladder: Sequence[float]) -> float | None:
    """The lowest of `ladder` that is higher than `value`."""
    return min((rung for rung in ladder if rung > value), default=None)


def short(value: float) -> float:
    """Three significant digits, as the sampler gives them: for a short notation."""
    return float(f"{value:.3g}")


def _fits(architecture: Architecture, data: DataSummary | None) -> bool:
    if data is None or not architecture.conv:
        return True
    return next(architecture.misfits(data.input_shape), None) is None
