"""What comes next: what a person adds, named architectures in their order, then the families in turn."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TypeGuard

from archsearch.architecture import AnyArchitecture
from archsearch.records import EpochRecord, Status, TrialResult
from archsearch.space import SearchSpace
from archsearch.study.budget import Budget
from archsearch.study.candidates import Candidate, Complete, Sample, Unbuildable, excess
from archsearch.study.family import Family
from archsearch.study.proposals import Constraint, Proposals
from archsearch.study.record import Record
from archsearch.study.values import Proposal


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be trained next.

    Attributes
    ----------
    trial : TrialResult or None
        Queued; None where there is nothing new to try.
    proposals : tuple of Proposal
        Those that were made on the way to it, and its own.
    """

    trial: TrialResult | None
    proposals: tuple[Proposal, ...] = ()


class Planner:
    """Chooses the next trial; tells samplers and pruners what became of it.

    Parameters
    ----------
    space : SearchSpace
    record : Record
        Its proposals are read once.
    trials : collection of TrialResult
        All so far, with their trainings, and those that are queued.
    sample : callable
        Where the families' candidates come from.
    complete : callable
        What the named architectures are trained with.
    """

    def __init__(
        self,
        space: SearchSpace,
        record: Record,
        trials: Collection[TrialResult],
        sample: Sample,
        complete: Complete,
    ) -> None:
        self._complete = complete
        self._space = space
        searched = {} if space.search.sampler == "none" else space.families.named
        self._families = {name: Family(name, space, record, trials, sample) for name in searched}
        self._numbers: dict[int, tuple[str, int]] = {
            proposal.trial: (family, proposal.number)
            for family in self._families
            for proposal in record.proposals(family)
            if proposal.trial is not None
        }
        self._tried = {(trial.architecture, trial.recipe): trial for trial in trials}
        self._named = [
            (name, architecture)
            for name, architecture in space.named_architectures.items()
            if not any((trial.name, trial.architecture) == (name, architecture) for trial in trials)
        ]
        # After an edit of the space the families share what is left of the trials.
        changes = record.changes()
        since = changes[-1].trial if changes else 0
        counted = [trial for trial in trials if not trial.by_hand]
        self._others = sum(trial.number < since or trial.number not in self._numbers for trial in counted)
        self._planned = len(counted)
        self._budget = _spent(
            space, self._families, self._numbers, [trial for trial in counted if trial.number >= since]
        )

    @property
    def exhausted(self) -> dict[str, str]:
        """The families of which nothing more can be asked, with the reasons."""
        return {name: family.exhausted for name, family in self._families.items() if family.exhausted}

    @property
    def broken(self) -> str | None:
        """Why a family's models can't be built any more; None where there is no such family."""
        broken = (family for family in self._families.values() if family.is_broken)
        return next((f"families.{family.name}: {family.exhausted}" for family in broken), None)

    def next_trial(self, number: int, total: int) -> Plan:
        """What is trained next, if fewer than `total` trials are planned."""
        if self._planned >= total:
            return Plan(None)
        while self._named:
            name, architecture = self._named.pop(0)
            candidate = self._complete(architecture)
            if self._is_new(candidate):
                self._others += 1
                return Plan(self._queued(number, name, candidate))
        proposals: list[Proposal] = []
        for name in self._budget.turns(total - self._others):
            if trial := self._proposed(number, self._families[name], proposals):
                return Plan(trial, tuple(proposals))
        return Plan(None, tuple(proposals))

    def by_hand(self, number: int, name: str | None, architecture: AnyArchitecture) -> Plan:
        """What a person wants trained, on top of all else; nothing where it was tried before."""
        candidate = self._complete(architecture)
        if not self._is_new(candidate):
            return Plan(None)
        return Plan(self._queued(number, name, candidate, by_hand=True))

    def should_prune(self, trial: TrialResult, epoch: EpochRecord) -> bool:
        """Whether the pruner finds a trial worse than others; only what was proposed is compared."""
        if trial.number not in self._numbers:
            return False
        family, proposal = self._numbers[trial.number]
        return self._families[family].proposals.should_prune(proposal, epoch.epoch, epoch.val_loss)

    def tell(self, trial: TrialResult) -> Proposal | None:
        """Tell the sampler what became of a trial; the proposal as it then stands."""
        self._tried[trial.architecture, trial.recipe] = trial
        if trial.number not in self._numbers:
            return None
        self._budget.end(trial.number, trial.status, trial.runs)
        family, number = self._numbers[trial.number]
        proposals = self._families[family].proposals
        _tell(proposals, number, trial)
        return proposals.proposal(number, trial.number)

    def _proposed(self, number: int, family: Family, made: list[Proposal]) -> TrialResult | None:
        """A trial of `family` that is new and within the constraints; None where none can be found.

        Every proposal goes to `made`.
        """
        while not family.exhausted:
            fixed = family.pick(self._is_new) if family.needs_pick else None
            if family.exhausted:
                return None
            proposal, candidate = family.ask(fixed)
            if self._is_new(candidate) and not excess(candidate, self._space):
                made.append(family.proposals.proposal(proposal, number))
                self._numbers[number] = (family.name, proposal)
                self._budget.start(number, family.name)
                family.count(made[-1])
                return replace(self._queued(number, None, candidate), params=made[-1].params)
            self._dismiss(family, proposal, candidate)
            made.append(family.proposals.proposal(proposal, None))
            family.count(made[-1])
            if isinstance(candidate, Unbuildable):
                family.end_if_broken(candidate)
        return None

    def _is_new(self, candidate: Candidate | Unbuildable) -> TypeGuard[Candidate]:
        return (
            isinstance(candidate, Candidate) and (candidate.architecture, candidate.recipe) not in self._tried
        )

    def _dismiss(self, family: Family, proposal: int, candidate: Candidate | Unbuildable) -> None:
        """Tell the sampler why a proposal becomes no trial."""
        if isinstance(candidate, Unbuildable):
            family.proposals.reject(proposal, Constraint.BUILDABLE, 1.0)
            return
        if too_large := excess(candidate, self._space):
            family.proposals.reject(proposal, Constraint.PARAMETERS, too_large)
            return
        _tell(family.proposals, proposal, self._tried[candidate.architecture, candidate.recipe])

    def _queued(
        self, number: int, name: str | None, candidate: Candidate, *, by_hand: bool = False
    ) -> TrialResult:
        trial = TrialResult(
            number,
            name,
            candidate.architecture,
            candidate.recipe,
            Status.QUEUED,
            (),
            candidate.parameters,
            by_hand=by_hand,
        )
        self._tried[trial.architecture, trial.recipe] = trial
        self._planned += not by_hand
        return trial


def _tell(proposals: Proposals, number: int, trial: TrialResult) -> None:
    """Tell the sampler a trial's score, that it was pruned, that it can't be trained, or nothing."""
    if trial.status.is_failure:
        proposals.reject(number, Constraint.TRAINABLE, 1.0)
    elif trial.status is Status.SKIPPED or not trial.status.has_ended:
        proposals.discard(number)  # its worth is not known, or will be told once
    else:
        proposals.tell(number, trial.score)


def _spent(
    space: SearchSpace,
    families: Collection[str],
    numbers: dict[int, tuple[str, int]],
    trials: Collection[TrialResult],
) -> Budget:
    """The budget as past trials have left it; named ones have none of it."""
    budget = Budget(space.search.budget, list(families))
    for trial in trials:
        if trial.number in numbers:
            budget.start(trial.number, numbers[trial.number][0])
            if trial.status.has_ended:
                budget.end(trial.number, trial.status, trial.runs)
    return budget
