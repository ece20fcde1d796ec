"""How long a search may still take: hours and GPU-hours, of the space and of one start of the command."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from archsearch.report.words import duration
from archsearch.schedule.moments import shown
from archsearch.study import Session

# Less than this is not worth starting workers for.
SHORTEST_SECONDS = 1.0

IN_SPACE = "to go on, raise them in the space"
ANOTHER_START = "the same command goes on"


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound, and when it is reached.

    Attributes
    ----------
    name : str
        As the user says it: ``"search.hours"``, ``"--until"``; empty where there is no bound.
    at : float
        In seconds of `clock`; infinite where there is no bound.
    reached : str
        What to say when it is reached.
    remedy : str
        What to do to go on.
    clock : callable
        Time that is taken is told by one that nobody sets, and that stands still while the machine is
        suspended; a moment by that of the wall.
    """

    name: str = ""
    at: float = math.inf
    reached: str = ""
    remedy: str = ""
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def taken_in(cls, seconds: float, name: str, hours: float, remedy: str) -> Self:
        """So many hours, of which these seconds are left from now on."""
        return cls(name, time.monotonic() + seconds, f"{name} ({hours:g}) are used up", remedy)

    @property
    def seconds_left(self) -> float:
        """From now on; infinite where there is no bound."""
        return self.at - self.clock()

    @property
    def is_used_up(self) -> bool:
        """Whether too little is left to begin anything."""
        return self.seconds_left < SHORTEST_SECONDS

    def why_ended(self, needed: float | None = None) -> str:
        """Why it has ended a search; `needed` are the seconds of a next trial, where that was too long."""
        if needed is None:
            return f"{self.reached}; {self.remedy}"
        return (
            f"the next trial takes about {duration(needed)}: more than was left of {self.name}; {self.remedy}"
        )


def nearest(*bounds: Bound) -> Bound:
    """The one that is reached first, or was reached first, by what their clocks show now."""
    return min(bounds, key=lambda bound: bound.seconds_left, default=Bound())


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a search may take.

    Attributes
    ----------
    hours, gpu_hours : float or None
        Over all its sessions: they count while a process works on it, not between.
    """

    hours: float | None
    gpu_hours: float | None

    def each(self, sessions: Sequence[Session], gpus: int) -> Iterator[Bound]:
        """The bounds of a process that begins now, with `gpus` GPUs."""
        if self.hours is not None:
            left = self.hours * 3600 - sum(session.seconds for session in sessions)
            yield Bound.taken_in(left, "search.hours", self.hours, IN_SPACE)
        if self.gpu_hours is not None and gpus:
            left = self.gpu_hours * 3600 - sum(session.seconds * session.gpus for session in sessions)
            yield Bound.taken_in(left / gpus, "search.gpu_hours", self.gpu_hours, IN_SPACE)

    def seconds_left(self, sessions: Sequence[Session], gpus: int) -> float:
        """What is left, for a process that uses `gpus` GPUs; infinite without a bound."""
        return nearest(*self.each(sessions, gpus)).seconds_left

    def is_used_up(self, sessions: Sequence[Session], gpus: int) -> bool:
        """Whether too little is left for it to begin."""
        return nearest(*self.each(sessions, gpus)).is_used_up


@dataclass(frozen=True, slots=True)
class RunBounds:
    """What one start of the command may take, whatever others have taken.

    Attributes
    ----------
    hours : float or None
        From `began` on.
    max_gpu_hours : float or None
        From when its trainings begin.
    until : datetime or None
        With its time zone.
    began : float
        In seconds of ``time.monotonic``.
    """

    hours: float | None = None
    max_gpu_hours: float | None = None
    until: datetime | None = None
    began: float = field(default_factory=time.monotonic)

    def each(self, gpus: int = 0) -> Iterator[Bound]:
        """The bounds, were the trainings to begin now on `gpus` GPUs."""
        if self.hours is not None:
            left = self.hours * 3600 - (time.monotonic() - self.began)
            yield Bound.taken_in(left, "--hours", self.hours, ANOTHER_START)
        if self.until is not None:
            said = f"it is past {shown(self.until)} (--until)"
            yield Bound("--until", self.until.timestamp(), said, ANOTHER_START, time.time)
        if self.max_gpu_hours is not None and gpus:
            left = self.max_gpu_hours * 3600 / gpus
            yield Bound.taken_in(left, "--max-gpu-hours", self.max_gpu_hours, ANOTHER_START)

    @property
    def nearest(self) -> Bound:
        """The bound that is reached first before trainings begin."""
        return nearest(*self.each())
