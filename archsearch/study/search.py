"""The search loop: propose, train, record, judge, tell."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from archsearch.errors import SpaceError
from archsearch.execution import EpochEnded, Executor, RunEnded
from archsearch.execution.builds import BuildStopped
from archsearch.records import Ending, EpochRecord, Status, Training, TrainingRun, TrialResult
from archsearch.space import SearchSpace
from archsearch.study.ahead import Ahead
from archsearch.study.candidates import Complete, Sample, seeds_of, space_completer, space_sampler
from archsearch.study.costs import expected_seconds
from archsearch.study.events import (
    EpochMeasured,
    Notify,
    Outcome,
    Remark,
    SearchStarted,
    TrialEnded,
    TrialStarted,
)
from archsearch.study.failures import MOST_FAILURES, same_failure
from archsearch.study.judging import Judging
from archsearch.study.kept import remove, superfluous
from archsearch.study.planner import Planner
from archsearch.study.record import Record
from archsearch.study.steering import Add, Mailbox, Skip
from archsearch.study.stopping import stopped
from archsearch.study.store import Place

POLL_SECONDS = 0.2
# A worker waits for the proposal that is on its way: look more often.
BRISK_POLL_SECONDS = 0.01


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

    Attributes
    ----------
    driver_seconds : float
        Spent on other things than waiting.
    common_failure : str or None
        Why it was given up: the last trials failed for one reason, or a family can't be built any more.
    too_long : float or None
        Seconds that the next trial would have taken, where that ended the search.
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
        self._space = space
        self._record = record
        self._executor = executor
        self._notify = notify
        self._data = record.header().data
        self._place = Place(record.path.parent)
        self._mailbox = Mailbox(self._place.requests)
        self._seeds = seeds_of(space)
        self._trials = {trial.number: trial for trial in record.trials()[0]}
        self._judging = Judging(record)
        self._trials |= self._judging.judge_stale(self._trials.values())
        queued = record.queued()
        known = (*self._trials.values(), *queued)
        self._planner = Planner(
            space,
            record,
            known,
            sample or space_sampler(space, self._data),
            complete or space_completer(space, self._data),
        )
        following = 1 + max((trial.number for trial in known), default=-1)
        self._ahead = Ahead(self._planner, record, executor.capacity, queued, following)
        self._interrupted = [trial for trial in self._trials.values() if not trial.status.has_ended]
        self._running: dict[int, list[TrainingRun]] = {}
        self._epochs: dict[tuple[int, int], list[EpochRecord]] = {}
        self._whole: list[TrialResult] = []
        self._skips: dict[int, str] = {}
        self._ended_here: list[TrialResult] = []
        self._seconds_left: Callable[[], float] = lambda: math.inf
        self.too_long: float | None = None
        self.driver_seconds = 0.0
        self.common_failure: str | None = None

    @property
    def exhausted(self) -> dict[str, str]:
        """The families that ended before the search, with the reasons."""
        return self._planner.exhausted

    def run(self, total: int, seconds_left: Callable[[], float] | None, stop: threading.Event) -> Outcome:
        """Run until there are `total` trials, the time is up, or `stop` is set.

        Parameters
        ----------
        total : int
            Those added by hand apart.
        seconds_left : callable or None
            How long it may still take, from now on; None where nothing bounds it.
        stop : threading.Event
            Set by a signal: nothing new is started, what runs is left for the next time.

        Raises
        ------
        SpaceError
            If nothing at all can be trained.
        """
        self._seconds_left = seconds_left or self._seconds_left
        ended = tuple(trial for trial in self._trials.values() if trial.status.has_ended)
        self._notify(SearchStarted(total, ended))
        try:
            self._end_interrupted()
            while not stop.is_set():
                outcome = self._turn(total)
                if outcome:
                    return outcome
            return Outcome.INTERRUPTED
        finally:
            self._ahead.close()

    def _turn(self, total: int) -> Outcome | None:
        """One round of starting, waiting and recording; how the search has ended, if it has."""
        if self._seconds_left() <= 0:
            self._ahead.settle()
            self._end_whole()
            return Outcome.HOURS_REACHED
        started = time.monotonic()
        self._steer()
        self._fill(total)
        filled = time.monotonic()
        if not self._running and not self._ahead.is_asking:
            return self._outcome()
        has_idle = len(self._running) < self._executor.capacity and self._ahead.is_asking
        events = self._executor.poll(BRISK_POLL_SECONDS if has_idle else POLL_SECONDS)
        waited = time.monotonic() - filled
        for event in events:
            self._handle(event, total)
        self.driver_seconds += time.monotonic() - started - waited
        return Outcome.GIVEN_UP if self.common_failure else None

    def _outcome(self) -> Outcome:
        """How a search has ended in which nothing runs and nothing is left to start."""
        if self.too_long is not None:
            return Outcome.HOURS_REACHED
        if not self._trials:
            raise self._nothing_to_try()
        if self._planner.broken:
            self.common_failure = self._planner.broken
            return Outcome.GIVEN_UP
        succeeded = any(not trial.status.is_failure for trial in self._trials.values())
        return Outcome.FINISHED if succeeded else Outcome.ALL_FAILED

    def _nothing_to_try(self) -> SpaceError:
        return SpaceError(
            "\n".join(
                f"{self._space.place_of(('families', family))}families.{family}: {reason}, so nothing was "
                "trained; allow more, or give the family what keeps within it"
                for family, reason in self.exhausted.items()
            )
        )

    # -- starting --------------------------------------------------------------------------------------------

    def _end_interrupted(self) -> None:
        """End the trials whose last training was recorded, but not what followed from it.

        In the order in which they would have ended; the pruner hears again of trainings that are whole.
        """
        whole = []
        for trial in self._interrupted:
            for run in trial.runs:
                for epoch in run.epochs if run.seed == self._seeds[0] else ():
                    if epoch.is_finite:
                        self._planner.should_prune(trial, epoch)
            if _is_whole(trial, self._seeds):
                whole.append(trial)
        self._interrupted = [trial for trial in self._interrupted if trial not in whole]
        for trial in whole:
            self._end(trial)

    def _fill(self, total: int) -> None:
        """Give every idle worker a trial, and have others thought of."""
        self._ahead.settle(0)
        self._end_whole()
        while len(self._running) < self._executor.capacity and self._start_next(total):
            pass
        if self.too_long is None:
            self._ahead.ask(total)

    def _start_next(self, total: int) -> bool:
        """Start the trial whose turn it is; whether there was one."""
        trial = self._interrupted[0] if self._interrupted else self._ahead.next
        if trial is None or not self._may_start(trial, total):
            return False
        if self._interrupted:
            self._interrupted.pop(0)
        else:
            self._ahead.pop()
        done = [run for run in trial.runs if run.status.has_ended]
        seeds = tuple(seed for seed in self._seeds if seed not in {run.seed for run in done})
        worker = self._executor.submit(Training(trial.number, trial.architecture, trial.recipe, seeds))
        trial = replace(trial, status=Status.RUNNING, worker=worker, runs=())
        self._record.start(trial)
        self._trials[trial.number] = trial
        self._running[trial.number] = done
        self._notify(TrialStarted(trial))
        return True

    def _may_start(self, trial: TrialResult, total: int) -> bool:
        """Whether a trial is still wanted, and can be expected to end in time."""
        begun = sum(not known.by_hand for known in self._trials.values())
        if trial.status is Status.QUEUED and not trial.by_hand and begun >= total:
            return False
        left = self._seconds_left()
        if math.isinf(left):
            return True
        ended = [known for known in self._trials.values() if known.status.has_ended]
        left_to_do = len(self._seeds) - sum(run.status.has_ended for run in trial.runs)
        seconds = expected_seconds(trial, ended, left_to_do)
        self.too_long = seconds if seconds is not None and seconds > left else None
        return self.too_long is None

    # -- what happens ----------------------------------------------------------------------------------------

    def _handle(self, event: EpochEnded | RunEnded, total: int) -> None:
        trial = self._trials[event.trial]
        if isinstance(event, EpochEnded):
            self._epochs.setdefault((event.trial, event.seed), []).append(event.epoch)
            # The answer first: the worker waits for it, and an epoch that is lost is trained again.
            self._executor.answer(event.trial, event.seed, self._ending(trial, event))
            self._record.add_epoch(event.trial, event.seed, event.epoch)
            self._notify(EpochMeasured(trial, event.epoch, event.seed))
            return
        runs = self._running[event.trial]
        runs.append(_with_epochs(event.run, self._epochs.pop((event.trial, event.run.seed), [])))
        try:
            # With one worker the next trial is proposed before this one ends, in the record, too.
            if self._executor.capacity == 1:
                self._ahead.settle()
        finally:
            self._record.add_run(event.trial, runs[-1])
        trial = replace(trial, runs=tuple(runs))
        if _is_whole(trial, self._seeds):
            del self._running[event.trial]
            self._start_next(total)  # the worker goes on while this trial is judged
            self._whole.append(trial)
            self._end_whole()

    def _end_whole(self) -> None:
        """End the trials of which no training is to follow, unless a proposal is on its way."""
        while self._whole and not self._ahead.is_asking:
            self._end(self._whole.pop(0))

    def _ending(self, trial: TrialResult, event: EpochEnded) -> Ending | None:
        """How a training is to end that is not worth its next epoch."""
        if not event.epoch.is_finite:
            return None  # it ends by itself
        # A pruner takes one value for each epoch of a trial. The first seed's are those that decide: what is
        # good enough with it is worth its other seeds, whole.
        prune = event.seed == self._seeds[0] and self._planner.should_prune(trial, event.epoch)
        # A training at its last epoch has cost all it will: its result is kept, however bad.
        if event.epoch.epoch == trial.recipe.epochs:
            return None
        if trial.number in self._skips:
            return Ending(Status.SKIPPED, f"by hand at epoch {event.epoch.epoch}")
        if prune:
            return Ending(Status.PRUNED, f"worse than other trials at epoch {event.epoch.epoch}")
        if self._space.search.pruner == "diagnosis":
            return stopped(trial, self._epochs[event.trial, event.seed], self._data)
        return None

    def _end(self, trial: TrialResult) -> None:
        """Judge a trial, tell the sampler, record both, in this order: the record is what was told."""
        trial, judgements = self._judging.judge(trial, self._trials.values())
        proposal = self._planner.tell(trial)
        if proposal:
            trial = replace(trial, params=proposal.params)
        self._record.end_trial(trial, proposal, judgements)
        self._ahead.told()
        self._trials[trial.number] = trial
        self._drop_models()
        if trial.number in self._skips:
            self._mailbox.remove(self._skips.pop(trial.number))
        self._notify(TrialEnded(trial))
        self._ended_here.append(trial)
        self.common_failure = same_failure(self._ended_here[-MOST_FAILURES:])

    def _drop_models(self) -> None:
        """Keep the weights of the best trials only."""
        numbers = superfluous(tuple(self._trials.values()), self._space.execution.keep)
        if not numbers:
            return
        # The record first: a file too many is harmless, one that is missing is not.
        self._record.forget_models(numbers)
        for number in numbers:
            trial = self._trials[number]
            remove(self._place.models, trial)
            runs = tuple(replace(run, model=None) for run in trial.runs)
            self._trials[number] = replace(trial, runs=runs)

    # -- a person's wishes -----------------------------------------------------------------------------------

    def _steer(self) -> None:
        """Do what people ask for while the search runs; a request is kept until it is done."""
        for id_, request in self._mailbox.take():
            if isinstance(request, Add):
                try:
                    self._ahead.add(request.name, request.architecture)
                except SpaceError as error:  # it could be built when it was asked for
                    self._notify(Remark(f"what was added by hand is not trained: {error}"))
                except BuildStopped:
                    return  # whoever goes on with the search finds the request again
                self._mailbox.remove(id_)
            elif id_ not in self._skips.values():
                self._skip(id_, request)

    def _skip(self, id_: str, request: Skip) -> None:
        is_under_way = request.trial in self._running or any(
            trial.number == request.trial for trial in self._interrupted
        )
        if is_under_way:
            self._skips[request.trial] = id_  # at its epoch's end
            return
        if waiting := self._ahead.remove(request.trial):
            run = TrainingRun(self._seeds[0], Status.SKIPPED, reason="by hand before it began")
            self._ahead.settle()
            self._end(replace(waiting, runs=(run,)))
        self._mailbox.remove(id_)


def _is_whole(trial: TrialResult, seeds: Sequence[int]) -> bool:
    """Whether no training of a trial is to follow."""
    ended = [run for run in trial.runs if run.status.has_ended]
    return len(ended) == len(seeds) or any(not run.status.has_result for run in ended)


def _with_epochs(run: TrainingRun, reported: Sequence[EpochRecord]) -> TrainingRun:
    """A training with what it reported, where it ended with the worker: the record has it too."""
    if run.epochs:
        return run
    seconds = max(run.seconds, sum(epoch.seconds for epoch in reported))
    return replace(run, epochs=tuple(reported), seconds=seconds)
