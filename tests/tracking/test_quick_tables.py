"""MLflow's table of runs stays quick when there are thousands."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from real_command import Searched

from archsearch.tracking.statistics import gather_statistics

SORTED_BY_A_METRIC = (
    "SELECT runs.run_uuid FROM runs LEFT OUTER JOIN (SELECT * FROM latest_metrics WHERE key = 'val_loss') "
    "AS of_key ON runs.run_uuid = of_key.run_uuid ORDER BY of_key.value LIMIT 100"
)
"""What MLflow asks of its database where a page sorts runs by a metric, without all that it shows."""

MANY_RUNS = """
WITH RECURSIVE made(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM made WHERE n < 3000)
INSERT INTO runs (run_uuid, name, experiment_id, lifecycle_stage) SELECT 'made' || n, n, 0, 'active' FROM made;
INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
SELECT 'val_loss', 0.5, 0, 0, 0, run_uuid FROM runs WHERE run_uuid LIKE 'made%';
"""


def plan(db: sqlite3.Connection) -> str:
    return "\n".join(row[-1] for row in db.execute(f"EXPLAIN QUERY PLAN {SORTED_BY_A_METRIC}"))


@pytest.mark.slow
def test_thousands_of_runs_are_sorted_by_a_metric_without_comparing_each_with_each(
    searched: Searched, tmp_path: Path
) -> None:
    database = shutil.copy(searched.folder / "mlruns" / "mlflow.db", tmp_path)
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("SELECT count(*) FROM sqlite_stat1").fetchone()[0], "gathered as the search ended"
        db.executescript(MANY_RUNS)
        db.execute("DELETE FROM sqlite_stat1")
        db.commit()
    with closing(sqlite3.connect(database)) as db:
        assert "SCAN of_key" in plan(db), "else there is nothing to mend"
    gather_statistics(Path(database))
    with closing(sqlite3.connect(database)) as db:
        assert "SCAN of_key" not in plan(db)


def test_a_database_that_is_busy_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE runs (run_uuid TEXT PRIMARY KEY)")
        db.execute("INSERT INTO runs VALUES ('one')")
        db.commit()
        db.execute("BEGIN EXCLUSIVE")
        gather_statistics(path)
        db.rollback()
        gather_statistics(path)
        assert db.execute("SELECT tbl FROM sqlite_stat1").fetchall() == [("runs",)]
