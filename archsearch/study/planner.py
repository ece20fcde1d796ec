"""What comes next: named architectures in their order, then the families in turn."""

from collections.abc import Collection
from dataclasses import replace
from typing import TypeGuard

from archsearch.records import EpochRecord, Status, TrialResult
from archsearch.space import SearchSpace
from archsearch.study.budget import Budget
from archsearch.study.candidates import Candidate, Complete, Sample, Unbuildable, excess
from archsearch.study.family import Family
from archsearch.study.proposals import Constraint
from archsearch.study.record import Record
from archsearch.study.values import Proposal


class Planner:
    """Chooses the next trial and records it; tells samplers and pruners what became of it.

    Parameters
    ----------
    space : SearchSpace
    record : Record
        Open for writing.
    trials : collection of TrialResult
        All so far, with their trainings.
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
        self._record = record
        self._named = list(space.named_architectures.items())
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
        self._budget = _spent(space, self._families, self._numbers, trials)

    @property
    def exhausted(self) -> dict[str, str]:
        """The families of which nothing more can be asked, with the reasons."""
        return {name: family.exhausted for name, family in self._families.items() if family.exhausted}

    def next_trial(self, number: int, total: int) -> TrialResult | None:
        """The next trial, recorded; None where there is nothing new to try."""
        if number < len(self._named):
            name, architecture = self._named[number]
            return self._started(number, name, self._complete(architecture), None)
        for name in self._budget.turns(total - len(self._named)):
            proposed = self._proposed(number, self._families[name])
            if proposed:
                return proposed
        return None

    def add_epoch(self, trial: TrialResult, epoch: EpochRecord) -> None:
        """Count an epoch of a running trial towards its family's budget."""
        if trial.number in self._numbers:
            self._budget.add_epoch(trial.number, epoch)

    def should_prune(self, trial: TrialResult, epoch: EpochRecord) -> bool:
        """Whether the pruner finds a trial worse than others; named architectures are not compared."""
        if trial.number not in self._numbers:
            return False
        family, proposal = self._numbers[trial.number]
        return self._families[family].proposals.should_prune(proposal, epoch.epoch, epoch.val_loss)

    def tell(self, trial: TrialResult) -> Proposal | None:
        """Tell the sampler a trial's score; the proposal as it then stands."""
        self._tried[trial.architecture, trial.recipe] = trial
        if trial.number not in self._numbers:
            return None
        self._budget.end(trial.number, trial.status, trial.runs)
        family, number = self._numbers[trial.number]
        proposals = self._families[family].proposals
        proposals.tell(number, trial.score)
        return proposals.proposal(number, trial.number)

    def _proposed(self, number: int, family: Family) -> TrialResult | None:
        """A trial of `family` that is new and within the constraints; None where none can be found."""
        while not family.exhausted:
            fixed = family.pick(self._is_new) if family.needs_pick else None
            if family.exhausted:
                return None
            proposal, candidate = family.ask(fixed)
            if self._is_new(candidate) and not excess(candidate, self._space):
                recorded = family.proposals.proposal(proposal, number)
                self._numbers[number] = (family.name, proposal)
                self._budget.start(number, family.name)
                family.count(recorded)
                return self._started(number, None, candidate, recorded)
            self._dismiss(family, proposal, candidate)
            recorded = family.proposals.proposal(proposal, None)
            family.count(recorded)
            self._record.put_proposal(recorded)
            if isinstance(candidate, Unbuildable):
                family.require_buildable(candidate)
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
        known = self._tried[candidate.architecture, candidate.recipe]
        if known.status is Status.RUNNING:
            family.proposals.discard(proposal)  # its worth is not known yet, and will be told once
        else:
            family.proposals.tell(proposal, known.score)

    def _started(
        self, number: int, name: str | None, candidate: Candidate, proposal: Proposal | None
    ) -> TrialResult:
        trial = TrialResult(
            number, name, candidate.architecture, candidate.recipe, Status.RUNNING, (), candidate.parameters
        )
        if proposal:
            trial = replace(trial, params=proposal.params)
        self._tried[trial.architecture, trial.recipe] = trial
        self._record.add_trial(trial, proposal)
        return trial


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
            if trial.status is not Status.RUNNING:
                budget.end(trial.number, trial.status, trial.runs)
    return budget
