"""The process that mirrors a record never gets into the search's way, and never pretends."""

import shutil
import time

import psutil
import pytest
from made_up import recorded, space, trial

from archsearch.errors import TrackingError
from archsearch.records import Status
from archsearch.tracking import Artifacts, Closing, Following, Tracking

pytestmark = pytest.mark.slow

CLOSING = Closing("finished", None, Artifacts())


@pytest.fixture(scope="module")
def own_database(tmp_path_factory):
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def tracking(own_database, tmp_path):
    database = tmp_path / "mlflow.db"
    shutil.copy(own_database, database)
    return Tracking.choose(None, database, tmp_path / "artifacts")


@pytest.fixture
def record(tmp_path):
    with recorded(tmp_path, space()) as record:
        yield record


def writer():
    """The process that writes to MLflow."""
    (child,) = [
        each for each in psutil.Process().children() if "archsearch.tracking.following" in each.cmdline()
    ]
    return child


def test_what_is_recorded_meanwhile_is_in_mlflow_once_it_has_finished(tracking, record):
    from mlflow import MlflowClient

    following = Following(tracking, record.snapshot(), record.path)
    record.start(trial(0, Status.RUNNING))
    process = writer()
    assert following.finish(CLOSING, 60)
    assert following.revision == record.revision()
    assert not process.is_running()
    (run,) = MlflowClient(tracking.uri).search_runs(
        [following.experiment_id], "tags.`archsearch.trial` = 'all'"
    )
    assert run.info.status == "FINISHED"


def test_a_process_that_was_killed_is_told_of_and_holds_up_nobody(tracking, record):
    following = Following(tracking, record.snapshot(), record.path)
    writer().kill()
    started = time.monotonic()
    assert not following.finish(CLOSING, 60)
    assert time.monotonic() - started < 10
    assert "was killed by SIGKILL" in following.fault


def test_time_that_is_up_is_no_fault_and_leaves_no_process(tracking, record):
    following = Following(tracking, record.snapshot(), record.path)
    process = writer()
    assert not following.finish(CLOSING, 0.0)
    assert following.fault is None
    assert not process.is_running()


def test_an_experiment_that_was_deleted_is_refused(tracking, record):
    from mlflow import MlflowClient

    client = MlflowClient(tracking.uri)
    client.delete_experiment(client.create_experiment(record.snapshot().name))
    with pytest.raises(TrackingError, match="was deleted; restore it"):
        Following(tracking, record.snapshot(), record.path)
