"""What MLflow refuses only once it is written to."""

import json
from pathlib import Path

import pytest
from real_command import TINY_SPACE, run

pytestmark = [
    pytest.mark.slow,
    # MLflow's SQLite store uses what SQLAlchemy 2.1 deprecates.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]


def test_a_search_that_mlflow_refuses_is_not_said_to_have_been_killed(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/team.db"
    client = MlflowClient(uri)
    client.delete_experiment(client.create_experiment("tiny"))
    (tmp_path / "tiny.yaml").write_text(TINY_SPACE)
    done = run("run", "tiny.yaml", "--tracking-uri", uri, cwd=tmp_path)
    assert done.returncode == 2
    assert "was deleted; restore it" in done.stderr
    status = json.loads(run("status", "--json", cwd=tmp_path).stdout)
    (search,) = status["searches"]
    assert search["state"] == "resumable"
    assert "was deleted" in search["reason"]
