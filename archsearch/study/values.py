"""What a search's record keeps besides trials, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archsearch.records import DataSummary, Reference


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a search before its first trial; written once.

    `id` is unique in its store, `uid` everywhere: searches of one space in several stores may share a server.
    """

    id: str
    uid: str
    name: str
    fingerprint: str
    created_at: float
    space: Mapping[str, Any]
    identity: Mapping[str, Any]
    space_text: str
    versions: Mapping[str, str]
    data: DataSummary
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the sampler proposed and was told, enough to rebuild its memory.

    Attributes
    ----------
    family : str
    number : int
        Counted from 0 within the family.
    trial : int or None
        The trial it became; None where that architecture and recipe had been tried before, or where it broke
        a constraint.
    params, distributions, system_attrs : mapping
        Verbatim, as the sampler and the pruner keep them.
    state : str
        ``"RUNNING"``, ``"COMPLETE"``, ``"PRUNED"`` or, where nothing was told, ``"FAIL"``.
    value : float or None
        As told.
    """

    family: str
    number: int
    trial: int | None
    params: Mapping[str, Any]
    distributions: Mapping[str, str]
    system_attrs: Mapping[str, Any]
    state: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Session:
    """One process's work on the search.

    Attributes
    ----------
    host : str
    pid : int
    command : str
    workers : int
        Trainings that may run at once.
    started_at, seen_at : float
        When it began, and when it was last heard of, in seconds since 1970-01-01 UTC.
    status : str
        `Outcome`, or ``"running"``.
    driver_seconds : float
        Spent on other things than waiting.
    gpus : int
        In use.
    reason : str
        Why it ended, in words, where its status does not say all; else empty.
    ends_by : float or None
        When its bounds end it at the latest, in seconds since 1970-01-01 UTC.
    """

    host: str
    pid: int
    command: str
    workers: int
    started_at: float
    seen_at: float
    status: str
    driver_seconds: float
    gpus: int
    reason: str = ""
    ends_by: float | None = None

    @property
    def seconds(self) -> float:
        """Wall time until it was last heard of."""
        return max(0.0, self.seen_at - self.started_at)


@dataclass(frozen=True, slots=True)
class Mirrored:
    """How far an MLflow tracking server is in line with the record.

    Attributes
    ----------
    uri : str
    experiment_id : str
        Of the search's parent run.
    revision : int
        `Record.revision` up to which trials are there.
    is_closed : bool
        Whether the parent run and all its children were ended.
    """

    uri: str
    experiment_id: str
    revision: int
    is_closed: bool
