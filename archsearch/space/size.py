"""How large a space is: how many architectures and recipes, the smallest, the largest, what is too large."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archsearch.architecture import Architecture, outputs_for
from archsearch.errors import SpaceError
from archsearch.records import Recipe
from archsearch.space.family_words import CnnFamily, DenseFamily, HyperModelFamily
from archsearch.space.grid import (
    Given,
    Parameter,
    architecture_parameters,
    grid_of,
    recipe_parameters,
)
from archsearch.space.parameters import largest, smallest
from archsearch.space.sample import sample_architecture, sample_recipe, sample_space
from archsearch.space.schema import SearchSpace

Cost = Callable[[Architecture], int]

MOST_COMBINATIONS = 20_000
"""Up to this many combinations are made and counted."""

SAMPLES = 200

FEW_VALUES = 16
"""Ranges of whole numbers with up to this many values are tried whole for the smallest and largest."""

BYTES = 4

# Numbers that an optimizer keeps for each weight, beside the weight and its gradient.
_SLOTS = {"adam": 2, "adamw": 2, "sgd": 0, "rmsprop": 1}


@dataclass(frozen=True, slots=True)
class Count:
    """How many different values there are.

    Attributes
    ----------
    number : int or None
        None where a continuous range is searched.
    is_exact : bool
        Whether all were made and counted; otherwise there are at most that many.
    """

    number: int | None
    is_exact: bool

    @property
    def text(self) -> str:
        """In words: ``2,448``, ``at most 1,000,000`` or ``continuous``."""
        if self.number is None:
            return "continuous"
        return f"{self.number:,}" if self.is_exact else f"at most {self.number:,}"


@dataclass(frozen=True, slots=True)
class Extreme:
    """The smallest or largest of something.

    Attributes
    ----------
    architecture : Architecture
    amount : int
        Weights, or bytes.
    """

    architecture: Architecture
    amount: int


@dataclass(frozen=True, slots=True)
class SpaceSize:
    """How large a space is, without what HyperModels make: that is known only by building it.

    Attributes
    ----------
    architectures : Count
        Of the families and the named ones.
    recipes : Count
    is_partial : bool
        Whether a family of HyperModels is left out.
    smallest, largest : Extreme or None
        By weights, among all architectures where they were counted, otherwise among those at the bounds of
        the ranges and some samples; the largest among those that keep the constraint. None without such
        architectures.
    least_memory, most_memory : Extreme or None
        By an estimate of the bytes that training takes: weights, gradients and the optimizer's slots, and
        the outputs of all layers for a batch, with 4 bytes each; among those that keep the constraint.
        Workspaces and the framework itself, some hundred MiB, come on top.
    samples : int
        Random samples that were looked at for `too_large`.
    too_large : int
        How many of them break a constraint.
    """

    architectures: Count
    recipes: Count
    is_partial: bool
    smallest: Extreme | None
    largest: Extreme | None
    least_memory: Extreme | None
    most_memory: Extreme | None
    samples: int
    too_large: int


def space_size(space: SearchSpace, input_shape: tuple[int, ...], classes: int) -> SpaceSize:
    """Size of `space` for samples of `input_shape`."""
    limit = space.constraints.parameters
    measure = _Measure(input_shape, outputs_for(classes), *_loads(space), limit)
    named = {a for a in space.named_architectures.values() if isinstance(a, Architecture)}
    families = space.families.named.values()
    searched = [family for family in families if not isinstance(family, HyperModelFamily)]
    spans = [_span(family, measure) for family in searched]
    counted = {a for count, span in spans if count.is_exact for a in span}
    samples = sample_space(space, input_shape, SAMPLES, space.search.seed)
    seen = named.union(samples, *(architectures for _, architectures in spans))
    kept = {architecture for architecture in seen if measure.is_within(architecture)}
    few, *others = measure.costs
    many, light, heavy = (_best(kept, cost) for cost in others)
    return SpaceSize(
        architectures=_sum([Count(len(named - counted), is_exact=True), *(count for count, _ in spans)]),
        recipes=_recipes(space),
        is_partial=len(searched) < len(families),
        smallest=_best(seen, few),
        largest=many,
        least_memory=light,
        most_memory=heavy,
        samples=len(samples),
        too_large=sum(not measure.is_within(sample) for sample in samples),
    )


def _best(architectures: Iterable[Architecture], cost: Cost) -> Extreme | None:
    costs = {architecture: cost(architecture) for architecture in architectures}
    if not costs:
        return None
    least = min(costs.values())
    # Of equal ones always the same, whatever the order of the set.
    equal = (architecture for architecture, each in costs.items() if each == least)
    return Extreme(min(equal, key=_plainness), abs(least))


def _plainness(architecture: Architecture) -> tuple[int, str]:
    return len(architecture.notation), architecture.notation


def require_within(space: SearchSpace, input_shape: tuple[int, ...], classes: int) -> None:
    """Check that the named architectures keep the constraints, and that something of the families does.

    What a HyperModel makes is not looked at: that is known only by building it.

    Raises
    ------
    SpaceError
        With every fault, a line each.
    """
    most = space.constraints.parameters
    if most is None:
        return
    allowed = f"constraints.parameters allows {most:,}"
    faults = []
    for name, architecture in space.named_architectures.items():
        if isinstance(architecture, Architecture):
            parameters = architecture.parameters(input_shape, outputs_for(classes))
            if parameters > most:
                place = space.place_of(("architectures", name))
                faults.append(f"{place}architectures.{name}: {parameters:,} parameters; {allowed}")
    size = space_size(space, input_shape, classes)
    if not size.is_partial and size.smallest is not None and size.smallest.amount > most:
        place = space.place_of(("constraints", "parameters"))
        faults.append(
            f"{place}{allowed}; the smallest architecture found has {size.smallest.amount:,}: "
            + size.smallest.architecture.notation
        )
    if faults:
        raise SpaceError("\n".join(faults))


def training_memory(
    architecture: Architecture, input_shape: tuple[int, ...], classes: int, recipe: Recipe
) -> int:
    """Estimate the bytes that training takes, as `SpaceSize.least_memory` says."""
    load = _load(recipe)
    return _Measure(input_shape, outputs_for(classes), load, load).memory(architecture, load)


@dataclass(frozen=True, slots=True)
class _Load:
    """What of a recipe decides the memory that it takes."""

    batch: int
    slots: int


def _load(recipe: Recipe) -> _Load:
    has_momentum = recipe.optimizer == "sgd" and recipe.momentum > 0
    return _Load(recipe.batch_size, 1 if has_momentum else _SLOTS[recipe.optimizer])


def _loads(space: SearchSpace) -> tuple[_Load, _Load]:
    """The least and the most that the recipes of a space take, word by word."""
    words = space.training
    optimizers = words.optimizer if isinstance(words.optimizer, tuple) else (words.optimizer,)
    momentum = smallest(words.momentum), largest(words.momentum)
    slots = [
        1 if optimizer == "sgd" and each > 0 else _SLOTS[optimizer]
        for optimizer in optimizers
        for each in momentum
    ]
    return (
        _Load(smallest(words.batch_size), min(slots)),
        _Load(largest(words.batch_size), max(slots)),
    )


@dataclass(frozen=True, slots=True)
class _Measure:
    """Weights and bytes of architectures on some data, and the most weights that they may have."""

    input_shape: tuple[int, ...]
    outputs: int
    light: _Load
    heavy: _Load
    limit: int | None = None

    def weights(self, architecture: Architecture) -> int:
        return architecture.parameters(self.input_shape, self.outputs)

    def memory(self, architecture: Architecture, load: _Load) -> int:
        outputs = architecture.activations(self.input_shape)
        return BYTES * (self.weights(architecture) * (2 + load.slots) + outputs * load.batch)

    def is_within(self, architecture: Architecture) -> bool:
        return self.limit is None or self.weights(architecture) <= self.limit

    @property
    def costs(self) -> tuple[Cost, ...]:
        """What is least for the smallest, the largest, and those with the least and the most memory.

        What is too large costs its weights where the most is looked for: so a search that starts there
        finds its way below the limit.
        """

        def most(amount: Cost) -> Cost:
            return lambda a: -amount(a) if self.is_within(a) else self.weights(a)

        return (
            self.weights,
            most(self.weights),
            lambda architecture: self.memory(architecture, self.light),
            most(lambda architecture: self.memory(architecture, self.heavy)),
        )


def _span(family: DenseFamily | CnnFamily, measure: _Measure) -> tuple[Count, set[Architecture]]:
    """How many architectures a family has, and all of them or the extreme ones."""
    parameters = architecture_parameters(family)

    def made(values: Mapping[str, Any]) -> Architecture:
        return sample_architecture(family, Given(values), measure.input_shape)

    if any(parameter.values is None for parameter in parameters):
        return Count(None, is_exact=False), set(_extremes(parameters, made, measure))
    combinations = grid_of(parameters)
    if combinations.size > MOST_COMBINATIONS:
        return Count(combinations.size, is_exact=False), set(_extremes(parameters, made, measure))
    everything = {made(combinations.combination(number)) for number in range(combinations.size)}
    return Count(len(everything), is_exact=True), everything


def _extremes(
    parameters: Sequence[Parameter], made: Callable[[Mapping[str, Any]], Architecture], measure: _Measure
) -> Iterator[Architecture]:
    """For each cost, the best that changing one parameter at a time leads to, from both ends of all."""
    tried = {parameter.name: _tried(parameter) for parameter in parameters}
    for cost in measure.costs:
        for end in (0, -1):
            chosen = {name: values[end] for name, values in tried.items()}
            best, improved = cost(made(chosen)), True
            while improved:
                improved = False
                for name, values in tried.items():
                    for value in values:
                        now = cost(made({**chosen, name: value}))
                        if now < best:
                            best, improved = now, True
                            chosen[name] = value
            yield made(chosen)


def _tried(parameter: Parameter) -> Sequence[Any]:
    """The values that can matter for the size: of a long range its ends."""
    if parameter.values is None or len(parameter.values) > FEW_VALUES:
        return (parameter.low, parameter.high) if parameter.low is not None else parameter.values or ()
    return parameter.values


def _recipes(space: SearchSpace) -> Count:
    parameters = recipe_parameters(space.training)
    if any(parameter.values is None for parameter in parameters):
        return Count(None, is_exact=False)
    combinations = grid_of(parameters)
    if combinations.size > MOST_COMBINATIONS:
        return Count(combinations.size, is_exact=False)
    different = {sample_recipe(space.training, combinations.nth(n)) for n in range(combinations.size)}
    return Count(len(different), is_exact=True)


def _sum(counts: Sequence[Count]) -> Count:
    numbers = [count.number for count in counts if count.number is not None]
    number = sum(numbers) if len(numbers) == len(counts) else None
    return Count(number, is_exact=all(count.is_exact for count in counts))
