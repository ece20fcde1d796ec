"""The seam between the search and whatever runs its trainings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from archsearch.records import Ending, EpochRecord, Training, TrainingRun


@dataclass(frozen=True, slots=True)
class EpochEnded:
    """An epoch is measured; the training waits for `Executor.answer`."""

    trial: int
    seed: int
    epoch: EpochRecord


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The training with one seed has ended, whatever way.

    Seeds are trained in their order or together; they are told to have ended in their order. The first
    training without a result is the trial's last: what is pruned, diverged or failed with one seed has no
    others.
    """

    trial: int
    run: TrainingRun


Event = EpochEnded | RunEnded


class Executor(Protocol):
    """Runs trainings somewhere and tells what happens to them."""

    @property
    def capacity(self) -> int:
        """How many trainings run at once."""

    def submit(self, training: Training) -> str:
        """Start a training; never more than `capacity` at once. The name of the worker that has it."""

    def poll(self, timeout: float) -> Sequence[Event]:
        """Wait at most `timeout` seconds for something to happen."""

    def answer(self, trial: int, seed: int, ending: Ending | None) -> None:
        """Tell a training that waits at an epoch's end how to end; None lets it go on."""

    def close(self) -> None:
        """End all trainings at once and free what they hold."""
