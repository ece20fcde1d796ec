"""Persistent worker processes on this machine."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from archsearch.execution.devices import no_gpu
from archsearch.execution.executor import Event
from archsearch.execution.limits import Limits
from archsearch.execution.messages import Setup
from archsearch.execution.process import WorkerProcess
from archsearch.execution.slots import Slot
from archsearch.records import Ending, Training

# How often it is looked at what the workers take.
LOOK_SECONDS = 0.2

# So much time at most counts for the workers between two looks: where it was more, the machine slept or this
# process was stopped, and so perhaps were they.
MOST_BETWEEN_LOOKS = 2.0


class WorkerPool:
    """Runs trainings in worker processes that load libraries and data once.

    Parameters
    ----------
    setup : Setup
    slots : sequence of Slot
        A worker for each.
    limits : Limits
        What each of them may take.
    logs : Path
        Folder for what the workers print.
    remark : callable, optional
        Told what the user should know of the workers.
    """

    def __init__(
        self,
        setup: Setup,
        slots: Sequence[Slot],
        limits: Limits,
        logs: Path,
        remark: Callable[[str], None] = lambda _: None,
    ) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._news = threading.Event()
        self._workers = [
            WorkerProcess(setup, slot, limits, logs / f"worker-{number}.log", self._news)
            for number, slot in enumerate(slots)
        ]
        self._looked_at = time.monotonic()
        self._remark = remark
        self._has_remarked = False

    @property
    def capacity(self) -> int:
        """How many trainings run at once."""
        return len(self._workers)

    def submit(self, training: Training) -> str:
        """Give `training` to a worker that has none, one that is ready before one that still starts."""
        idle = [worker for worker in self._workers if worker.training is None]
        chosen = min(idle, key=lambda worker: not worker.ready)
        chosen.start(training)
        return chosen.slot.name

    def poll(self, timeout: float) -> Sequence[Event]:
        """Wait at most `timeout` seconds for something to happen."""
        self._news.wait(timeout)
        self._news.clear()  # before it is read: what comes in meanwhile sets it again
        events = [event for worker in self._workers for event in worker.receive()]
        if not self._has_remarked and any(worker.lacks_gpu for worker in self._workers):
            self._remark(f"trainings run on the CPU: {no_gpu()}")
            self._has_remarked = True
        return [*events, *self._look()]

    def answer(self, trial: int, seed: int, ending: Ending | None) -> None:
        """Tell the worker that trains `trial` how to end it with `seed`; None lets it go on."""
        for worker in self._workers:
            if worker.training and worker.training.trial == trial:
                worker.answer(seed, ending)

    def close(self) -> None:
        """Kill the workers; they hold nothing that is not recorded."""
        for worker in self._workers:
            worker.child.signal_end()
        for worker in self._workers:
            worker.child.kill()

    def _look(self) -> list[Event]:
        """After what came in is read: a sign of life may have waited there."""
        passed = time.monotonic() - self._looked_at
        if passed < LOOK_SECONDS:
            return []
        self._looked_at += passed
        seconds = min(passed, MOST_BETWEEN_LOOKS)
        return [event for worker in self._workers for event in worker.look(seconds)]
