"""A record's SQLite file: how it is opened, and what its faults mean to users."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from archsearch.errors import StorageFull, StoreError


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a file in one of SQLite's modes: ``"ro"``, ``"rw"`` or ``"rwc"``."""
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
def explained(path: Path) -> Iterator[None]:
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
