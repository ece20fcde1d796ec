"""A search mirrored to an MLflow server over HTTP, also one that is away for a while."""

import json
from pathlib import Path

import pytest
from real_command import IN_PROCESS, free_port, invoke

pytestmark = pytest.mark.slow

SPACE = """\
name: NAME
data: digits
architectures: {small: {dense: [8]}, wide: {dense: [[32, 0.2]]}}
training: {epochs: 2, batch_size: 128}
"""


@pytest.fixture(autouse=True)
def _in_a_fresh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def search(name: str, *words: str) -> dict:
    Path("space.yaml").write_text(SPACE.replace("NAME", name))
    done = invoke("run", "space.yaml", "--json", *IN_PROCESS, *words)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) | {"stderr": done.stderr}


def runs_of(uri: str, name: str):
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(name)
    return client, client.search_runs([experiment.experiment_id]) if experiment else []


def test_the_server_named_in_the_environment_gets_runs_and_artifacts(
    mlflow_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    result = search("remote")
    assert result["tracking_uri"] == mlflow_server
    client, runs = runs_of(mlflow_server, "remote")
    assert [run_.info.status for run_ in runs] == ["FINISHED"] * 3
    (parent,) = (run_ for run_ in runs if run_.data.tags["archsearch.trial"] == "all")
    report = client.download_artifacts(parent.info.run_id, "report", str(tmp_path))
    assert (Path(report) / "remote.html").read_text() == (tmp_path / result["report"]).read_text()
    assert not (tmp_path / "mlruns" / "mlflow.db").exists()


def test_a_server_that_is_away_is_mirrored_to_at_the_next_start(mlflow_server: str) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    first = search("later", "--tracking", "later", "--tracking-uri", away)
    assert first["experiment_id"] is None
    assert "not mirrored to MLflow" in first["stderr"]
    second = search("later", "--tracking-uri", mlflow_server)
    assert second["status"] == "nothing_to_do"
    client, runs = runs_of(mlflow_server, "later")
    assert len(runs) == 3
    assert second["experiment_id"] == runs[0].info.experiment_id
    child = next(run_ for run_ in runs if run_.data.tags["archsearch.trial"] == "0")
    steps = [point.step for point in client.get_metric_history(child.info.run_id, "val_loss")]
    assert sorted(steps) == [1, 2]
