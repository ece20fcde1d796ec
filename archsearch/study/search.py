"""The search loop: propose, train, record, judge, tell."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from archsearch.architecture import Architecture
from archsearch.diagnosis import diagnose_trial
from archsearch.execution import EpochEnded, Executor, RunEnded
from archsearch.ranking import trial_score
from archsearch.records import (
    DataSummary,
    EpochRecord,
    Recipe,
    Status,
    Training,
    TrainingRun,
    TrialResult,
    linear_model_of,
)
from archsearch.space import SearchSpace, named_recipe, sample_architecture, sample_recipe
from archsearch.study.proposals import Proposals
from archsearch.study.record import Proposal, Record

POLL_SECONDS = 0.2
# Proposals of what has been tried before, in a row, after which a family is taken to hold nothing new.
REPEATS_UNTIL_EXHAUSTED = 50


class Outcome(StrEnum):
    """How a process's work on a search ended."""

    FINISHED = "finished"
    HOURS_REACHED = "hours_reached"
    INTERRUPTED = "interrupted"
    ALL_FAILED = "all_failed"


@dataclass(frozen=True, slots=True)
class SearchStarted:
    """A process takes the search up: trials it is to have, and those that ended before."""

    total: int
    ended: tuple[TrialResult, ...]


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A trial's training starts."""

    trial: TrialResult


@dataclass(frozen=True, slots=True)
class EpochMeasured:
    """An epoch of a trial is recorded."""

    trial: TrialResult
    epoch: EpochRecord


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """A trial is recorded and judged."""

    trial: TrialResult


SearchEvent = SearchStarted | TrialStarted | EpochMeasured | TrialEnded
Notify = Callable[[SearchEvent], None]


class Search:
    """Drives one search from where its record stands to its end.

    Parameters
    ----------
    space : SearchSpace
    record : Record
        Open for writing, held by this process alone, its session begun.
    executor : Executor
    notify : callable
        Told of every event after it is recorded.
    """

    def __init__(self, space: SearchSpace, record: Record, executor: Executor, notify: Notify) -> None:
        header = record.header()
        self._record = record
        self._executor = executor
        self._notify = notify
        self._data: DataSummary = header.data
        self._linear = linear_model_of(header.references)
        self._seeds = (space.search.seed,)
        self._trials = {trial.number: trial for trial in record.trials()[0]}
        self._interrupted = [t.number for t in self._trials.values() if t.status is Status.RUNNING]
        self._running: dict[int, list[TrainingRun]] = {}
        self._planner = _Planner(space, self._data, record, self._trials.values())
        self.driver_seconds = 0.0

    def run(self, total: int, deadline: float | None, stop: threading.Event) -> Outcome:
        """Run until there are `total` trials, the time is up, or `stop` is set.

        Parameters
        ----------
        total : int
        deadline : float or None
            In seconds of ``time.monotonic``.
        stop : threading.Event
            Set by a signal: nothing new is started, what runs is left for the next time.
        """
        ended = tuple(t for t in self._trials.values() if t.status is not Status.RUNNING)
        self._notify(SearchStarted(total, ended))
        while not stop.is_set():
            if deadline is not None and time.monotonic() >= deadline:
                return Outcome.HOURS_REACHED
            started = time.monotonic()
            self._fill(total)
            self.driver_seconds += time.monotonic() - started
            if not self._running:
                return Outcome.FINISHED if self._any_succeeded() else Outcome.ALL_FAILED
            events = self._executor.poll(POLL_SECONDS)
            started = time.monotonic()
            for event in events:
                self._handle(event)
            self.driver_seconds += time.monotonic() - started
        return Outcome.INTERRUPTED

    def _any_succeeded(self) -> bool:
        return any(not trial.status.is_failure for trial in self._trials.values())

    def _fill(self, total: int) -> None:
        while len(self._running) < self._executor.capacity:
            trial = self._restarted() or self._new(total)
            if trial is None:
                return
            self._trials[trial.number] = trial
            self._running[trial.number] = []
            self._notify(TrialStarted(trial))
            self._executor.submit(Training(trial.number, trial.architecture, trial.recipe, self._seeds))

    def _restarted(self) -> TrialResult | None:
        if not self._interrupted:
            return None
        return self._trials[self._interrupted.pop(0)]

    def _new(self, total: int) -> TrialResult | None:
        if len(self._trials) >= total:
            return None
        return self._planner.next_trial(len(self._trials), total)

    def _handle(self, event: EpochEnded | RunEnded) -> None:
        trial = self._trials[event.trial]
        if isinstance(event, EpochEnded):
            self._record.add_epoch(event.trial, event.seed, event.epoch)
            prune = event.epoch.is_finite and self._planner.should_prune(trial, event.epoch)
            # A training at its last epoch has cost all it will: its result is kept, however bad.
            is_last = event.epoch.epoch == trial.recipe.epochs
            self._executor.answer(event.trial, go_on=is_last or not prune)
            self._notify(EpochMeasured(trial, event.epoch))
            return
        runs = self._running[event.trial]
        runs.append(event.run)
        if len(runs) == len(self._seeds):
            del self._running[event.trial]
            self._end(replace(trial, runs=tuple(runs)))

    def _end(self, trial: TrialResult) -> None:
        """Judge a trial, tell the sampler, record both, in this order: the record is what was told."""
        trial = replace(trial, status=_overall(trial.runs), score=_score(trial.runs))
        earlier = [other for other in self._trials.values() if other.number != trial.number]
        diagnosis = diagnose_trial(trial, earlier, self._data, self._linear)
        trial = replace(trial, verdict=str(diagnosis.verdict), delivered=str(diagnosis.delivered))
        proposal = self._planner.tell(trial)
        self._record.end_trial(trial, proposal)
        self._trials[trial.number] = trial
        self._notify(TrialEnded(trial))


