"""One slot of the pool: a worker process at a time, and the training it has."""

from collections.abc import Iterator
from pathlib import Path

import psutil

from archsearch.architecture import HyperModelArchitecture
from archsearch.errors import ArchsearchError
from archsearch.execution.child import Child, ChildEnded
from archsearch.execution.executor import EpochEnded, Event, RunEnded
from archsearch.execution.limits import Limits, Use
from archsearch.execution.machine import oom_kills
from archsearch.execution.messages import Alive, Answer, Message, Ready, Setup, require_well
from archsearch.execution.slots import Slot
from archsearch.records import Ending, Status, Training, TrainingRun

MOST_FAILED_STARTS = 3

# TensorFlow keeps about 20 MiB of each model that was trained in a process.
MOST_MODELS = 20

# What a model has left behind may grow to so many times what the process took after its first one, and to so
# large a share of what it may take: then another process has the next training.
MOST_GROWTH = 1.5
MOST_KEPT = 0.5

# A process that has not yet given a sign of life may still be reading its libraries from a slow disk.
PATIENCE_AT_START = 10

# Which processes a worker has started is asked at every so manieth look: that takes a while.
LOOKS_PER_FAMILY = 10


class WorkerProcess:
    """A slot's process, replaced when it dies, breaks a limit, or has trained much.

    Parameters
    ----------
    setup : Setup
    slot : Slot
    limits : Limits
    log : Path
        What it prints.
    """

    def __init__(self, setup: Setup, slot: Slot, limits: Limits, log: Path) -> None:
        self.slot = slot
        self._setup, self._limits, self._log = setup, limits, log
        self._has_been_ready = False
        self._failed_starts = 0
        self._spawn()

    def replace(self) -> None:
        """Have another process in place of this one."""
        self.child.kill()
        self._spawn()

    def start(self, training: Training) -> None:
        """Give it a training; it must have none."""
        if self._is_worn or self._models >= MOST_MODELS:
            self.replace()
        self.training = training
        self._seeds_left = list(training.seeds)
        self._epoch_seconds = self._trial_seconds = 0.0
        self._kills_before = oom_kills()
        self.child.send(training)

    def answer(self, seed: int, ending: Ending | None) -> None:
        """Answer the epoch that waits with `seed`."""
        self._waiting.discard(seed)
        self._epoch_seconds = 0.0
        self.child.send(Answer(seed, ending))

    def receive(self) -> Iterator[Event]:
        """All that it has said, and how its training has ended if it has died.

        Raises
        ------
        ArchsearchError
            If it can't start, or can't go on for a reason that is not the training's.
        """
        while self.child.has_news():
            try:
                message: Message = self.child.receive()
            except ChildEnded as ended:
                yield from self._died(ended)
                return
            self._silent_seconds, self._is_heard = 0.0, True
            require_well(message, self._setup.data)
            if isinstance(message, Ready):
                self.ready = self._has_been_ready = True
                self._failed_starts = 0
            elif isinstance(message, EpochEnded):
                self._waiting.add(message.seed)
                yield message
            elif isinstance(message, RunEnded):
                self._run_ended(message.run)
                yield message
            else:
                assert isinstance(message, Alive)

    def look(self, seconds: float) -> Iterator[Event]:
        """End the process if it has broken a limit, `seconds` after the last look."""
        self._silent_seconds += seconds if self._is_heard else seconds / PATIENCE_AT_START
        if self.training and self.ready:
            self._trial_seconds += seconds
            self._epoch_seconds += 0 if self._waiting else seconds
        use = Use(self._family.resident(), self._epoch_seconds, self._trial_seconds, self._silent_seconds)
        ending = self._limits.broken_by(use)
        if ending:
            yield from self._end(ending) if self.ready else self._failed_start(ending.reason)

    def _spawn(self) -> None:
        self.training: Training | None = None
        self.ready = False
        self._is_heard = False
        self._is_worn = False
        self._models = 0
        self._settled = 0
        self._seeds_left: list[int] = []
        self._waiting: set[int] = set()
        self._epoch_seconds = self._trial_seconds = self._silent_seconds = 0.0
        self._kills_before = 0
        environment = dict(self.slot.environment)
        self.child = Child("archsearch.execution.worker", self._log.open("w+b"), environment)
        self._family = _Family(self.child.process.pid)
        self.child.send(self._setup)

    def _run_ended(self, run: TrainingRun) -> None:
        assert self.training is not None
        self._epoch_seconds = 0.0
        self._seeds_left.remove(run.seed)
        if isinstance(self.training.architecture, HyperModelArchitecture):
            self._models += 1
        if run.status.has_result and self._seeds_left:
            return
        if not isinstance(self.training.architecture, HyperModelArchitecture):
            self._models += 1  # one for all seeds
        self.training = None
        resident = self._family.resident()
        self._settled = self._settled or resident
        has_grown = resident > max(MOST_GROWTH * self._settled, MOST_KEPT * self._limits.memory)
        self._is_worn = has_grown or run.status is Status.OUT_OF_MEMORY

    def _died(self, ended: ChildEnded) -> Iterator[Event]:
        return self._end(self._ending_of(ended)) if self.ready else self._failed_start(str(ended))

    def _failed_start(self, why: str) -> Iterator[Event]:
        """Try again with the same training, which is not at fault."""
        self._failed_starts += 1
        # One that has trained before may have been short of memory for a moment.
        if self._failed_starts > (MOST_FAILED_STARTS if self._has_been_ready else 0):
            raise ArchsearchError(f"a worker process could not start: {why} ({self._log})")
        training = self.training
        self.replace()
        if training:
            self.start(training)
        return iter(())

    def _ending_of(self, ended: ChildEnded) -> Ending:
        if ended.how == "was killed by SIGKILL" and oom_kills() > self._kills_before:
            return Ending(Status.OUT_OF_MEMORY, "the kernel killed its process for want of memory")
        if "bad_alloc" in ended.printed:  # how C++ ends where there is no memory
            return Ending(Status.OUT_OF_MEMORY, f"its process {ended}")
        return Ending(Status.FAILED, f"the worker process {ended}")

    def _end(self, ending: Ending) -> Iterator[Event]:
        """Replace the process; its training has ended so."""
        training, seeds = self.training, self._seeds_left
        self.replace()
        if training:
            yield RunEnded(training.trial, TrainingRun(seeds[0], ending.status, reason=ending.reason))


class _Family:
    """A process and all that it has started."""

    def __init__(self, number: int) -> None:
        self._first = psutil.Process(number)
        self._others: list[psutil.Process] = []
        self._looks = 0

    def resident(self) -> int:
        """Bytes of memory that are theirs: mapped files are left out, which the kernel drops when it must."""
        if self._looks % LOOKS_PER_FAMILY == 0:
            self._others = _started_by(self._first)
        self._looks += 1
        return sum(map(_resident, [self._first, *self._others]))


def _started_by(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _resident(process: psutil.Process) -> int:
    try:
        memory = process.memory_info()
    except psutil.Error:
        return 0
    return int(memory.rss - getattr(memory, "shared", 0))
