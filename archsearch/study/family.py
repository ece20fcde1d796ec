"""One family of a search: its proposals, and when it holds nothing new."""

import itertools
import random
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Any

from archsearch.records import TrialResult
from archsearch.space import SearchSpace
from archsearch.space.family_words import HyperModelFamily
from archsearch.space.grid import Given, Grid, grid_of, parameters_of
from archsearch.study.candidates import Candidate, Sample, Unbuildable, excess
from archsearch.study.past import asked_now
from archsearch.study.proposals import Constraint, Proposals, broken_constraint, is_picked
from archsearch.study.record import Record
from archsearch.study.values import Proposal

REPEATS_UNTIL_PICKED = 50
"""After so many proposals in a row that were tried before or can't be built, the next trial is picked."""

TOO_LARGE_UNTIL_PICKED = 200
"""The same for proposals that break a constraint; where one in 50 keeps it, 2 % of such rows break it."""

MOST_UNBUILDABLE = 20
"""So many builds of a user's HyperModel that fail in a row may be a fault of its own, not of the values."""

MOST_PICKED = 100_000
"""No more combinations are looked through: that takes seconds, and no search trains as many."""

MOST_MISSED_PICKS = 200
"""So many picks in a row that become no trial, whatever the real numbers beside them, end a family."""


class Miss(Enum):
    """Why a proposal became no trial."""

    REPEATED = auto()
    TOO_LARGE = auto()
    UNBUILDABLE = auto()


_MISSES = {
    None: Miss.REPEATED,
    Constraint.TRAINABLE: Miss.REPEATED,
    Constraint.PARAMETERS: Miss.TOO_LARGE,
    Constraint.BUILDABLE: Miss.UNBUILDABLE,
}


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

    Attributes
    ----------
    proposals : Proposals
    exhausted : str or None
        Why nothing more can be asked of the family; None while something can.
    is_broken : bool
        Whether that is because its models can't be built any more.
    """

    def __init__(
        self, name: str, space: SearchSpace, record: Record, trials: Collection[TrialResult], sample: Sample
    ) -> None:
        self.name = name
        self.exhausted: str | None = None
        self.is_broken = False
        self._space = space
        self._sample = sample
        self._misses: Counter[Miss] = Counter()
        self._picks_made = self._missed_picks = 0
        self._last_built: Mapping[str, Any] | None = None
        past, edited = record.proposals(name), record.proposals_before_edit(name)
        self.proposals = _rebuilt(name, space, past, edited, trials)
        for proposal in past:
            # What was asked in vain before the space was edited says nothing of what it holds now.
            if proposal.number >= edited:
                self.count(proposal)
            elif proposal.trial is not None:
                self._last_built = proposal.params
        self._grid, self._is_whole = _listed(name, space)
        self._picks = self._combinations(self._picks_made)

    @property
    def needs_pick(self) -> bool:
        """Whether the next candidate is picked from the combinations, rather than left to the sampler."""
        return (
            self._space.search.sampler == "grid"
            or self._misses[Miss.REPEATED] + self._misses[Miss.UNBUILDABLE] >= REPEATS_UNTIL_PICKED
            or self._misses[Miss.TOO_LARGE] >= TOO_LARGE_UNTIL_PICKED
        )

    def pick(self, is_new: Callable[[Candidate | Unbuildable], bool]) -> Mapping[str, Any] | None:
        """Values of a next proposal that keeps the constraints; without any the family is exhausted.

        Where all parameters are listed, the proposal is new; else the sampler has yet to choose real numbers.
        """
        if self._missed_picks < MOST_MISSED_PICKS:
            for values in self._picks:
                if not self._is_whole or is_new(self._sample(self.name, Given(values))):
                    return values
        self._exhaust()
        return None

    def ask(self, fixed: Mapping[str, Any] | None) -> tuple[int, Candidate | Unbuildable]:
        """A proposal's number, and what it stands for."""
        number, suggest = self.proposals.ask(fixed)
        return number, self._sample(self.name, suggest)

    def count(self, proposal: Proposal) -> None:
        """Take in what became of a proposal, now or in an earlier process: a trial, or a miss."""
        self._picks_made += is_picked(proposal)
        why = _MISSES[broken_constraint(proposal)]
        if proposal.trial is None:
            self._misses[why] += 1
            self._missed_picks += is_picked(proposal)
        else:
            self._misses.clear()
            self._missed_picks = 0
            self._last_built = proposal.params
        # What asks for nothing is the same each time.
        if not proposal.params and why is not Miss.UNBUILDABLE:
            self._exhaust()

    def end_if_broken(self, candidate: Unbuildable) -> None:
        """End the family where nothing has been built for long, unless values are to blame.

        They are if what was built before can be built now. The other families go on.
        """
        failed = self._misses[Miss.UNBUILDABLE]
        if failed < MOST_UNBUILDABLE or failed < self._misses.total():
            return
        if self._last_built is not None:
            again = self._sample(self.name, Given(self._last_built))
            if isinstance(again, Candidate):
                return
        self.exhausted = f"{failed} builds in a row failed; the last: {candidate.reason}"
        self.is_broken = True

    def _exhaust(self) -> None:
        most = self._space.constraints.parameters
        self.exhausted = (
            "nothing new was found"
            + (" that can be built" if self._misses[Miss.UNBUILDABLE] else "")
            + (f" within constraints.parameters ({most:,})" if most is not None else "")
        )

    def _combinations(self, made: int) -> Iterator[Mapping[str, Any]]:
        """Values that keep the constraints, in an order that the seed decides.

        Combinations of all parameters come once. Those that leave real numbers to the sampler come again and
        again; `made` of them were picked by earlier processes.
        """
        if self._grid is None:
            return
        chance = random.Random(zlib.crc32(f"{self._space.search.seed}/{self.name}/grid".encode()))
        fitting = filter(self._fits, map(self._grid.combination, _shuffled(self._grid, chance)))
        yield from fitting if self._is_whole else itertools.islice(itertools.cycle(fitting), made, None)

    def _fits(self, values: Mapping[str, Any]) -> bool:
        """Whether values keep the constraints, with the least of the real numbers beside them."""
        candidate = self._sample(self.name, Given(values))
        return isinstance(candidate, Candidate) and not excess(candidate, self._space)


