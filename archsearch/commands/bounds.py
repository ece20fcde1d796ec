"""How long a search may still take: hours and GPU-hours, of the space and of this run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from archsearch.report.words import duration
from archsearch.study import Session

# Less than this is not worth starting workers for.
SHORTEST_SECONDS = 1.0


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

    def seconds_left(self, sessions: Sequence[Session], gpus: int) -> float:
        """What is left, for a process that uses `gpus` GPUs; infinite without a bound."""
        return min(self._of_hours(sessions), self._of_gpu_hours(sessions, gpus))

    def why_used_up(self, sessions: Sequence[Session], gpus: int) -> str | None:
        """Which bound is reached, and what to do to go on; None while none is."""
        if self._of_hours(sessions) < SHORTEST_SECONDS:
            return f"search.hours ({self.hours:g}) are used up; to go on, raise them in the space"
        if self._of_gpu_hours(sessions, gpus) < SHORTEST_SECONDS:
            return f"search.gpu_hours ({self.gpu_hours:g}) are used up; to go on, raise them in the space"
        return None

    def _of_hours(self, sessions: Sequence[Session]) -> float:
        if self.hours is None:
            return math.inf
        return self.hours * 3600 - sum(session.seconds for session in sessions)

    def _of_gpu_hours(self, sessions: Sequence[Session], gpus: int) -> float:
        if self.gpu_hours is None or gpus == 0:
            return math.inf
        spent = sum(session.seconds * session.gpus for session in sessions)
        return (self.gpu_hours * 3600 - spent) / gpus


def too_little(needed: float) -> str:
    """Why a search has ended before its time was up, where a trial takes `needed` seconds."""
    return f"the next trial takes about {duration(needed)}: more than was left"
