"""How long a search may still take: hours and GPU-hours, of the space and of one start of the command."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from archsearch.report.words import duration
from archsearch.schedule.moments import shown
from archsearch.study import Session

# Less than this is not worth starting workers for.
SHORTEST_SECONDS = 1.0

IN_SPACE = "to go on, raise them in the space"
ANOTHER_START = "the same command goes on"


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound, and what is left of it.

    Attributes
    ----------
    name : str
        As the user says it: ``"search.hours"``, ``"--until"``; empty where there is no bound.
    seconds_left : float
        Infinite where there is no bound.
    reached : str
        What to say when it is reached.
    remedy : str
        What to do to go on.
    """

    name: str = ""
    seconds_left: float = math.inf
    reached: str = ""
    remedy: str = ""

    def why_ended(self, needed: float | None = None) -> str:
        """Why it has ended a search; `needed` are the seconds of a next trial, where that was too long."""
        if needed is None:
            return f"{self.reached}; {self.remedy}"
        return (
            f"the next trial takes about {duration(needed)}: more than was left of {self.name}; {self.remedy}"
        )


def nearest(*bounds: Bound) -> Bound:
    """The one that is reached first."""
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

    def nearest(self, sessions: Sequence[Session], gpus: int) -> Bound:
        """The bound that a process with `gpus` GPUs reaches first."""
        bounds = []
        if self.hours is not None:
            spent = sum(session.seconds for session in sessions)
            said = _used_up("search.hours", self.hours)
            bounds.append(Bound("search.hours", self.hours * 3600 - spent, said, IN_SPACE))
        if self.gpu_hours is not None and gpus:
            spent = sum(session.seconds * session.gpus for session in sessions)
            said = _used_up("search.gpu_hours", self.gpu_hours)
            bounds.append(Bound("search.gpu_hours", (self.gpu_hours * 3600 - spent) / gpus, said, IN_SPACE))
        return nearest(*bounds)

    def seconds_left(self, sessions: Sequence[Session], gpus: int) -> float:
        """What is left, for a process that uses `gpus` GPUs; infinite without a bound."""
        return self.nearest(sessions, gpus).seconds_left

    def used_up(self, sessions: Sequence[Session], gpus: int) -> Bound | None:
        """The bound that is reached; None while none is."""
        bound = self.nearest(sessions, gpus)
        return bound if bound.seconds_left < SHORTEST_SECONDS else None


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

    def nearest(self, gpus: int = 0) -> Bound:
        """The bound that is reached first, were the trainings to begin now on `gpus` GPUs."""
        bounds = []
        if self.hours is not None:
            left = self.hours * 3600 - (time.monotonic() - self.began)
            bounds.append(Bound("--hours", left, _used_up("--hours", self.hours), ANOTHER_START))
        if self.until is not None:
            # By the moments: two times of one zone differ by what its clocks show.
            left = self.until.timestamp() - time.time()
            bounds.append(Bound("--until", left, f"it is {shown(self.until)} (--until)", ANOTHER_START))
        if self.max_gpu_hours is not None and gpus:
            left = self.max_gpu_hours * 3600 / gpus
            said = _used_up("--max-gpu-hours", self.max_gpu_hours)
            bounds.append(Bound("--max-gpu-hours", left, said, ANOTHER_START))
        return nearest(*bounds)


def _used_up(name: str, hours: float) -> str:
    return f"{name} ({hours:g}) are used up"
