"""What the driver and a worker say to each other, besides trainings and events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archsearch.errors import DataError, Refused, unwritable
from archsearch.execution.devices import no_gpu
from archsearch.execution.executor import Event
from archsearch.records import Ending
from archsearch.space.data_words import Data


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker must know before its first training.

    Attributes
    ----------
    data : Data
        What it loads.
    fingerprint : str
        Of the data set that the search began with; a worker that loads another ends the search.
    folder : Path
        What relative paths in `data` and the user's modules are looked up from.
    models : Path
        Where delivered models go.
    arguments : mapping of str to mapping
        What users' HyperModel classes are called with, by family.
    gpu_memory : float or None
        Most it may take of its GPU, in GiB.
    gpus_asked : str
        That GPUs were asked for, in the user's words: without one nothing is trained. Empty where the CPU
        will do.
    """

    data: Data
    fingerprint: str
    folder: Path
    models: Path
    arguments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    gpu_memory: float | None = None
    gpus_asked: str = ""


@dataclass(frozen=True, slots=True)
class Alive:
    """A sign of life."""


@dataclass(frozen=True, slots=True)
class NoGpu:
    """The worker's libraries, loaded, see nothing to compute on but the CPU."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has its libraries and data loaded."""


@dataclass(frozen=True, slots=True)
class OtherData:
    """The worker has loaded other samples than the search began with."""


@dataclass(frozen=True, slots=True)
class DiskFull:
    """The worker could not write what it had trained."""

    path: str | Path
    error: OSError


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to `EpochEnded`: how the training is to end, or None where it goes on."""

    seed: int
    ending: Ending | None


Message = Event | Alive | NoGpu | Ready | OtherData | DiskFull


def require_well(message: Message, setup: Setup) -> None:
    """Check that a worker can go on.

    Raises
    ------
    StorageFull, DataError
    Refused
        If it is to compute on a GPU, and sees none.
    """
    if isinstance(message, NoGpu) and setup.gpus_asked:
        raise Refused(f"{setup.gpus_asked}; {no_gpu()}; --gpus 0 trains on the CPU")
    if isinstance(message, DiskFull):
        raise unwritable(message.path, message.error)
    if isinstance(message, OtherData):
        raise DataError(
            f"data: {setup.data.origin} gave other samples in a worker than in the search: make it "
            "give the same each time (seed its random numbers)"
        )
