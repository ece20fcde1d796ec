"""What the driver and a worker process say to each other, besides trainings and events."""

from dataclasses import dataclass
from pathlib import Path

from archsearch.space.data_words import Data


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker must know before its first training."""

    data: Data
    models: Path


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has its libraries and data loaded."""


@dataclass(frozen=True, slots=True)
class DiskFull:
    """The worker could not write what it had trained."""

    path: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to `EpochEnded`."""

    go_on: bool
