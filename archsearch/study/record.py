"""The durable record of one search: a SQLite file, written by one process, one transaction per event.

Everything else (the sampler's memory, MLflow, ranking, report) is derived from it and can be rebuilt. Times
are seconds since 1970-01-01 UTC. NaN is stored as NULL.
"""

import contextlib
import json
import os
import socket
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from archsearch.architecture import architecture_from_json
from archsearch.diagnosis import Judgement, Judgements
from archsearch.diagnosis.storage import from_json, to_json
from archsearch.errors import StorageFull, StoreError
from archsearch.records import (
    DataSummary,
    EpochRecord,
    Recipe,
    Reference,
    SearchSnapshot,
    Status,
    TrainingRun,
    TrialResult,
)
from archsearch.study.schema import SCHEMA, VERSION, migrate


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
    """One process's work on the search."""

    host: str
    pid: int
    command: str
    workers: int
    started_at: float
    seen_at: float
    status: str
    driver_seconds: float

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


class Record:
    """A search's record.

    Use `create` or `open`; then as a context manager, or `close` it.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, *, is_read_only: bool, version: int
    ) -> None:
        self.path = path
        self._db = connection
        self._is_read_only = is_read_only
        self._version = version
        self._session: int | None = None

    # -- opening ---------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path, header: Header) -> Self:
        """Make a new record at `path`; a file that is there is whole, whenever the process is killed.

        Raises
        ------
        StoreError
            If it can't be written.
        """
        unfinished = path.with_name(f"unfinished-{os.getpid()}.sqlite")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{path.parent}: can't be written: {error.strerror}") from None
        with _explained(unfinished):
            connection = _connect(unfinished, "rwc")
            connection.executescript(SCHEMA)
            rows = [(key, json.dumps(value)) for key, value in asdict(header).items()]
            with connection:
                connection.execute("BEGIN")
                connection.executemany("INSERT INTO search VALUES (?, ?)", rows)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
        unfinished.replace(path)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """Open the record at `path`; to write, one of an older version is brought up to this one.

        Raises
        ------
        StoreError
            If it is missing, damaged, or written by a newer version of archsearch.
        """
        if not path.is_file():
            raise StoreError(f"{path}: no such record")
        with _explained(path):
            connection = _connect(path, "ro" if read_only else "rw")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            has_tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0
        if version > VERSION:
            raise StoreError(
                f"{path}: written by a newer archsearch (record version {version}, this one reads up to "
                f"{VERSION}); upgrade archsearch, or name another --store"
            )
        if version < 1 or not has_tables:
            raise StoreError(f"{path}: a SQLite file, but no record of a search")
        if version < VERSION and not read_only:
            with _explained(path):
                migrate(connection)
            version = VERSION
        return cls(path, connection, is_read_only=read_only, version=version)

    def close(self) -> None:
        """Close the file; if nobody else has it open, as one that can be read in a read-only folder."""
        if not self._is_read_only:
            with contextlib.suppress(sqlite3.OperationalError):
                self._db.execute("PRAGMA busy_timeout = 0")
                self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- writing ---------------------------------------------------------------------------------------------

    def begin_session(self, command: str, workers: int, total: int) -> None:
        """Say that this process works on the search from now on, until it has `total` trials.

        What interrupted trainings had done is forgotten: they start again with their seeds.
        """
        now = time.time()
        row = (socket.gethostname(), os.getpid(), command, workers, now, now, "running", 0.0)
        interrupted = "SELECT number FROM trials WHERE status = 'running'"
        with self._writing() as db:
            db.execute(
                "INSERT INTO sessions (host, pid, command, workers, started_at, seen_at, status, "
                "driver_seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            self._session = db.execute("SELECT max(id) FROM sessions").fetchone()[0]
            _set(db, "total", total)
            db.execute(f"DELETE FROM epochs WHERE trial IN ({interrupted})")
            db.execute(f"DELETE FROM runs WHERE trial IN ({interrupted})")

    def end_session(self, status: str, driver_seconds: float) -> None:
        """Say how this process's work ended, and how long it was busy with other things than waiting."""
        with self._writing() as db:
            db.execute(
                "UPDATE sessions SET status = ?, driver_seconds = ? WHERE id = ?",
                (status, driver_seconds, self._session),
            )
        self._session = None  # what is written from here on is no work on the search

    def set_mirrored(self, mirrored: Mirrored) -> None:
        """Say how far MLflow is in line with this record."""
        with self._writing() as db:
            _set(db, "mirrored", asdict(mirrored))

    def add_trial(self, trial: TrialResult, proposal: Proposal | None) -> None:
        """Add a trial that starts now, with the proposal it came from."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, ?, NULL, NULL, NULL)",
                (
                    trial.number,
                    trial.name,
                    json.dumps(trial.architecture.to_json()),
                    json.dumps(asdict(trial.recipe)),
                    trial.parameters,
                    trial.status,
                    _next_revision(db),
                ),
            )
            if proposal:
                _put_proposal(db, proposal)

    def put_proposal(self, proposal: Proposal) -> None:
        """Add a proposal that became no trial, or what a running one has chosen since."""
        with self._writing() as db:
            _put_proposal(db, proposal)

    def add_epoch(self, trial: int, seed: int, epoch: EpochRecord) -> None:
        """Add an epoch of a training."""
        values = _epoch_row(epoch)
        with self._writing() as db:
            db.execute(
                f"INSERT INTO epochs VALUES (?, ?, {', '.join('?' * len(values))})", (trial, seed, *values)
            )
            db.execute("UPDATE trials SET revision = ? WHERE number = ?", (_next_revision(db), trial))

    def end_trial(
        self, trial: TrialResult, proposal: Proposal | None, judgements: Judgements | None = None
    ) -> None:
        """Record how a trial ended: status, score, verdict, its trainings, what the sampler was told.

        Epochs are recorded as they happen and stay as they are.
        """
        with self._writing() as db:
            for run in trial.runs:
                db.execute(
                    "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _run_row(trial.number, run)
                )
            db.execute(
                "UPDATE trials SET status = ?, score = ? WHERE number = ?",
                (trial.status, trial.score, trial.number),
            )
            _put_verdict(db, trial)
            _put_judgements(db, judgements or {})
            if proposal:
                _put_proposal(db, proposal)

    def put_judgements(self, trials: Iterable[TrialResult], judgements: Judgements) -> None:
        """Store what was judged again.

        Parameters
        ----------
        trials : iterable of TrialResult
            Those whose verdict, confidence or agreement has changed.
        judgements : mapping of (trial, seed) to Judgement
            Those that have changed.
        """
        with self._writing() as db:
            for trial in trials:
                _put_verdict(db, trial)
            _put_judgements(db, judgements)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _explained(self.path), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            if self._session is not None:
                self._db.execute("UPDATE sessions SET seen_at = ? WHERE id = ?", (time.time(), self._session))

    # -- reading ---------------------------------------------------------------------------------------------

    def header(self) -> Header:
        """What was known before the first trial."""
        values = self._values()
        try:
            return Header(
                **{
                    key: values[key]
                    for key in Header.__dataclass_fields__
                    if key not in ("data", "references")
                },
                data=_data_summary(values["data"]),
                references=tuple(Reference(**reference) for reference in values["references"]),
            )
        except (KeyError, TypeError) as error:
            raise StoreError(f"{self.path}: the record of a search, but not a whole one: {error}") from None

    def total(self) -> int:
        """How many trials the search is to have."""
        return int(self._values().get("total", 0))

    def mirrored(self) -> Mirrored | None:
        """How far MLflow is in line with this record; None if it never was."""
        value = self._values().get("mirrored")
        return Mirrored(**value) if value else None

    def revision(self) -> int:
        """A number that grows with every change to a trial."""
        return int(self._rows("SELECT coalesce(max(revision), 0) FROM trials")[0][0])

    def sessions(self) -> list[Session]:
        """Every process's work on the search, oldest first."""
        columns = ", ".join(Session.__dataclass_fields__)
        return [Session(*row) for row in self._rows(f"SELECT {columns} FROM sessions ORDER BY id")]

    def proposals(self, family: str) -> list[Proposal]:
        """All proposals of a family, in order."""
        rows = self._rows("SELECT * FROM proposals WHERE family = ? ORDER BY number", (family,))
        return [
            Proposal(
                name, number, trial, json.loads(params), json.loads(dists), json.loads(attrs), state, value
            )
            for name, number, trial, params, dists, attrs, state, value in rows
        ]

    def trials(
        self, changed_after: int = 0, *, with_runs: bool = True
    ) -> tuple[tuple[TrialResult, ...], int]:
        """The trials changed after a revision, and the revision they stand at now.

        Parameters
        ----------
        changed_after : int
        with_runs : bool
            Without their trainings and epochs, reading is quicker.
        """
        sureness = "confidence, agreement" if self._version > 1 else "NULL, NULL"
        with _explained(self.path):
            # One transaction, so that trials, runs and epochs are of one moment.
            self._db.execute("BEGIN")
            try:
                revision = self._db.execute("SELECT coalesce(max(revision), 0) FROM trials").fetchone()[0]
                rows = self._db.execute(
                    "SELECT trials.number, name, architecture, recipe, parameters, status, score, verdict, "
                    f"delivered, {sureness}, params "
                    "FROM trials LEFT JOIN proposals ON proposals.trial = trials.number "
                    "WHERE revision > ? ORDER BY trials.number",
                    (changed_after,),
                ).fetchall()
                runs = self._runs([row[0] for row in rows]) if with_runs else {}
            finally:
                self._db.execute("COMMIT")
        return tuple(_trial(row, runs) for row in rows), revision

    def judgements(self) -> dict[tuple[int, int], Judgement]:
        """What was judged, by trial and seed; what another version said in other words is left out."""
        if self._version < 2:
            return {}
        rows = self._rows("SELECT trial, seed, judgement FROM judgements")
        read = {(trial, seed): from_json(json.loads(text)) for trial, seed, text in rows}
        return {key: judgement for key, judgement in read.items() if judgement}

    def snapshot(self) -> SearchSnapshot:
        """The whole search as it stands."""
        header, sessions = self.header(), self.sessions()
        return SearchSnapshot(
            id=header.id,
            uid=header.uid,
            name=header.name,
            created_at=header.created_at,
            status=sessions[-1].status if sessions else "interrupted",
            total=self.total(),
            space=header.space,
            space_text=header.space_text,
            command=sessions[-1].command if sessions else "",
            versions=header.versions,
            data=header.data,
            references=header.references,
            trials=self.trials()[0],
            wall_seconds=sum(session.seconds for session in sessions),
        )

    def _values(self) -> dict[str, Any]:
        return {key: json.loads(value) for key, value in self._rows("SELECT key, value FROM search")}

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with _explained(self.path):
            return self._db.execute(query, values).fetchall()

    def _runs(self, numbers: Sequence[int]) -> dict[int, tuple[TrainingRun, ...]]:
        classes = len(_data_summary(self._values()["data"]).classes)
        runs: dict[int, tuple[TrainingRun, ...]] = {}
        for number in numbers:
            epochs: dict[int, list[EpochRecord]] = {}
            for _, seed, *values in self._db.execute(
                "SELECT * FROM epochs WHERE trial = ? ORDER BY seed, epoch", (number,)
            ):
                epochs.setdefault(seed, []).append(_epoch(values))
            ended = {
                row[1]: _run(row, epochs.get(row[1], ()), classes)
                for row in self._db.execute("SELECT * FROM runs WHERE trial = ? ORDER BY seed", (number,))
            }
            running = {
                seed: TrainingRun(seed, Status.RUNNING, tuple(records)) for seed, records in epochs.items()
            }
            runs[number] = tuple((running | ended)[seed] for seed in sorted(running | ended))
        return runs


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=30
    )
    if mode != "ro":
        connection.execute("PRAGMA journal_mode = WAL")
        # In WAL mode this survives a killed process; after a power cut the last epochs may have to be trained
        # again, which costs less than a wait for the disk at every epoch.
        connection.execute("PRAGMA synchronous = NORMAL")
    return connection


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_FULL or (code or 0) & 0xFF == sqlite3.SQLITE_IOERR:
            raise StorageFull(
                f"{path}: can't be written ({error}): is the disk full? Everything up to now is saved; "
                "repeat the command once there is room"
            ) from None
        raise StoreError(f"{path}: {error}") from None


