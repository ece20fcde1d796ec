"""One slot of the pool: a worker process at a time, and the training it has."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from archsearch.architecture import HyperModelArchitecture
from archsearch.errors import ArchsearchError
from archsearch.execution.child import Child, ChildEnded
from archsearch.execution.executor import EpochEnded, Event, RunEnded
from archsearch.execution.footprint import Footprint
from archsearch.execution.limits import Limits, Use
from archsearch.execution.machine import oom_kills
from archsearch.execution.messages import Alive, Answer, Message, Ready, Setup, require_well
from archsearch.execution.slots import Slot
from archsearch.records import Ending, Status, Training, TrainingRun

MOST_FAILED_STARTS = 3

# TensorFlow keeps memory of each model that a process has trained, 5 MiB of a small one. So another process
# has the next training where one has grown by so much since it had trained so many models ...
SETTLED_MODELS = 20
MOST_GROWTH = 1.2

# ... or takes such a share of what it may take; but not where the data are large, and took most of it ...
MOST_KEPT = 0.5
MOST_GROWTH_SINCE_FIRST = 1.5

# ... or has trained so many: not all that is kept is memory that is seen.
MOST_MODELS = 100

# A process that has not yet given a sign of life may still be reading its libraries from a slow disk.
PATIENCE_AT_START = 10


@dataclass(slots=True)
class _Task:
    """A training that a worker has.

    Attributes
    ----------
    training : Training
    seeds_left : list of int
        Those that have not been told to have ended.
    kills_before : int
        What `oom_kills` said at its beginning.
    waiting : set of int
        The seeds whose epoch waits for an answer.
    epoch_seconds, seconds : float
        Since its epoch and the whole began, without the time that the worker still started.
    """

    training: Training
    seeds_left: list[int]
    kills_before: int
    waiting: set[int] = field(default_factory=set)
    epoch_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def builds_anew(self) -> bool:
        """Whether each seed has a model of its own."""
        return isinstance(self.training.architecture, HyperModelArchitecture)


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

    def _spawn(self) -> None:
        environment = dict(self.slot.environment)
        self.child = Child("archsearch.execution.worker", self._log.open("w+b"), environment)
        self.child.send(self._setup)
        self.ready = False
        self._task: _Task | None = None
        self._footprint = Footprint(self.child.process.pid)
        self._at_first = self._at_settled = 0
        self._models = 0
        self._is_worn = False
        self._is_heard = False
        self._silent_seconds = 0.0

    def replace(self) -> None:
        """Have another process in place of this one."""
        self.child.kill()
        self._spawn()

    @property
    def training(self) -> Training | None:
        """What it trains."""
        return self._task.training if self._task else None

    def start(self, training: Training) -> None:
        """Give it a training; it must have none."""
        if self._is_worn:
            self.replace()
        self._task = _Task(training, list(training.seeds), oom_kills())
        self.child.send(training)

    def answer(self, seed: int, ending: Ending | None) -> None:
        """Answer the epoch that waits with `seed`."""
        if self._task:
            self._task.waiting.discard(seed)
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
            elif not isinstance(message, Alive):
                assert isinstance(message, EpochEnded | RunEnded)
                self._take(message)
                yield message

    def look(self, seconds: float) -> Iterator[Event]:
        """End the process if it has broken a limit, `seconds` after the last look."""
        self._silent_seconds += seconds if self._is_heard else seconds / PATIENCE_AT_START
        task = self._task
        if task and self.ready:
            task.seconds += seconds
            task.epoch_seconds += 0 if task.waiting else seconds
        use = Use(
            memory=self._footprint.resident(),
            epoch_seconds=task.epoch_seconds if task else 0.0,
            trial_seconds=task.seconds if task else 0.0,
            silent_seconds=self._silent_seconds,
        )
        if ending := self._limits.broken_by(use):
            yield from self._end(ending) if self.ready else self._failed_start(ending.reason)

    def _take(self, event: Event) -> None:
        task = self._task
        assert task
        task.epoch_seconds = 0.0
        if isinstance(event, EpochEnded):
            task.waiting.add(event.seed)
            return
        run = event.run
        task.seeds_left.remove(run.seed)
        is_last = not run.status.has_result or not task.seeds_left
        self._models += is_last or task.builds_anew
        if is_last:
            self._task = None
            self._is_worn = run.status is Status.OUT_OF_MEMORY or self._has_kept_much()

    def _has_kept_much(self) -> bool:
        """Whether there is too much left of the models it has trained."""
        now = self._footprint.resident()
        self._at_first = self._at_first or now
        if self._models >= SETTLED_MODELS:
            self._at_settled = self._at_settled or now
        has_grown = now > MOST_GROWTH * (self._at_settled or now)
        is_large = now > max(MOST_KEPT * self._limits.memory, MOST_GROWTH_SINCE_FIRST * self._at_first)
        return has_grown or is_large or self._models >= MOST_MODELS

    def _died(self, ended: ChildEnded) -> Iterator[Event]:
        return self._end(self._ending_of(ended)) if self.ready else self._failed_start(str(ended))

    def _ending_of(self, ended: ChildEnded) -> Ending:
        was_killed = ended.how == "was killed by SIGKILL"
        if was_killed and self._task and oom_kills() > self._task.kills_before:
            return Ending(Status.OUT_OF_MEMORY, "the kernel killed its process for want of memory")
        if "bad_alloc" in ended.printed:  # how C++ ends where there is no memory
            return Ending(Status.OUT_OF_MEMORY, f"its process {ended}")
        return Ending(Status.FAILED, f"the worker process {ended}")

    def _end(self, ending: Ending) -> Iterator[Event]:
        """Replace the process; its training has ended so."""
        task = self._task
        self.replace()
        if task:
            run = TrainingRun(task.seeds_left[0], ending.status, reason=ending.reason)
            yield RunEnded(task.training.trial, run)

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
