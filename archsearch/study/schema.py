"""The tables of a record, and how an older record gets them."""

import sqlite3
from collections.abc import Mapping, Sequence

VERSION = 4

_JUDGEMENTS = """
CREATE TABLE judgements (
    trial INTEGER NOT NULL REFERENCES trials, seed INTEGER NOT NULL, judgement TEXT NOT NULL,
    PRIMARY KEY (trial, seed)
) WITHOUT ROWID;
"""

_CHANGES = """
CREATE TABLE changes (
    id INTEGER PRIMARY KEY, trial INTEGER NOT NULL, at REAL NOT NULL, words TEXT NOT NULL
);
"""

SCHEMA = (
    """
CREATE TABLE search (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, command TEXT NOT NULL,
    workers INTEGER NOT NULL,
    started_at REAL NOT NULL, seen_at REAL NOT NULL, status TEXT NOT NULL, driver_seconds REAL NOT NULL,
    gpus INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', ends_by REAL
);
CREATE TABLE trials (
    number INTEGER PRIMARY KEY, name TEXT, architecture TEXT NOT NULL, recipe TEXT NOT NULL,
    parameters INTEGER NOT NULL, status TEXT NOT NULL, score REAL, verdict TEXT, revision INTEGER NOT NULL,
    delivered TEXT, confidence REAL, agreement REAL, worker TEXT, by_hand INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX trials_by_revision ON trials (revision);
CREATE TABLE proposals (
    family TEXT NOT NULL, number INTEGER NOT NULL, trial INTEGER REFERENCES trials,
    params TEXT NOT NULL, distributions TEXT NOT NULL, system_attrs TEXT NOT NULL,
    state TEXT NOT NULL, value REAL, PRIMARY KEY (family, number)
) WITHOUT ROWID;
CREATE INDEX proposals_by_trial ON proposals (trial);
CREATE TABLE runs (
    trial INTEGER NOT NULL REFERENCES trials, seed INTEGER NOT NULL, status TEXT NOT NULL,
    reason TEXT NOT NULL, stopped_early INTEGER NOT NULL, delivered_epoch INTEGER,
    val_loss_spread REAL, probabilities BLOB, model TEXT, seconds REAL NOT NULL,
    environment TEXT NOT NULL, PRIMARY KEY (trial, seed)
);
CREATE TABLE epochs (
    trial INTEGER NOT NULL REFERENCES trials, seed INTEGER NOT NULL, epoch INTEGER NOT NULL,
    train_loss REAL, train_loss_eval REAL, val_loss REAL, val_loss_half_a REAL, val_loss_half_b REAL,
    accuracy REAL, val_accuracy REAL, precision REAL, recall REAL, auc REAL, learning_rate REAL,
    seconds REAL, ended_at REAL, PRIMARY KEY (trial, seed, epoch)
) WITHOUT ROWID;
"""
    + _JUDGEMENTS
    + _CHANGES
)

MIGRATIONS: Mapping[int, Sequence[str]] = {
    1: (
        "ALTER TABLE trials ADD COLUMN confidence REAL",
        "ALTER TABLE trials ADD COLUMN agreement REAL",
        _JUDGEMENTS,
    ),
    2: (
        "ALTER TABLE sessions ADD COLUMN gpus INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE trials ADD COLUMN worker TEXT",
        "ALTER TABLE trials ADD COLUMN by_hand INTEGER NOT NULL DEFAULT 0",
        _CHANGES,
    ),
    3: (
        "ALTER TABLE sessions ADD COLUMN reason TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE sessions ADD COLUMN ends_by REAL",
    ),
}
"""What makes a record of a version one of the next."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a record of an older version up to the present one, as a whole or not at all."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for older in range(version, VERSION):
            for statement in MIGRATIONS[older]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
