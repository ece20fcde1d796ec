"""Trials proposed ahead of need: no worker waits for the sampler."""

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet

from archsearch.architecture import AnyArchitecture
from archsearch.execution.builds import BuildStopped
from archsearch.records import TrialResult
from archsearch.study.planner import Plan, Planner
from archsearch.study.record import Record


class Ahead:
    """The trials that wait for a worker, and the thread that thinks of the next one.

    With one worker, trial n is proposed while trial n-1 is trained: its sampler knows the trials up to n-2,
    however long either takes. So a search that goes on proposes as the uninterrupted one would have.

    Parameters
    ----------
    planner : Planner
        Told nothing while a proposal is on its way: see `settle`.
    record : Record
        Open for writing.
    depth : int
        How many trials are to wait.
    queued : iterable of TrialResult
        Those that an earlier process has left, in their order.
    following : int
        The number of the next new trial.
    """

    def __init__(
        self, planner: Planner, record: Record, depth: int, queued: Iterable[TrialResult], following: int
    ) -> None:
        self._planner = planner
        self._record = record
        self._depth = depth
        self._queue = deque(queued)
        self._following = following
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._asked: Future[Plan] | None = None
        self._is_dry = False

    @property
    def is_asking(self) -> bool:
        """Whether a proposal is on its way."""
        return self._asked is not None

    @property
    def next(self) -> TrialResult | None:
        """The trial whose turn it is."""
        return self._queue[0] if self._queue else None

    def pop(self) -> TrialResult:
        """Take the trial whose turn it is."""
        return self._queue.popleft()

    def remove(self, number: int) -> TrialResult | None:
        """Take a trial out of its turn; None if it does not wait."""
        trial = next((trial for trial in self._queue if trial.number == number), None)
        if trial:
            self._queue.remove(trial)
        return trial

    def ask(self, total: int) -> None:
        """Begin to think of the next of `total` trials, unless enough wait or nothing is left to try."""
        if self._asked is None and len(self._queue) < self._depth and not self._is_dry:
            self._asked = self._thread.submit(self._planner.next_trial, self._following, total)

    def settle(self, timeout: float | None = None) -> None:
        """Wait for the proposal that is on its way, if any, and put it into the queue.

        Parameters
        ----------
        timeout : float, optional
            In seconds; then it may still be on its way.
        """
        if self._asked is None:
            return
        try:
            plan = self._asked.result(timeout)
        except NotYet:
            return
        except BuildStopped:
            plan = Plan(None)  # not recorded, and proposed again by whoever goes on
        self._asked = None
        self._is_dry = plan.trial is None
        if plan.trial is None:
            self._record.put_proposals(plan.proposals)
        else:
            self._add(plan)

    def add(self, name: str | None, architecture: AnyArchitecture) -> None:
        """Put what a person wants trained before all others; nothing if it was tried before."""
        self.settle()
        plan = self._thread.submit(self._planner.by_hand, self._following, name, architecture).result()
        if plan.trial:
            self._add(plan)

    def told(self) -> None:
        """The sampler has learnt something: there may be something new to try."""
        self._is_dry = False

    def close(self) -> None:
        """Give up what is on its way."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _add(self, plan: Plan) -> None:
        assert plan.trial is not None
        self._record.queue(plan.trial, plan.proposals)
        self._following += 1
        if plan.trial.by_hand:
            first_proposed = sum(trial.by_hand for trial in self._queue)
            self._queue.insert(first_proposed, plan.trial)
        else:
            self._queue.append(plan.trial)
