"""What SQLite has to know of MLflow's tables to sort thousands of runs quickly."""

from contextlib import suppress
from pathlib import Path

ROWS = 1_000
"""Of each index so many are looked at: SQLite's own advice is 100 to 1,000 (its manual on ``ANALYZE``)."""


# So long others may write to the database.
BUSY_SECONDS = 2.0


def gather_statistics(database: Path) -> None:
    """Have SQLite estimate how many rows MLflow's tables have, which it keeps in the database.

    Without that it takes one of them for a short list. Where MLflow's page sorts by a metric or a parameter,
    SQLite then compares each run with each value: 13 s for 11,000 runs, with it 0.1 s. To gather it takes
    less than 0.1 s. A database to which others write meanwhile is left as it is.

    Parameters
    ----------
    database : Path
        Of MLflow, as SQLite has it.
    """
    from sqlalchemy import URL, create_engine, text
    from sqlalchemy.exc import DatabaseError

    # A URL of text would end the path at a "?" or "#".
    url = URL.create("sqlite", database=str(database))
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    try:
        with suppress(DatabaseError), engine.begin() as connection:
            connection.execute(text(f"PRAGMA analysis_limit = {ROWS}"))
            connection.execute(text("ANALYZE"))
    finally:
        engine.dispose()