def _set(db: sqlite3.Connection, key: str, value: Any) -> None:
    db.execute("INSERT OR REPLACE INTO search VALUES (?, ?)", (key, json.dumps(value)))


def _next_revision(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(revision), 0) + 1 FROM trials").fetchone()[0])


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


def _put_judgements(db: sqlite3.Connection, judgements: Judgements) -> None:
    rows = [(*key, json.dumps(to_json(judgement))) for key, judgement in judgements.items()]
    db.executemany("INSERT OR REPLACE INTO judgements VALUES (?, ?, ?)", rows)


def _put_proposal(db: sqlite3.Connection, proposal: Proposal) -> None:
    values = [json.dumps(v) if isinstance(v, Mapping) else v for v in astuple(proposal)]
    db.execute("INSERT OR REPLACE INTO proposals VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def _epoch_row(epoch: EpochRecord) -> list[Any]:
    values = asdict(epoch)
    half_a, half_b = values.pop("val_loss_halves")
    number, train_loss, train_loss_eval, val_loss, *others = values.values()
    return [number, train_loss, train_loss_eval, val_loss, half_a, half_b, *others]


def _epoch(row: Sequence[Any]) -> EpochRecord:
    number, *numbers = row
    train_loss, train_loss_eval, val_loss, half_a, half_b, *others = (
        float("nan") if value is None else value for value in numbers
    )
    return EpochRecord(number, train_loss, train_loss_eval, val_loss, (half_a, half_b), *others)


def _run_row(trial: int, run: TrainingRun) -> list[Any]:
    return [
        trial,
        run.seed,
        run.status,
        run.reason,
        run.early_stopped,
        run.delivered_epoch,
        run.val_loss_spread,
        None if run.probabilities is None else run.probabilities.astype("<f4").tobytes(),
        run.model,
        run.seconds,
        json.dumps(run.environment),
    ]


def _run(row: Sequence[Any], epochs: Sequence[EpochRecord], classes: int) -> TrainingRun:
    _, seed, status, reason, early, delivered, spread, blob, model, seconds, environment = row
    return TrainingRun(
        seed=seed,
        status=Status(status),
        epochs=tuple(epochs),
        reason=reason,
        early_stopped=bool(early),
        delivered_epoch=delivered,
        val_loss_spread=spread,
        probabilities=None if blob is None else np.frombuffer(blob, "<f4").reshape(-1, classes),
        model=model,
        seconds=seconds,
        environment=json.loads(environment),
    )


def _trial(row: Sequence[Any], runs: Mapping[int, tuple[TrainingRun, ...]]) -> TrialResult:
    number, name, architecture, recipe, parameters, status, score, *judged, params = row
    verdict, delivered, confidence, agreement = judged
    return TrialResult(
        number=number,
        name=name,
        architecture=architecture_from_json(json.loads(architecture)),
        recipe=Recipe.from_json(json.loads(recipe)),
        status=Status(status),
        runs=runs.get(number, ()),
        parameters=parameters,
        score=score,
        verdict=verdict,
        delivered=delivered,
        confidence=confidence,
        agreement=agreement,
        params=json.loads(params) if params else {},
    )


def _data_summary(value: Mapping[str, Any]) -> DataSummary:
    tuples = {name: tuple(v) for name, v in value.items() if isinstance(v, list | tuple)}
    return DataSummary(**{**value, **tuples})