class _Planner:
    """Chooses what comes next: named architectures in their order, then the families in turn."""

    def __init__(
        self, space: SearchSpace, data: DataSummary, record: Record, trials: Collection[TrialResult]
    ) -> None:
        self._space = space
        self._data = data
        self._record = record
        self._named = [(name, words.build()) for name, words in space.architectures.items()]
        self._proposals = {family: _rebuilt(family, space, record, trials) for family in space.families.named}
        self._numbers: dict[int, tuple[str, int]] = {
            proposal.trial: (family, proposal.number)
            for family in self._proposals
            for proposal in record.proposals(family)
            if proposal.trial is not None
        }
        self._exhausted: set[str] = set()
        self._tried = {(trial.architecture, trial.recipe): trial for trial in trials}

    def next_trial(self, number: int, total: int) -> TrialResult | None:
        """The next trial, recorded; None where there is nothing new to try."""
        if number < len(self._named):
            name, architecture = self._named[number]
            trial = self._trial(number, name, architecture, named_recipe(self._space.training))
            self._tried[architecture, trial.recipe] = trial
            self._record.add_trial(trial, None)
            return trial
        for family in self._families_due(total):
            proposed = self._proposed(number, family)
            if proposed:
                return proposed
            self._exhausted.add(family)
        return None

    def should_prune(self, trial: TrialResult, epoch: EpochRecord) -> bool:
        """Whether the pruner would stop a trial; named architectures are never stopped."""
        if trial.number not in self._numbers:
            return False
        family, proposal = self._numbers[trial.number]
        return self._proposals[family].should_prune(proposal, epoch.epoch, epoch.val_loss)

    def tell(self, trial: TrialResult) -> Proposal | None:
        """Tell the sampler a trial's score; the proposal as it then stands."""
        self._tried[trial.architecture, trial.recipe] = trial
        if trial.number not in self._numbers:
            return None
        family, number = self._numbers[trial.number]
        self._proposals[family].tell(number, trial.score)
        return self._proposals[family].proposal(number, trial.number)

    def _families_due(self, total: int) -> Iterator[str]:
        """Families with trials left of their equal share, the one with the fewest first."""
        counts = dict.fromkeys(self._proposals, 0)
        for family, _ in self._numbers.values():
            counts[family] += 1
        share, extra = divmod(total - len(self._named), max(1, len(counts)))
        for n, family in sorted(enumerate(counts), key=lambda item: (counts[item[1]], item[0])):
            if counts[family] < share + (n < extra) and family not in self._exhausted:
                yield family

    def _proposed(self, number: int, family: str) -> TrialResult | None:
        """A trial of `family` that has not been tried; what has been is told to the sampler again."""
        proposals = self._proposals[family]
        for _ in range(REPEATS_UNTIL_EXHAUSTED):
            proposal, suggest = proposals.ask()
            words = self._space.families.named[family]
            architecture = sample_architecture(words, suggest, self._data.input_shape)
            recipe = sample_recipe(self._space.training, suggest)
            known = self._tried.get((architecture, recipe))
            if known is None:
                recorded = proposals.proposal(proposal, number)
                trial = replace(self._trial(number, None, architecture, recipe), params=recorded.params)
                self._numbers[number] = (family, proposal)
                self._tried[architecture, recipe] = trial
                self._record.add_trial(trial, recorded)
                return trial
            if known.status is Status.RUNNING:
                proposals.discard(proposal)  # its worth is not known yet, and will be told once
            else:
                proposals.tell(proposal, known.score)
            self._record.add_repeated_proposal(proposals.proposal(proposal, None))
        return None

    def _trial(
        self, number: int, name: str | None, architecture: Architecture, recipe: Recipe
    ) -> TrialResult:
        parameters = architecture.parameters(self._data.input_shape, len(self._data.classes))
        return TrialResult(number, name, architecture, recipe, Status.RUNNING, (), parameters)


def _rebuilt(family: str, space: SearchSpace, record: Record, trials: Collection[TrialResult]) -> Proposals:
    words = space.search
    proposals = Proposals(family, words.sampler, words.pruner, words.seed, space.training.epochs)
    curves = {
        trial.number: {e.epoch: e.val_loss for run in trial.runs for e in run.epochs if e.is_finite}
        for trial in trials
    }
    proposals.replay(record.proposals(family), curves)
    return proposals


def _overall(runs: Iterable[TrainingRun]) -> Status:
    """A trial is completed if all its trainings are; else it is what the first other one is."""
    return next((run.status for run in runs if run.status is not Status.COMPLETED), Status.COMPLETED)


def _score(runs: tuple[TrainingRun, ...]) -> float | None:
    return trial_score(runs) if _overall(runs) is Status.COMPLETED else None