def has_fixed_parameters(space: SearchSpace, family: str) -> bool:
    """Whether a family asks for the same parameters each time; those of a user's HyperModel may differ."""
    return not isinstance(space.families.named[family], HyperModelFamily)


def _listed(family: str, space: SearchSpace) -> tuple[Grid | None, bool]:
    """The combinations of listed and whole numbers that can be picked, and whether nothing is left beside."""
    words = space.families.named[family]
    if isinstance(words, HyperModelFamily):
        return None, False
    parameters = parameters_of(words, space.training)
    listed = [parameter for parameter in parameters if parameter.values is not None]
    return grid_of(listed), len(listed) == len(parameters)


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


def _rebuilt(
    family: str,
    space: SearchSpace,
    past: Sequence[Proposal],
    edited: int,
    trials: Collection[TrialResult],
) -> Proposals:
    """The memory of `past` proposals, of which the space was edited after the first `edited` ones."""
    words, asks = space.search, space.families.named[family]
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
    # What a HyperModel asks for is not known beforehand, nor changed by an edit.
    asked = None if isinstance(asks, HyperModelFamily) or not edited else asked_now(asks, space.training)
    ended = {trial.number for trial in trials if trial.status.has_ended}
    # Nothing was told of a trial that ended while its family was out of the space.
    told = [replace(p, state="FAIL") if p.state == "RUNNING" and p.trial in ended else p for p in past]
    proposals.replay(told, curves, asked, _outdated(past[:edited], space, trials))
    return proposals


def _outdated(
    past: Sequence[Proposal], space: SearchSpace, trials: Collection[TrialResult]
) -> frozenset[int]:
    """Proposals from before an edit that another constraint rejected or the present one would."""
    most = space.constraints.parameters
    too_large = {trial.number for trial in trials if most is not None and trial.parameters > most}
    return frozenset(
        proposal.number
        for proposal in past
        if broken_constraint(proposal) is Constraint.PARAMETERS or proposal.trial in too_large
    )
