"""MLflow's table of runs stays quick when there are thousands."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from real_command import Searched

from archsearch.tracking import statistics
from archsearch.tracking.server import prepare_mlflow
from archsearch.tracking.statistics import gather_statistics

MANY_RUNS = """
WITH RECURSIVE made(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM made WHERE n < 3000)
INSERT INTO runs (run_uuid, name, experiment_id, lifecycle_stage)
SELECT 'made' || n, n, 0, 'active' FROM made;
INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
SELECT keys.key, 0.5, 0, 0, 0, run_uuid FROM (SELECT DISTINCT key FROM latest_metrics) AS keys, runs
WHERE run_uuid LIKE 'made%';
DELETE FROM sqlite_stat1;
"""


def sorted_by_a_metric(database: Path) -> tuple[str, tuple]:
    """What MLflow asks of its database where a page sorts runs by a metric."""
    prepare_mlflow()
    from mlflow import MlflowClient
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        asked.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        MlflowClient(f"sqlite:///{database}").search_runs(["0"], order_by=["metrics.val_loss ASC"])
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return next(each for each in asked if "ORDER BY" in each[0] and "latest_metrics" in each[0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_thousands_of_runs_are_sorted_by_a_metric_without_comparing_each_with_each(
    searched: Searched, tmp_path: Path
) -> None:
    database = Path(shutil.copy(searched.folder / "mlruns" / "mlflow.db", tmp_path))
    statement, parameters = sorted_by_a_metric(database)
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("SELECT count(*) FROM sqlite_stat1").fetchone()[0], "gathered as the search ended"
        db.executescript(MANY_RUNS)

    def plan() -> str:
        with closing(sqlite3.connect(database)) as db:
            return str(db.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())

    assert "SCAN anon_1" in plan(), "else there is nothing to mend"
    gather_statistics(database)
    assert "SCAN anon_1" not in plan()


def test_a_database_to_which_others_write_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "BUSY_SECONDS", 0.1)
    path = tmp_path / "mlflow?#%20.db"  # what means something else in a URL
    with closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE runs (run_uuid TEXT PRIMARY KEY); INSERT INTO runs VALUES ('one')")
        db.execute("BEGIN EXCLUSIVE")
        gather_statistics(path)
        db.rollback()
        assert not db.execute("SELECT * FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchall()
        gather_statistics(path)
        assert db.execute("SELECT tbl FROM sqlite_stat1").fetchall() == [("runs",)]
