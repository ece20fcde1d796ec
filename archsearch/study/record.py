"""The durable record of one search: a SQLite file, written by one process, one transaction per event.

Everything else (the sampler's memory, MLflow, ranking, report) is derived from it and can be rebuilt. Times
are seconds since 1970-01-01 UTC. NaN is stored as NULL.
"""

import contextlib
import json
import math
import os
import socket
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from archsearch.errors import SearchLocked, StoreError, unwritable
from archsearch.records import EpochRecord, SpaceChange, Status, TrainingRun, TrialResult
from archsearch.study.database import RESTORE, connect, explained, require_intact
from archsearch.study.reader import RecordReader
from archsearch.study.rows import epoch_row, proposal_row, run_row, trial_row
from archsearch.study.schema import SCHEMA, VERSION, migrate
from archsearch.study.values import Header, Mirrored, Proposal

if TYPE_CHECKING:
    from archsearch.diagnosis import Judgements


class Record(RecordReader):
    """A search's record.

    Use `create` or `open`; then as a context manager, or `close` it.

    Attributes
    ----------
    is_working : bool
        Whether this process has begun a session, and not ended it.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, *, is_read_only: bool) -> None:
        super().__init__(path, connection)
        self._is_read_only = is_read_only
        self._session: int | None = None
        self.is_working = False
        self._began = (0.0, 0.0)

    @classmethod
    def create(cls, path: Path, header: Header) -> Self:
        """Make a new record at `path`; a file that is there is whole, whenever the process is killed.

        What killed processes left of earlier attempts is removed: the search is held by this one.

        Raises
        ------
        StoreError
            If it can't be written.
        StorageFull
        """
        unfinished = path.with_name(f"unfinished-{os.getpid()}.sqlite")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for left_behind in path.parent.glob("unfinished-*"):
                left_behind.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(path.parent, error) from None
        with explained(unfinished):
            connection = connect(unfinished, "rwc")
            connection.executescript(SCHEMA)
            with connection:
                connection.execute("BEGIN")
                for key, value in asdict(header).items():
                    _set(connection, key, value)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
        unfinished.replace(path)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False, check: bool = True) -> Self:
        """Open the record at `path`; to write, one of an older version is brought up to this one.

        Parameters
        ----------
        path : Path
        read_only : bool
        check : bool
            False is for those who have found the whole file intact some moments ago.

        Raises
        ------
        StoreError
            If it is missing, damaged, or written by a newer version of archsearch.
        """
        if not path.is_file():
            raise StoreError(f"{path}: no such record")
        with explained(path):
            connection = connect(path, "ro" if read_only else "rw")
            if check:
                require_intact(connection, path)
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            has_tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0
        if version > VERSION:
            raise StoreError(
                f"{path}: written by a newer archsearch (record version {version}, this one reads up to "
                f"{VERSION}); upgrade archsearch, or name another --store"
            )
        if not path.stat().st_size:
            raise StoreError(f"{path}: empty (0 bytes), no record of a search: {RESTORE}")
        if version < 1 or not has_tables:
            raise StoreError(f"{path}: a SQLite file, but no record of a search")
        if version < VERSION:
            with explained(path):
                if read_only:
                    connection = _copied(connection)  # the file stays as it is
                migrate(connection)
        return cls(path, connection, is_read_only=read_only)

    def close(self) -> None:
        """Close the file; if nobody else has it open, as one that can be read in a read-only folder."""
        if not self._is_read_only:
            with contextlib.suppress(sqlite3.OperationalError):
                self._db.execute("PRAGMA busy_timeout = 0")
                self._db.execute("PRAGMA journal_mode = DELETE")
        super().close()

    def begin_session(
        self, command: str, workers: int, total: int, gpus: int = 0, seconds: float = math.inf
    ) -> None:
        """Say that this process works on the search from now on, until it has `total` trials.

        Its bounds end it after `seconds` at the latest.

        What trainings had done that did not end is forgotten: they start again with their seeds.

        From here on nothing can be written once another process has begun a session: this one was suspended,
        and that one found its search free.
        """
        now = time.time()
        ends_by = now + seconds if math.isfinite(seconds) else None
        row = (socket.gethostname(), os.getpid(), command, workers, now, now, "running", 0.0, gpus, ends_by)
        self._session = None
        with self._writing() as db:
            db.execute(
                "INSERT INTO sessions (host, pid, command, workers, started_at, seen_at, status, "
                "driver_seconds, gpus, ends_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            _set(db, "total", total)
            db.execute("DELETE FROM epochs WHERE (trial, seed) NOT IN (SELECT trial, seed FROM runs)")
            session = db.execute("SELECT max(id) FROM sessions").fetchone()[0]
        self._session, self.is_working, self._began = session, True, (now, time.monotonic())

    def end_session(self, status: str, driver_seconds: float, reason: str = "") -> None:
        """Say how this process's work ended and why, and how long it did other things than waiting."""
        with self._writing() as db:
            db.execute(
                "UPDATE sessions SET status = ?, driver_seconds = ?, reason = ? WHERE id = ?",
                (status, driver_seconds, reason, self._session),
            )
        self.is_working = False  # what is written from here on is no work on the search

    def set_mirrored(self, mirrored: Mirrored) -> None:
        """Say how far MLflow is in line with this record."""
        with self._writing() as db:
            _set(db, "mirrored", asdict(mirrored))

    def put_words(self, header: Header) -> None:
        """Store what the space says now, where that is no edit: what waits is left as it is."""
        with self._writing() as db:
            for key in ("space", "space_text"):
                _set(db, key, getattr(header, key))

    def change_space(self, header: Header, words: Sequence[str]) -> None:
        """Go on with an edited space: what waits is thought of again, but for what a person has added.

        Parameters
        ----------
        header : Header
            With the space's new words.
        words : sequence of str
            What differs, a line each.
        """
        with self._writing() as db:
            for key in ("fingerprint", "space", "identity", "space_text"):
                _set(db, key, getattr(header, key))
            waiting = "SELECT number FROM trials WHERE status = ? AND NOT by_hand"
            db.execute(
                f"UPDATE proposals SET trial = NULL, state = 'FAIL' WHERE trial IN ({waiting})",
                (Status.QUEUED,),
            )
            db.execute(f"DELETE FROM trials WHERE number IN ({waiting})", (Status.QUEUED,))
            made = db.execute("SELECT family, count(*) FROM proposals GROUP BY family").fetchall()
            _set(db, "proposals_before_edit", dict(made))
            first = db.execute("SELECT coalesce(max(number), -1) + 1 FROM trials").fetchone()[0]
            change = SpaceChange(first, time.time(), tuple(words))
            db.execute(
                "INSERT INTO changes (trial, at, words) VALUES (?, ?, ?)",
                (change.trial, change.at, json.dumps(change.words)),
            )

    def queue(self, trial: TrialResult, proposals: Iterable[Proposal]) -> None:
        """Add a trial that waits for a worker, with the proposals that were made on the way to it."""
        with self._writing() as db:
            _put_trial(db, replace(trial, status=Status.QUEUED))
            _put_proposals(db, proposals)

    def start(self, trial: TrialResult) -> None:
        """Say that a queued trial is trained from now on, and by which worker."""
        with self._writing() as db:
            db.execute(
                "UPDATE trials SET status = ?, worker = ?, revision = ? WHERE number = ?",
                (Status.RUNNING, trial.worker, _next_revision(db), trial.number),
            )

    def put_proposals(self, proposals: Iterable[Proposal]) -> None:
        """Add proposals that became no trial."""
        with self._writing() as db:
            _put_proposals(db, proposals)

    def add_epoch(self, trial: int, seed: int, epoch: EpochRecord) -> None:
        """Add an epoch of a training."""
        values = epoch_row(epoch)
        with self._writing() as db:
            db.execute(
                f"INSERT INTO epochs VALUES (?, ?, {', '.join('?' * len(values))})", (trial, seed, *values)
            )
            db.execute("UPDATE trials SET revision = ? WHERE number = ?", (_next_revision(db), trial))

    def add_run(self, trial: int, run: TrainingRun) -> None:
        """Record how a training with one seed ended; its epochs were recorded as they happened."""
        with self._writing() as db:
            _put_run(db, "INSERT", trial, run)
            db.execute("UPDATE trials SET revision = ? WHERE number = ?", (_next_revision(db), trial))

    def end_trial(
        self,
        trial: TrialResult,
        proposal: Proposal | None,
        judgements: "Judgements | None" = None,
    ) -> None:
        """Record how a trial ended: status, score, verdict, what the sampler was told.

        Its trainings were recorded as they ended, if they ever began. Of one that has no end, since it was
        trained together with one that was without a result, the epochs are forgotten.
        """
        with self._writing() as db:
            for run in trial.runs:
                _put_run(db, "INSERT OR IGNORE", trial.number, run)
            db.execute(
                "DELETE FROM epochs WHERE trial = ? AND seed NOT IN (SELECT seed FROM runs WHERE trial = ?)",
                (trial.number, trial.number),
            )
            db.execute(
                "UPDATE trials SET status = ?, score = ? WHERE number = ?",
                (trial.status, trial.score, trial.number),
            )
            _put_verdict(db, trial)
            _put_judgements(db, judgements or {})
            _put_proposals(db, [proposal] if proposal else [])

    def forget_models(self, trials: Iterable[int]) -> None:
        """Say that the weights of these trials are no longer kept."""
        with self._writing() as db:
            for number in trials:
                db.execute("UPDATE runs SET model = NULL WHERE trial = ?", (number,))
                db.execute("UPDATE trials SET revision = ? WHERE number = ?", (_next_revision(db), number))

    def put_judgements(
        self, trials: Iterable[TrialResult], judgements: "Judgements", at: int | None = None
    ) -> None:
        """Store what was judged again.

        Parameters
        ----------
        trials : iterable of TrialResult
            Those whose verdict, confidence or agreement has changed.
        judgements : mapping of (trial, seed) to Judgement
            Those that have changed.
        at : int, optional
            The revision that was judged: nothing is stored where the record is at another one by now.
        """
        with self._writing() as db:
            if at is not None and at != _next_revision(db) - 1:
                return
            for trial in trials:
                _put_verdict(db, trial)
            _put_judgements(db, judgements)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with explained(self.path), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._require_newest_session()
            yield self._db
            if self.is_working:
                # By a clock that nobody sets: the search's hours count by it.
                started_at, began = self._began
                seen_at = started_at + time.monotonic() - began
                self._db.execute("UPDATE sessions SET seen_at = ? WHERE id = ?", (seen_at, self._session))

    def _require_newest_session(self) -> None:
        if self._session is None:
            return
        newest = "SELECT id, host, pid FROM sessions ORDER BY id DESC LIMIT 1"
        session, host, pid = self._db.execute(newest).fetchone()
        if session != self._session:
            raise SearchLocked(
                f"search {self.path.parent.name} was taken over by process {pid} on {host}: this process had "
                "given no sign of life; what it has not recorded yet is lost"
            )


