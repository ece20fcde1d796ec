"""One slot of the pool: a worker process at a time, and the training it has."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from archsearch.architecture import HyperModelArchitecture
from archsearch.errors import ArchsearchError, Refused
from archsearch.execution.child import Child, ChildEnded
from archsearch.execution.executor import EpochEnded, Event, RunEnded
from archsearch.execution.footprint import Footprint
from archsearch.execution.limits import Limits, Use
from archsearch.execution.machine import oom_kills
from archsearch.execution.messages import Alive, Answer, Message, NoGpu, Ready, Setup, require_well
from archsearch.execution.slots import Slot
from archsearch.execution.wear import Wear
from archsearch.records import Ending, Status, Training, TrainingRun

MOST_FAILED_STARTS = 3

# A process that is not ready may still be reading its libraries from a slow disk: it may be silent for so
# many times as long, and after a longer silence there is one more try.
PATIENCE_AT_START = 10
SILENT_STARTS = 1


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
    epoch_seconds, run_seconds, seconds : float
        Since its epoch, its run with the present seed and the whole began, without the time that the worker
        still started.
    """

    training: Training
    seeds_left: list[int]
    kills_before: int
    waiting: set[int] = field(default_factory=set)
    epoch_seconds: float = 0.0
    run_seconds: float = 0.0
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
    news : threading.Event
        Set when there is something to receive.

    Attributes
    ----------
    lacks_gpu : bool
        Whether it was given a GPU that its libraries don't see.
    """

    def __init__(self, setup: Setup, slot: Slot, limits: Limits, log: Path, news: threading.Event) -> None:
        self.slot = slot
        self._setup, self._limits, self._log, self._news = setup, limits, log, news
        self._has_been_ready = False
        self._failed_starts = 0
        self.lacks_gpu = False
        self._spawn()

    def _spawn(self) -> None:
        environment = dict(self.slot.environment)
        self.child = Child("archsearch.execution.worker", self._log.open("w+b"), environment, self._news)
        self.child.send(self._setup)
        self.ready = False
        self._task: _Task | None = None
        self._footprint = Footprint(self.child.process.pid)
        self._wear = Wear()
        self._is_worn = False
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
        while True:
            try:
                message: Message | None = self.child.receive()
            except ChildEnded as ended:
                yield from self._died(ended)
                return
            if message is None:
                return
            self._silent_seconds = 0.0
            if isinstance(message, NoGpu) and self._setup.gpus_asked and self._has_been_ready:
                yield from self._failed_start("its GPU is there no longer")
                return
            require_well(message, self._setup)
            if isinstance(message, Ready):
                self.ready = self._has_been_ready = True
                self._failed_starts = 0
            elif isinstance(message, NoGpu):
                self.lacks_gpu = self.slot.gpu is not None
            elif not isinstance(message, Alive):
                assert isinstance(message, EpochEnded | RunEnded)
                self._take(message)
                yield message

    def look(self, seconds: float) -> Iterator[Event]:
        """End the process if it has broken a limit, `seconds` after the last look."""
        self._silent_seconds += seconds
        task = self._task
        if task and self.ready:
            task.seconds += seconds
            task.run_seconds += seconds
            task.epoch_seconds += 0 if task.waiting else seconds
        use = Use(
            memory=self._footprint.resident(),
            epoch_seconds=task.epoch_seconds if task else 0.0,
            trial_seconds=task.seconds if task else 0.0,
            silent_seconds=self._silent_seconds,
        )
        if self.ready:
            if ending := self._limits.broken_by(use):
                yield from self._end(ending)
            return
        limits = replace(self._limits, silent_seconds=PATIENCE_AT_START * self._limits.silent_seconds)
        if ending := limits.broken_by(use):
            is_silent = ending.status is Status.TIMED_OUT
            if not is_silent and not self._has_been_ready:
                raise Refused(
                    f"a worker needs more memory than it may have before it trains: {ending.reason}; allow "
                    "more, or use fewer workers"
                )
            yield from self._failed_start(ending.reason, SILENT_STARTS if is_silent else 0)

    def _take(self, event: Event) -> None:
        task = self._task
        assert task
        task.epoch_seconds = 0.0
        if isinstance(event, EpochEnded):
            task.waiting.add(event.seed)
            return
        run, task.run_seconds = event.run, 0.0
        task.seeds_left.remove(run.seed)
        is_last = not run.status.has_result or not task.seeds_left
        self._wear.models += is_last or task.builds_anew
        if is_last:
            self._task = None
            memory = self._footprint.resident()
            self._is_worn = self._wear.is_too_much(run.status, memory, self._limits.memory)

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
            _remove_unfinished(self._setup.models, task.training.trial)
            run = TrainingRun(
                task.seeds_left[0], ending.status, reason=ending.reason, seconds=task.run_seconds
            )
            yield RunEnded(task.training.trial, run)

    def _failed_start(self, why: str, retries: int = 0) -> Iterator[Event]:
        """Try again with the same training, which is not at fault."""
        self._failed_starts += 1
        # One that has trained before may have been short of memory for a moment.
        if self._failed_starts > (MOST_FAILED_STARTS if self._has_been_ready else retries):
            raise ArchsearchError(f"a worker process could not start: {why} ({self._log})")
        training = self.training
        self.replace()
        if training:
            self.start(training)
        return iter(())


def _remove_unfinished(models: Path, trial: int) -> None:
    """Remove what a training needed only until its end, which its process did not live to see."""
    for pattern in (f"trial-{trial}-seed-*.checkpoint", f"unfinished-trial-{trial}-seed-*"):
        for path in models.glob(pattern):
            with suppress(OSError):
                path.unlink()
