"""What may be trained next, before it is a trial."""

from collections.abc import Callable
from dataclasses import dataclass

from archsearch.architecture import AnyArchitecture, Architecture, outputs_for
from archsearch.data.shapes import DataShape
from archsearch.records import DataSummary, Recipe
from archsearch.space import SearchSpace, named_recipe, sample_architecture, sample_recipe
from archsearch.space.family_words import HyperModelFamily
from archsearch.suggest import Suggest


@dataclass(frozen=True, slots=True)
class Candidate:
    """An architecture and how it would be trained.

    Attributes
    ----------
    architecture : Architecture or HyperModelArchitecture
    recipe : Recipe
    parameters : int
        Weights of the network.
    """

    architecture: AnyArchitecture
    recipe: Recipe
    parameters: int


@dataclass(frozen=True, slots=True)
class Unbuildable:
    """What a user's HyperModel can't build: why, on one line."""

    reason: str


Sample = Callable[[str, Suggest], Candidate | Unbuildable]
"""A family's name, and who chooses the values, to a candidate."""

Complete = Callable[[AnyArchitecture], Candidate]
"""A named architecture to a candidate, with the recipe that named ones have."""


def seeds_of(space: SearchSpace) -> tuple[int, ...]:
    """The seeds with which every architecture is trained, in this order."""
    first = space.search.seed
    return tuple(range(first, first + space.training.seeds))


def excess(candidate: Candidate, space: SearchSpace) -> float:
    """By what share a candidate has more parameters than the constraints allow."""
    most = space.constraints.parameters
    return 0.0 if most is None else max(0.0, candidate.parameters / most - 1)


def space_sampler(space: SearchSpace, data: DataSummary | DataShape) -> Sample:
    """Sample from the families that the space itself describes: all but users' HyperModels.

    Parameters
    ----------
    space : SearchSpace
    data : DataSummary or DataShape
        Its input shape and classes complete the architectures.
    """

    def sample(family: str, suggest: Suggest) -> Candidate:
        words = space.families.named[family]
        assert not isinstance(words, HyperModelFamily)
        architecture = sample_architecture(words, suggest, data.input_shape)
        recipe = sample_recipe(space.training, suggest)
        return Candidate(architecture, recipe, _parameters(architecture, data))

    return sample


def space_completer(space: SearchSpace, data: DataSummary | DataShape) -> Complete:
    """Complete the architectures that the space itself describes: all but users' HyperModels."""
    recipe = named_recipe(space.training)

    def complete(architecture: AnyArchitecture) -> Candidate:
        assert isinstance(architecture, Architecture)
        return Candidate(architecture, recipe, _parameters(architecture, data))

    return complete


def _parameters(architecture: Architecture, data: DataSummary | DataShape) -> int:
    return architecture.parameters(data.input_shape, outputs_for(len(data.classes)))
