"""What the driver and a worker process say to each other, besides trainings and events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archsearch.records import Ending
from archsearch.space.data_words import Data


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker must know before its first training.

    Attributes
    ----------
    data : Data
    fingerprint : str
        Of the data set that the search began with.
    folder : Path
        What relative paths and the user's modules are looked up from.
    models : Path
        Where delivered models go.
    arguments : mapping of str to mapping
        What users' HyperModel classes are called with, by family.
    """

    data: Data
    fingerprint: str
    folder: Path
    models: Path
    arguments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has its libraries and data loaded."""


@dataclass(frozen=True, slots=True)
class OtherData:
    """The worker has loaded other samples than the search began with."""


@dataclass(frozen=True, slots=True)
class DiskFull:
    """The worker could not write what it had trained."""

    path: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to `EpochEnded`: how the training is to end, or None where it goes on."""

    ending: Ending | None
