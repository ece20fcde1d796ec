"""Anyone's experiment is read as it was logged, and gets its verdicts as tags."""

import math
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from real_command import environment

from archsearch.diagnosis import Curves, diagnose
from archsearch.errors import TrackingError
from archsearch.tracking import read_experiment, tag_runs

LOSSES = [1.0, 0.8, 0.7, 0.6, 0.5, 0.45, 0.42]


def log(
    client,
    experiment_id: str,
    name: str,
    parent: str | None = None,
    **metrics: list[float] | dict[int, float],
) -> str:
    """A run as somebody's program logs it; a mapping has its steps itself."""
    from mlflow.entities import Metric

    run_id = client.create_run(
        experiment_id, run_name=name, tags={"mlflow.parentRunId": parent} if parent else {}
    ).info.run_id
    now = int(time.time() * 1000)
    rows = [
        Metric(key, value, now, step)
        for key, losses in metrics.items()
        for step, value in (losses.items() if isinstance(losses, dict) else enumerate(losses))
    ]
    client.log_batch(run_id, metrics=rows)
    client.set_terminated(run_id)
    return str(run_id)


@pytest.fixture(scope="module")
def stranger(mlflow_server: str) -> dict[str, str]:
    """An experiment with runs of every kind; their ids."""
    from mlflow import MlflowClient

    client = MlflowClient(mlflow_server)
    experiment = client.create_experiment("somebody's mnist")
    client.create_experiment("nothing yet")
    sweep = log(client, experiment, "sweep", score=[0.1])
    return {
        "sweep": sweep,
        "plain": log(client, experiment, "plain", sweep, loss=LOSSES, val_loss=LOSSES, lr=[0.1] * 7),
        "twin": log(client, experiment, "twin", loss=LOSSES, val_loss=[2 * loss for loss in LOSSES]),
        "other twin": log(client, experiment, "twin", loss=LOSSES, val_loss=[*LOSSES[:-1], math.inf]),
        "apart": log(client, experiment, "apart", loss=LOSSES[:2], val_loss={100: 0.5, 101: 0.4}),
        "trees": log(client, experiment, "trees", logloss=LOSSES, val_loss=LOSSES),
    }


@pytest.mark.slow
def test_every_run_with_losses_is_read_and_every_other_one_named(mlflow_server, stranger) -> None:
    skipped: list[str] = []
    faults: list[str] = []
    done: list[tuple[int, int]] = []
    runs = read_experiment(
        mlflow_server,
        "somebody's mnist",
        on_skipped=skipped.append,
        on_fault=faults.append,
        on_progress=lambda *so_far: done.append(so_far),
    )
    by_id = dict(runs)
    assert set(by_id) == {stranger["plain"], stranger["twin"], stranger["other twin"]}
    assert by_id[stranger["plain"]].name == "plain"
    assert by_id[stranger["twin"]].name == f"twin ({stranger['twin'][:8]})"
    plain = by_id[stranger["plain"]].curves
    assert (plain.train_loss, plain.learning_rate) == (LOSSES, [0.1] * 7)
    assert by_id[stranger["other twin"]].curves.val_loss == [*LOSSES[:-1], math.inf]
    assert skipped == ["run trees: no metric loss; it has logloss, val_loss"]
    (fault,) = faults
    assert fault.startswith(
        "run apart: the train loss was logged at the steps 0 to 1, the validation loss at"
    )
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.slow
def test_metrics_of_other_names_are_read_by_them(mlflow_server, stranger) -> None:
    ((run_id, curve),) = read_experiment(mlflow_server, "somebody's mnist", "logloss")
    assert (run_id, curve.curves.train_loss) == (stranger["trees"], LOSSES)


@pytest.mark.slow
def test_verdicts_come_back_as_tags_over_those_of_an_earlier_time(mlflow_server, stranger) -> None:
    from mlflow import MlflowClient

    overfit = Curves([1 / n for n in range(1, 41)], [0.5 + abs(n - 12) / 20 for n in range(1, 41)])
    for curves in (Curves([], []), overfit):
        diagnosis = diagnose(curves)
        tag_runs(mlflow_server, {stranger["twin"]: diagnosis})
    tags = MlflowClient(mlflow_server).get_run(stranger["twin"]).data.tags
    assert tags["archsearch.verdict"] == "overfit" == diagnosis.verdict
    assert tags["archsearch.delivered"] == diagnosis.delivered
    assert tags["archsearch.rules_version"] == str(diagnosis.rules_version)
    assert tags["archsearch.why"] == diagnosis.findings[0].message
    confidence = diagnosis.confidence
    assert tags["archsearch.confidence"] == ("" if confidence is None else f"{confidence:.3f}")


@pytest.mark.slow
@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize(
    ("experiment", "metric", "said"),
    [
        ("somebodys mnist", "loss", 'did you mean "somebody\'s mnist"'),
        ("quite another", "loss", "there are"),
        ("nothing yet", "loss", "has no runs"),
        ("somebody's mnist", "perplexity", "none has the metrics perplexity and val_loss; there are logloss"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(mlflow_server, experiment, metric, said) -> None:
    with pytest.raises(TrackingError, match=said):
        read_experiment(mlflow_server, experiment, metric)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_a_search_of_our_own_is_read_with_what_it_knows(searched) -> None:
    uri = f"sqlite:///{searched.folder}/mlruns/mlflow.db"
    runs = read_experiment(uri, "tiny", on_skipped=pytest.fail)
    assert runs
    for _, curve in runs:
        assert curve.context.planned_epochs == 6
        assert len(curve.curves.train_loss_eval) == len(curve.curves.val_loss)


def test_a_server_that_does_not_answer_is_refused_with_what_to_do() -> None:
    with pytest.raises(TrackingError, match=r"does not answer: .*; correct that or name another --mlflow"):
        read_experiment("http://127.0.0.1:9", "any")


def test_a_machine_slow_to_load_mlflow_does_not_make_a_database_one_that_does_not_answer(
    tmp_path: Path,
) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "meta.yaml").write_text(
        "experiment_id: '0'\nname: Default\nartifact_location: x\nlifecycle_stage: active\n"
    )
    # Less than loading MLflow takes, and more than a folder takes to answer.
    script = (
        "from archsearch.tracking import server\n"
        "server.PROBE_SECONDS = 2\n"
        f"server.check_answers(server.Tracking({str(tmp_path)!r}, None, None))"
    )
    words = [sys.executable, "-c", script]
    done = subprocess.run(
        words, env=environment(MLFLOW_ALLOW_FILE_STORE="true"), capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr


def test_a_server_that_keeps_silent_is_refused_with_the_time_it_had(monkeypatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr("archsearch.tracking.server.PROBE_SECONDS", 0.2)
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TrackingError, match=r"did not answer within 0.2 s; correct that"):
            read_experiment(uri, "any")


@pytest.mark.parametrize(
    "uri", ["sqlite:///absent.db", "sqlite:///other.db", "sqlite:///text.db", ".", "absent"]
)
def test_no_place_is_made_where_mlflow_has_none(uri: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    connection = sqlite3.connect("other.db")
    connection.execute("create table theirs (a)")
    connection.close()
    Path("text.db").write_text("no database at all, but long enough to be one " * 20)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(TrackingError, match="MLflow at"):
        read_experiment(uri, "any")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_with_a_database_is_told_apart_from_one_of_runs(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    with pytest.raises(TrackingError, match="write sqlite:///"):
        read_experiment(str(tmp_path), "any")
