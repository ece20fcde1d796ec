"""A search in short: what lists of many searches say of each, without its curves."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from archsearch.ranking import leader
from archsearch.records import Status, TrialResult
from archsearch.study.events import Outcome
from archsearch.study.rows import TRIALS, trial_of
from archsearch.study.values import Mirrored, Session

# Of the space its bounds alone: the rest of it takes longer to read than all else.
_SEARCH = (
    "SELECT key, CASE key WHEN 'space' THEN coalesce(json_extract(value, '$.search'), '{}') ELSE value END "
    "FROM search WHERE key IN ('id', 'uid', 'name', 'created_at', 'total', 'mirrored', 'space')"
)


class ShortTrial(NamedTuple):
    """What places a trial among others; attributes as in `TrialResult`."""

    number: int
    score: float | None
    verdict: str | None
    delivered: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """A search in short, as its record has it at one moment.

    Attributes
    ----------
    id, uid, name : str
    created_at : float
        Seconds since 1970-01-01 UTC.
    hours, gpu_hours : float or None
        The search's own bounds, over all its sessions.
    total : int
        Trials the search is to have, those added by hand included.
    ended : int
        Of them, those that have ended.
    scored : tuple of ShortTrial
        Those with a score.
    sessions : tuple of Session
        Oldest first.
    best : TrialResult or None
        What would stand first in the ranking by the verdicts given so far, without its trainings.
    failure : str
        How the last trial failed, where the last session ended for failures; else empty.
    mirrored : Mirrored or None
        How far MLflow is in line with the record.
    """

    id: str
    uid: str
    name: str
    created_at: float
    hours: float | None
    gpu_hours: float | None
    total: int
    ended: int
    scored: tuple[ShortTrial, ...]
    sessions: tuple[Session, ...]
    best: TrialResult | None
    failure: str
    mirrored: Mirrored | None

    @property
    def status(self) -> str:
        """As the last session recorded it; before the first one the search was interrupted."""
        return self.sessions[-1].status if self.sessions else Outcome.INTERRUPTED

    @property
    def worked_at(self) -> float:
        """When a process last worked on it, in seconds since 1970-01-01 UTC."""
        return max((session.seen_at for session in self.sessions), default=self.created_at)

    @property
    def hours_used(self) -> float:
        """Hours in which processes worked on it."""
        return sum(session.seconds for session in self.sessions) / 3600

    @property
    def gpu_hours_used(self) -> float:
        """The same, times the GPUs in use."""
        return sum(session.seconds * session.gpus for session in self.sessions) / 3600


def read_summary(db: sqlite3.Connection, sessions: Sequence[Session]) -> Summary:
    """What the tables of a record say in short.

    Raises
    ------
    KeyError or TypeError
        If they lack what every record has.
    """
    known = {key: json.loads(value) for key, value in db.execute(_SEARCH)}
    counts = db.execute("SELECT status, by_hand, count(*) FROM trials GROUP BY status, by_hand").fetchall()
    rows = db.execute("SELECT number, score, verdict, delivered FROM trials WHERE score IS NOT NULL")
    scored = tuple(map(ShortTrial._make, rows))
    first = leader(scored)
    has_failed = bool(sessions) and sessions[-1].status in (Outcome.ALL_FAILED, Outcome.GIVEN_UP)
    return Summary(
        id=known["id"],
        uid=known["uid"],
        name=known["name"],
        created_at=known["created_at"],
        hours=known["space"].get("hours"),
        gpu_hours=known["space"].get("gpu_hours"),
        total=known.get("total", 0) + sum(count for _, by_hand, count in counts if by_hand),
        ended=sum(count for status, _, count in counts if Status(status).has_ended),
        scored=scored,
        sessions=tuple(sessions),
        best=_trial(db, first.number) if first else None,
        failure=_failure(db) if has_failed else "",
        mirrored=Mirrored(**known["mirrored"]) if known.get("mirrored") else None,
    )


def _trial(db: sqlite3.Connection, number: int) -> TrialResult:
    return trial_of(db.execute(TRIALS + "WHERE trials.number = ?", (number,)).fetchone(), {})


def _failure(db: sqlite3.Connection) -> str:
    """How the last failure was recorded; after a failed training no other of its trial follows."""
    for status, reason in db.execute("SELECT status, reason FROM runs ORDER BY trial DESC, seed DESC"):
        if Status(status).is_failure:
            words = status.replace("_", " ")
            return f"{words}: {reason}" if reason else words
    return ""
