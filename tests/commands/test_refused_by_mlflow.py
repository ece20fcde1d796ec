"""What MLflow refuses only once it is written to."""

import json
from pathlib import Path

import pytest
from real_command import IN_PROCESS, TINY_SPACE, invoke

pytestmark = [
    pytest.mark.slow,
    # MLflow's SQLite store uses what SQLAlchemy 2.1 deprecates.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]


def test_a_search_that_mlflow_refuses_is_not_said_to_have_been_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/team.db"
    client = MlflowClient(uri)
    client.delete_experiment(client.create_experiment("tiny"))
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY_SPACE)
    done = invoke("run", "tiny.yaml", "--tracking-uri", uri, *IN_PROCESS)
    assert done.exit_code == 2
    assert "was deleted; restore it" in done.stderr
    status = json.loads(invoke("status", "--json").stdout)
    (search,) = status["searches"]
    assert search["state"] == "resumable"
    assert "was deleted" in search["reason"]
