"""The search loop: propose, train, record, judge, tell."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from archsearch.diagnosis import diagnosis_of, judge_trial, judge_trials, with_diagnosis
from archsearch.errors import SpaceError
from archsearch.execution import EpochEnded, Executor, RunEnded
from archsearch.execution.builds import BuildStopped
from archsearch.ranking import trial_score
from archsearch.records import (
    DataSummary,
    Ending,
    EpochRecord,
    Status,
    Training,
    TrainingRun,
    TrialResult,
    linear_model_of,
)
from archsearch.space import SearchSpace
from archsearch.study.candidates import Complete, Sample, seeds_of, space_completer, space_sampler
from archsearch.study.planner import Planner
from archsearch.study.record import Record
from archsearch.study.stopping import stopped

POLL_SECONDS = 0.2


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
    sample : callable, optional
        Where the families' candidates come from; else from the space's own words.
    complete : callable, optional
        What the named architectures are trained with; likewise.
    """

    def __init__(
        self,
        space: SearchSpace,
        record: Record,
        executor: Executor,
        notify: Notify,
        sample: Sample | None = None,
        complete: Complete | None = None,
    ) -> None:
        header = record.header()
        self._space = space
        self._record = record
        self._executor = executor
        self._notify = notify
        self._data: DataSummary = header.data
        self._linear = linear_model_of(header.references)
        self._seeds = seeds_of(space)
        self._trials = {trial.number: trial for trial in record.trials()[0]}
        self._interrupted = [t.number for t in self._trials.values() if t.status is Status.RUNNING]
        self._judgements = record.judgements()
        self._judge_stale()
        self._running: dict[int, list[TrainingRun]] = {}
        self._epochs: dict[int, list[EpochRecord]] = {}
        self._planner = Planner(
            space,
            record,
            self._trials.values(),
            sample or space_sampler(space, self._data),
            complete or space_completer(space, self._data),
        )
        self.driver_seconds = 0.0

    @property
    def exhausted(self) -> dict[str, str]:
        """The families that ended before the search, with the reasons."""
        return self._planner.exhausted

    def run(self, total: int, deadline: float | None, stop: threading.Event) -> Outcome:
        """Run until there are `total` trials, the time is up, or `stop` is set.

        Parameters
        ----------
        total : int
        deadline : float or None
            In seconds of ``time.monotonic``.
        stop : threading.Event
            Set by a signal: nothing new is started, what runs is left for the next time.

        Raises
        ------
        SpaceError
            If nothing at all can be trained.
        """
        ended = tuple(t for t in self._trials.values() if t.status is not Status.RUNNING)
        self._notify(SearchStarted(total, ended))
        while not stop.is_set():
            if deadline is not None and time.monotonic() >= deadline:
                return Outcome.HOURS_REACHED
            started = time.monotonic()
            try:
                self._fill(total)
            except BuildStopped:
                continue  # what was being proposed is not recorded, and will be proposed again
            self.driver_seconds += time.monotonic() - started
            if not self._trials:
                raise self._nothing_to_try()
            if not self._running:
                return Outcome.FINISHED if self._any_succeeded() else Outcome.ALL_FAILED
            events = self._executor.poll(POLL_SECONDS)
            started = time.monotonic()
            for event in events:
                self._handle(event)
            self.driver_seconds += time.monotonic() - started
        return Outcome.INTERRUPTED

    def _judge_stale(self) -> None:
        """Judge once what older rules or none have judged, instead of whenever a trial ends."""
        ended = [trial for trial in self._trials.values() if trial.status is not Status.RUNNING]
        judgements = judge_trials(ended, self._data, self._linear, self._judgements, anew=False)
        changed = {key: each for key, each in judgements.items() if each is not self._judgements.get(key)}
        if not changed:
            return
        numbers = {number for number, _ in changed}
        trials = [
            with_diagnosis(trial, diagnosis_of(trial, judgements))
            for trial in ended
            if trial.number in numbers
        ]
        self._record.put_judgements(trials, changed)
        self._trials |= {trial.number: trial for trial in trials}
        self._judgements = judgements

    def _nothing_to_try(self) -> SpaceError:
        return SpaceError(
            "\n".join(
                f"{self._space.place_of(('families', family))}families.{family}: {reason}, so nothing was "
                "trained; allow more, or give the family what keeps within it"
                for family, reason in self.exhausted.items()
            )
        )

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
            self._epochs.setdefault(event.trial, []).append(event.epoch)
            self._executor.answer(event.trial, self._ending(trial, event))
            self._notify(EpochMeasured(trial, event.epoch))
            return
        runs = self._running[event.trial]
        runs.append(_with_epochs(event.run, self._epochs.pop(event.trial, [])))
        if not event.run.status.has_result or len(runs) == len(self._seeds):
            del self._running[event.trial]
            self._end(replace(trial, runs=tuple(runs)))

    def _ending(self, trial: TrialResult, event: EpochEnded) -> Ending | None:
        """How a training is to end that is not worth its next epoch."""
        self._planner.add_epoch(trial, event.epoch)
        if not event.epoch.is_finite:
            return None  # it ends by itself
        # A pruner takes one value for each epoch of a trial. The first seed's are those that decide: what is
        # good enough with it is worth its other seeds, whole.
        prune = event.seed == self._seeds[0] and self._planner.should_prune(trial, event.epoch)
        # A training at its last epoch has cost all it will: its result is kept, however bad.
        if event.epoch.epoch == trial.recipe.epochs:
            return None
        if prune:
            return Ending(Status.PRUNED, f"worse than other trials at epoch {event.epoch.epoch}")
        if self._space.search.pruner == "diagnosis":
            return stopped(trial, self._epochs[event.trial], self._data)
        return None

    def _end(self, trial: TrialResult) -> None:
        """Judge a trial, tell the sampler, record both, in this order: the record is what was told."""
        trial = replace(trial, status=_overall(trial.runs), score=_score(trial.runs))
        earlier = [other for other in self._trials.values() if other.number != trial.number]
        judgements = judge_trial(trial, earlier, self._data, self._linear, self._judgements)
        trial = with_diagnosis(trial, diagnosis_of(trial, judgements))
        proposal = self._planner.tell(trial)
        if proposal:
            trial = replace(trial, params=proposal.params)
        self._record.end_trial(trial, proposal, judgements)
        self._judgements |= judgements
        self._trials[trial.number] = trial
        self._notify(TrialEnded(trial))


def _with_epochs(run: TrainingRun, reported: Sequence[EpochRecord]) -> TrainingRun:
    """A training with what it reported, where it ended with the worker: the record has it too."""
    if run.epochs:
        return run
    return replace(run, epochs=tuple(reported), seconds=sum(epoch.seconds for epoch in reported))


def _overall(runs: Iterable[TrainingRun]) -> Status:
    """A trial is what its first training without a result is; else stopped if one was, or completed."""
    statuses = [run.status for run in runs]
    without = [status for status in statuses if not status.has_result]
    return without[0] if without else Status.STOPPED if Status.STOPPED in statuses else Status.COMPLETED


def _score(runs: tuple[TrainingRun, ...]) -> float | None:
    return trial_score(runs) if _overall(runs).has_result else None
