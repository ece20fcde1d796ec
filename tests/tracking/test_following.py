"""The process that mirrors a record never gets into the search's way, and never pretends."""

import shutil
import time

import psutil
import pytest
from made_up import recorded, space, trial

from archsearch.errors import TrackingError
from archsearch.records import Status
from archsearch.tracking import Artifacts, Closing, Following, OpeningStopped, Tracking

pytestmark = pytest.mark.slow

CLOSING = Closing("finished", None, Artifacts())

# Of a store: what has a meaning in addresses, settings or SQL, and none in a path.
ODD_NAME = 'it\'s #1; 100 % off (ü) "$HOME"'


@pytest.fixture(scope="module")
def own_database(tmp_path_factory):
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp(ODD_NAME) / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def tracking(own_database, tmp_path):
    store = tmp_path / ODD_NAME
    store.mkdir()
    shutil.copy(own_database, store / "mlflow.db")
    return Tracking.choose(None, store / "mlflow.db", store / "artifacts")


@pytest.fixture
def record(tmp_path):
    with recorded(tmp_path, space()) as record:
        yield record


def writers():
    """The processes that write to MLflow."""
    return [each for each in psutil.Process().children() if "archsearch.tracking.following" in each.cmdline()]


def test_what_is_recorded_meanwhile_is_in_mlflow_once_it_has_finished(tracking, record):
    from mlflow import MlflowClient

    following = Following(tracking, record.snapshot(), record.path)
    record.start(trial(0, Status.RUNNING))
    (process,) = writers()
    assert following.finish(CLOSING, 180)
    assert following.revision == record.revision()
    assert not process.is_running()
    (run,) = MlflowClient(tracking.uri).search_runs(
        [following.experiment_id], "tags.`archsearch.trial` = 'all'"
    )
    assert run.info.status == "FINISHED"


def test_a_process_that_was_killed_is_told_of_and_holds_up_nobody(tracking, record):
    following = Following(tracking, record.snapshot(), record.path)
    (process,) = writers()
    process.kill()
    started = time.monotonic()
    assert not following.finish(CLOSING, 180)
    assert time.monotonic() - started < 60
    assert "was killed by SIGKILL" in following.fault


def test_time_that_is_up_is_no_fault_and_leaves_no_process(tracking, record):
    following = Following(tracking, record.snapshot(), record.path)
    (process,) = writers()
    assert not following.finish(CLOSING, 0.0)
    assert following.fault is None
    assert not process.is_running()


def test_mlflow_is_not_waited_for_longer_than_the_search_may_take(tracking, record):
    started = time.monotonic()
    with pytest.raises(OpeningStopped):
        Following(tracking, record.snapshot(), record.path, lambda: time.monotonic() > started + 0.5)
    assert time.monotonic() - started < 60
    assert not writers()


@pytest.mark.parametrize("name", ["why?", "a%20b"])
def test_a_path_that_is_another_one_in_an_address_is_refused(tmp_path, name):
    with pytest.raises(TrackingError, match=r"mlflow\.db: MLflow's database can't be there: .* --store"):
        Tracking.choose(None, tmp_path / name / "mlflow.db", tmp_path / name / "artifacts")
    assert Tracking.choose("sqlite:///team.db", tmp_path / name / "mlflow.db", tmp_path).database is None


def test_an_experiment_that_was_deleted_is_refused(tracking, record):
    from mlflow import MlflowClient

    client = MlflowClient(tracking.uri)
    client.delete_experiment(client.create_experiment(record.snapshot().name))
    with pytest.raises(TrackingError, match="was deleted; restore it"):
        Following(tracking, record.snapshot(), record.path)
