"""What a worker may take before its process is ended, and with it the training it has."""

from dataclasses import dataclass
from typing import Self

from archsearch.execution.machine import GIB, free_memory
from archsearch.records import Ending, Status
from archsearch.space.execution_words import Execution

# Of the free memory; the rest is for the search itself and for what others take meanwhile.
SHARED_OUT = 0.8

SILENT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Use:
    """What a process has taken, in bytes and seconds.

    Attributes
    ----------
    memory : int
        Resident, with all processes it started.
    epoch_seconds, trial_seconds : float
        Since the present epoch, and the present training, began.
    silent_seconds : float
        Since its last sign of life.
    """

    memory: int = 0
    epoch_seconds: float = 0.0
    trial_seconds: float = 0.0
    silent_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one worker.

    Attributes
    ----------
    memory : int
        Bytes.
    epoch_seconds : float
    trial_seconds : float or None
        None for no limit.
    silent_seconds : float
    """

    memory: int
    epoch_seconds: float
    trial_seconds: float | None = None
    silent_seconds: float = SILENT_SECONDS

    @classmethod
    def of(cls, execution: Execution, workers: int) -> Self:
        """Those of each of `workers`; the memory that is free now is shared out where none is given."""
        given = execution.memory
        hours = execution.hours_per_trial
        return cls(
            memory=int(given * GIB if given else SHARED_OUT * free_memory() / workers),
            epoch_seconds=60 * execution.minutes_per_epoch,
            trial_seconds=None if hours is None else 3600 * hours,
        )

    def broken_by(self, use: Use) -> Ending | None:
        """How a training ends whose process has taken so much; None where it goes on."""
        if use.memory > self.memory:
            return Ending(
                Status.OUT_OF_MEMORY,
                f"its process took {use.memory / GIB:.2f} GiB of memory; a worker may have "
                f"{self.memory / GIB:.2f} GiB (execution.memory)",
            )
        if use.silent_seconds > self.silent_seconds:
            return Ending(
                Status.TIMED_OUT, f"no sign of life from its process for {self.silent_seconds:g} seconds"
            )
        if use.epoch_seconds > self.epoch_seconds:
            return Ending(
                Status.TIMED_OUT,
                f"an epoch was not done after {self.epoch_seconds / 60:g} minutes "
                "(execution.minutes_per_epoch)",
            )
        if self.trial_seconds is not None and use.trial_seconds > self.trial_seconds:
            return Ending(
                Status.TIMED_OUT,
                f"not done after {self.trial_seconds / 3600:g} hours (execution.hours_per_trial)",
            )
        return None