def _copied(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The same tables in memory."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    connection.backup(copy)
    connection.close()
    return copy


def _set(db: sqlite3.Connection, key: str, value: Any) -> None:
    db.execute("INSERT OR REPLACE INTO search VALUES (?, ?)", (key, json.dumps(value)))


def _next_revision(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(revision), 0) + 1 FROM trials").fetchone()[0])


def _put_trial(db: sqlite3.Connection, trial: TrialResult) -> None:
    values = trial_row(trial, _next_revision(db))
    db.execute(f"INSERT INTO trials VALUES ({', '.join('?' * len(values))})", values)


def _put_run(db: sqlite3.Connection, insert: str, trial: int, run: TrainingRun) -> None:
    values = run_row(trial, run)
    db.execute(f"{insert} INTO runs VALUES ({', '.join('?' * len(values))})", values)


def _put_verdict(db: sqlite3.Connection, trial: TrialResult) -> None:
    db.execute(
        "UPDATE trials SET verdict = ?, delivered = ?, confidence = ?, agreement = ?, revision = ? "
        "WHERE number = ?",
        (
            trial.verdict,
            trial.delivered,
            trial.confidence,
            trial.agreement,
            _next_revision(db),
            trial.number,
        ),
    )


def _put_judgements(db: sqlite3.Connection, judgements: "Judgements") -> None:
    from archsearch.diagnosis.storage import to_json  # with the rules, which little else needs

    rows = [(*key, json.dumps(to_json(judgement))) for key, judgement in judgements.items()]
    db.executemany("INSERT OR REPLACE INTO judgements VALUES (?, ?, ?)", rows)


def _put_proposals(db: sqlite3.Connection, proposals: Iterable[Proposal]) -> None:
    rows = [proposal_row(proposal) for proposal in proposals]
    db.executemany("INSERT OR REPLACE INTO proposals VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
