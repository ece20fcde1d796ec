"""Past proposals as the sampler may remember them under the space as it is now.

Optuna models all parameters of a study jointly, as far as every trial has them with the same ranges and
lists: one trial from before an edit of the space would leave it nothing to model.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)

from archsearch.space import sample_architecture, sample_recipe
from archsearch.space.family_words import CnnFamily, DenseFamily
from archsearch.space.training_words import TrainingWords
from archsearch.study.values import Proposal

Distributions = Mapping[str, BaseDistribution]

SAMPLER_STATE = ("cma:", "tpe:")
"""Before the names of what Optuna's samplers keep for themselves: it is of no use with other ranges."""

distribution_of = cache(json_to_distribution)
"""A distribution by its text."""


def asked_now(family: DenseFamily | CnnFamily, training: TrainingWords) -> Distributions:
    """The distributions of all that is asked for an architecture of `family` and its recipe, by name."""
    asked = _Asked()
    sample_architecture(family, asked, (1, 1, 1))
    sample_recipe(training, asked)
    return asked.distributions


def remembered(proposal: Proposal, asked: Distributions) -> Proposal | None:
    """A proposal as if it were made now; None where it lies outside of what is `asked`."""
    if {name: distribution_of(text) for name, text in proposal.distributions.items()} == asked:
        return proposal
    if proposal.params.keys() != asked.keys():
        return None
    if not all(_holds(asked[name], value) for name, value in proposal.params.items()):
        return None
    distributions = {name: distribution_to_json(asked[name]) for name in proposal.distributions}
    return replace(
        proposal, distributions=distributions, system_attrs=without_sampler_state(proposal.system_attrs)
    )


def forgotten(proposal: Proposal) -> Proposal:
    """A proposal of which the sampler learns nothing but that it was made; pruners still know it."""
    return replace(
        proposal,
        params={},
        distributions={},
        system_attrs=without_sampler_state(proposal.system_attrs),
        state="RUNNING" if proposal.state == "RUNNING" else "FAIL",
        value=None,
    )


def without_sampler_state(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """What Optuna keeps of a trial, but for what its samplers keep for themselves."""
    return {name: value for name, value in attrs.items() if not name.startswith(SAMPLER_STATE)}


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return isinstance(value, int | float) and distribution.low <= value <= distribution.high


class _Asked:
    """Remembers what it is asked as Optuna does, and answers with the first or the least value."""

    def __init__(self) -> None:
        self.distributions: dict[str, BaseDistribution] = {}

    def categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        """The first of `choices`."""
        self.distributions[name] = CategoricalDistribution(choices)
        return choices[0]

    def integer(self, name: str, low: int, high: int, *, log: bool) -> int:
        """`low`."""
        self.distributions[name] = IntDistribution(low, high, log=log)
        return low

    def real(self, name: str, low: float, high: float, *, log: bool) -> float:
        """`low`."""
        self.distributions[name] = FloatDistribution(low, high, log=log)
        return low
