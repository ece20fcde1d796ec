"""One family of a search: its proposals, and when it holds nothing new."""

import random
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import Enum, auto
from typing import Any

from archsearch.errors import ArchsearchError, SpaceError
from archsearch.records import TrialResult
from archsearch.space import SearchSpace
from archsearch.space.family_words import HyperModelFamily
from archsearch.space.grid import Given, Grid, grid
from archsearch.study.candidates import Candidate, Sample, Unbuildable
from archsearch.study.proposals import Proposals, is_rejected
from archsearch.study.record import Record

REPEATS_UNTIL_PICKED = 50
"""After so many proposals in a row of what has been tried before, the next trial is picked without it."""

TOO_LARGE_UNTIL_PICKED = 200
"""The same for proposals that break a constraint; where one in 50 keeps it, 2 % of such rows break it."""

MOST_UNBUILDABLE = 20
"""So many builds of a user's HyperModel that fail in a row are a fault of its own, not of the values."""

MOST_PICKED = 100_000
"""No more combinations are looked through: that takes seconds, and no search trains as many."""


class Miss(Enum):
    """Why a proposal became no trial."""

    REPEATED = auto()
    TOO_LARGE = auto()
    UNBUILDABLE = auto()


class Family:
    """The proposals of one family.

    Parameters
    ----------
    name : str
    space : SearchSpace
    record : Record
    trials : collection of TrialResult
        All trials of the search so far, with their trainings.
    sample : callable
        Where candidates come from.
    """

    def __init__(
        self, name: str, space: SearchSpace, record: Record, trials: Collection[TrialResult], sample: Sample
    ) -> None:
        self.name = name
        self.proposals = _rebuilt(name, space, record, trials)
        self.is_exhausted = False
        self._sample = sample
        self._is_grid = space.search.sampler == "grid"
        self._unseen = _shuffled_combinations(name, space)
        self._misses = _misses(record, name)

    @property
    def needs_pick(self) -> bool:
        """Whether the next candidate is picked from those not tried, without asking the sampler."""
        return (
            self._is_grid
            or self._misses[Miss.REPEATED] >= REPEATS_UNTIL_PICKED
            or self._misses[Miss.TOO_LARGE] >= TOO_LARGE_UNTIL_PICKED
        )

    def pick(self, is_worth_training: Callable[[Candidate | Unbuildable], bool]) -> Mapping[str, Any] | None:
        """The next combination of values that is worth training; without one the family is exhausted."""
        for values in self._unseen:
            if is_worth_training(self._sample(self.name, Given(values))):
                return values
        self.is_exhausted = True
        return None

    def ask(self, fixed: Mapping[str, Any] | None) -> tuple[int, Candidate | Unbuildable]:
        """A proposal's number, and what it stands for."""
        number, suggest = self.proposals.ask(fixed)
        return number, self._sample(self.name, suggest)

    def hit(self) -> None:
        """A proposal has become a trial."""
        self._misses = dict.fromkeys(Miss, 0)

    def miss(self, why: Miss) -> None:
        """A proposal has not become one."""
        self._misses[why] += 1

    def require_buildable(self, candidate: Unbuildable) -> None:
        """Check that not everything that is proposed is `candidate`'s like.

        Raises
        ------
        ArchsearchError
            With the last reason.
        """
        if self._misses[Miss.UNBUILDABLE] >= MOST_UNBUILDABLE:
            raise ArchsearchError(
                f"families.{self.name}: {MOST_UNBUILDABLE} builds in a row failed; the last: "
                + candidate.reason
            )


def has_fixed_parameters(space: SearchSpace, family: str) -> bool:
    """Whether a family asks for the same parameters each time; those of a user's HyperModel may differ."""
    return not isinstance(space.families.named[family], HyperModelFamily)


def _shuffled_combinations(family: str, space: SearchSpace) -> Iterator[Mapping[str, Any]]:
    """What can be picked without a sampler, each once, in an order that the seed decides."""
    words = space.families.named[family]
    if isinstance(words, HyperModelFamily):
        return
    try:
        combinations = grid(words, space.training)
    except SpaceError:  # a range of real numbers
        return
    chance = random.Random(zlib.crc32(f"{space.search.seed}/{family}/grid".encode()))
    yield from map(combinations.combination, _shuffled(combinations, chance))


def _shuffled(combinations: Grid, chance: random.Random) -> Iterator[int]:
    if combinations.size <= MOST_PICKED:
        numbers = list(range(combinations.size))
        chance.shuffle(numbers)
        yield from numbers
        return
    drawn: set[int] = set()
    while len(drawn) < MOST_PICKED:
        number = chance.randrange(combinations.size)
        if number not in drawn:
            drawn.add(number)
            yield number


def _misses(record: Record, family: str) -> dict[Miss, int]:
    """Proposals since the last one that became a trial."""
    misses = dict.fromkeys(Miss, 0)
    for proposal in reversed(record.proposals(family)):
        if proposal.trial is not None:
            break
        misses[Miss.TOO_LARGE if is_rejected(proposal) else Miss.REPEATED] += 1
    return misses


def _rebuilt(family: str, space: SearchSpace, record: Record, trials: Collection[TrialResult]) -> Proposals:
    words = space.search
    proposals = Proposals(
        family,
        words.sampler,
        words.pruner,
        words.seed,
        space.training.longest,
        conditional=not has_fixed_parameters(space, family),
    )
    curves = {
        trial.number: {e.epoch: e.val_loss for e in run.epochs if e.is_finite}
        for trial in trials
        for run in trial.runs
        if run.seed == words.seed  # the pruner hears of the first seed only
    }
    proposals.replay(record.proposals(family), curves)
    return proposals
