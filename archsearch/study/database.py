"""A record's SQLite file: how it is opened and checked, and what its faults mean to users."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from archsearch.errors import LOCKS_NEEDED, StorageFull, StoreError
from archsearch.study.filesystem import network_file_system

RESTORE = (
    "restore the file from a copy; or move its folder away, or say --new, to search again from the start"
)
"""What to do about a record that is lost."""

# What a file system answers that has no locks, or no longer knows of them.
_NO_LOCKS = frozenset({
    sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_UNLOCK,
    sqlite3.SQLITE_IOERR_RDLOCK, sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK, sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMMAP,
})  # fmt: skip
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_NOT_READ = frozenset({sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ})
# What a process left in the middle has to be undone first, which one that only reads may not.
_TO_BE_UNDONE = frozenset({sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY})


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a file in one of SQLite's modes: ``"ro"``, ``"rw"`` or ``"rwc"``.

    On a disk of this machine writers use a write-ahead log: readers don't wait for it. Such a log needs
    memory that all processes share, so on a network file system there is a rollback journal in its place.

    Raises
    ------
    StoreError
        If a file with a write-ahead log can't be read over the network.
    """
    connection, journal = _opened(path, mode)
    try:
        if mode == "ro":
            # Most records have no log: who runs a search has one, or was killed at it. To ask the system for
            # the file system takes longer than to read a search in short.
            if journal == "wal" and (network := network_file_system(path)):
                raise StoreError(
                    f"{path}: was left open by a machine that has it on a disk of its own, and can't be read "
                    f"over {network} before that machine has closed it, or the search goes on here"
                )
        elif network_file_system(path):
            _without_shared_memory(connection)
        else:
            connection.execute("PRAGMA journal_mode = WAL")
            # In WAL mode this survives a killed process; after a power cut the last epochs may have to be
            # trained again, which costs less than a wait for the disk at every epoch.
            connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def require_intact(connection: sqlite3.Connection, path: Path) -> None:
    """Check the whole file: 0.1 s for 1,000 trials of 100 epochs, a twentieth of what reading them takes.

    Raises
    ------
    sqlite3.DatabaseError
        As SQLite raises it by itself on meeting the damage.
    """
    (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    # SQLite takes what is missing of a last page for zeros. Nothing is missing while the log has the page.
    if answer == "ok" and path.stat().st_size % page and not _has_log(path):
        answer = "cut off"
    if answer != "ok":
        error = sqlite3.DatabaseError(" ".join(str(answer).split()))
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _meaning(path, error, getattr(error, "sqlite_errorcode", 0)) from None


def _meaning(path: Path, error: sqlite3.DatabaseError, code: int) -> StoreError | StorageFull:
    if code & 0xFF in _DAMAGED:
        return StoreError(f"{path}: damaged ({error}): {RESTORE}")
    if code in _NO_LOCKS:
        return StoreError(f"{path}: {error}: {LOCKS_NEEDED}")
    if code == sqlite3.SQLITE_FULL or (code & 0xFF == sqlite3.SQLITE_IOERR and code not in _NOT_READ):
        return StorageFull(
            f"{path}: can't be written ({error}): is the disk full? Everything up to now is saved; repeat "
            "the command once there is room"
        )
    return StoreError(f"{path}: {error}")


def _opened(path: Path, mode: str) -> tuple[sqlite3.Connection, str]:
    """A connection, and to read the journal of the file."""
    connection = _connected(path, mode)
    if mode != "ro":
        return connection, ""
    try:
        return connection, _journal(connection)
    except sqlite3.DatabaseError as error:
        connection.close()
        if error.sqlite_errorcode not in _TO_BE_UNDONE:
            raise
        with contextlib.closing(_connected(path, "rw")) as undoing:
            _journal(undoing)
        connection = _connected(path, mode)
        return connection, _journal(connection)


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=30
    )


def _journal(connection: sqlite3.Connection) -> str:
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.is_file() and log.stat().st_size > 0


def _without_shared_memory(connection: sqlite3.Connection) -> None:
    # A write-ahead log that is there is emptied by this process alone, which needs no memory that is shared.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA locking_mode = NORMAL")
    connection.execute("PRAGMA synchronous = FULL")
    _journal(connection)  # the exclusive lock ends with the next reading
