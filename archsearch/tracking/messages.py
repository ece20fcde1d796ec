"""What the driver and the process that mirrors its record say to each other."""

from dataclasses import dataclass
from pathlib import Path

from archsearch.records import SearchSnapshot, TrialResult
from archsearch.tracking.mirror import Artifacts
from archsearch.tracking.server import Tracking


@dataclass(frozen=True, slots=True)
class Follow:
    """What to mirror, and where."""

    tracking: Tracking
    search: SearchSnapshot
    record: Path


@dataclass(frozen=True, slots=True)
class Opened:
    """The search's run is there."""

    experiment_id: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why MLflow can't be used."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pushed:
    """MLflow has the record up to this revision; or why it has no more."""

    revision: int
    fault: str | None


@dataclass(frozen=True, slots=True)
class Closing:
    """How the search ended, for its run in MLflow."""

    status: str
    best: TrialResult | None
    artifacts: Artifacts


@dataclass(frozen=True, slots=True)
class Closed:
    """The last that was pushed; the runs are ended, unless there is a fault."""

    revision: int
    fault: str | None
