"""The mirror in MLflow is what the record says, whatever was there and whatever failed before."""

import math
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made_up import DATA, epoch, recorded, space, trial
from real_command import environment as mlflow_environment

from archsearch.architecture import HyperModelArchitecture
from archsearch.records import SearchSnapshot, SpaceChange, Status, TrainingRun
from archsearch.tracking import Artifacts, Mirror, Tracking
from archsearch.tracking.experiments import read_experiment
from archsearch.training.environment import environment

pytestmark = [
    pytest.mark.slow,
    # MLflow's SQLite store uses what SQLAlchemy 2.1 deprecates.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As MLflow makes it, which takes longer than the tests."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def tracking(empty_database: Path, tmp_path: Path) -> Tracking:
    shutil.copy(empty_database, tmp_path / "team.db")
    return Tracking.choose(f"sqlite:///{tmp_path}/team.db", tmp_path / "own.db", tmp_path / "artifacts")


@pytest.fixture
def search(tmp_path: Path) -> SearchSnapshot:
    with recorded(tmp_path, space()) as record:
        return record.snapshot()


def training(number: int, losses: list[float], status: Status = Status.COMPLETED, best: int = 1):
    """A trial with one training of these validation losses."""
    epochs = tuple(epoch(n, loss) for n, loss in enumerate(losses, 1))
    run = TrainingRun(0, status, epochs, delivered_epoch=best)
    verdict = None if status is Status.RUNNING else "good"
    return replace(
        trial(number, status), runs=(run,), score=losses[best - 1], verdict=verdict, delivered=verdict
    )


def opened(tracking: Tracking, search: SearchSnapshot) -> Mirror:
    mirror = Mirror(tracking, search)
    mirror.open()
    return mirror


def children(mirror: Mirror) -> dict[str, list]:
    """The search's child runs in MLflow, by trial."""
    client = mirror._client
    found: dict[str, list] = {}
    for run in client.search_runs([mirror.experiment_id], f"tags.`mlflow.parentRunId` = '{mirror.run_id}'"):
        found.setdefault(run.data.tags["archsearch.trial"], []).append(run)
    return found


def curve(mirror: Mirror, run_id: str) -> list[tuple[int, float]]:
    history = mirror._client.get_metric_history(run_id, "val_loss")
    return sorted((point.step, point.value) for point in history)


def test_pushing_twice_changes_nothing(tracking, search) -> None:
    mirror = opened(tracking, search)
    for _ in range(2):
        mirror.push([training(0, [0.5, 0.4], Status.RUNNING)])
    mirror.push([training(0, [0.5, 0.4, 0.3])])
    ((run,),) = children(mirror).values()
    assert curve(mirror, run.info.run_id) == [(1, 0.5), (2, 0.4), (3, 0.3)]
    assert run.info.status == "FINISHED"


def test_what_an_earlier_process_left_open_is_written_anew_and_what_ended_is_kept(tracking, search) -> None:
    first = opened(tracking, search)
    first.push(
        [training(0, [0.9, 0.8]), training(1, [0.7], Status.PRUNED), training(2, [0.6], Status.RUNNING)]
    )
    kept = {number: runs[0].info.run_id for number, runs in children(first).items()}
    second = opened(tracking, search)
    second.push([training(0, [0.9, 0.8]), training(1, [0.7], Status.PRUNED), training(2, [0.1, 0.2])])
    after = children(second)
    assert {number: len(runs) for number, runs in after.items()} == {"0": 1, "1": 1, "2": 1}
    assert [after[n][0].info.run_id == kept[n] for n in "012"] == [True, True, False]
    assert curve(second, after["2"][0].info.run_id) == [(1, 0.1), (2, 0.2)]
    assert [after[n][0].info.status for n in "012"] == ["FINISHED", "KILLED", "FINISHED"]


def test_the_same_space_searched_from_another_store_keeps_its_own_runs(tracking, search) -> None:
    ours, theirs = opened(tracking, search), opened(tracking, replace(search, uid="another"))
    ours.push([training(0, [0.9], Status.RUNNING)])
    theirs.push([training(0, [0.2, 0.1])])
    opened(tracking, replace(search, uid="another"))
    ours.push([training(0, [0.9, 0.8])])
    assert ours.run_id != theirs.run_id
    assert curve(ours, children(ours)["0"][0].info.run_id) == [(1, 0.9), (2, 0.8)]
    assert curve(theirs, children(theirs)["0"][0].info.run_id) == [(1, 0.2), (2, 0.1)]


def test_the_search_s_best_values_are_those_of_the_present_best(tracking, search) -> None:
    for best in (training(0, [0.9, 0.8, 0.7, 0.5], best=4), training(1, [0.3, 0.1], best=2)):
        mirror = opened(tracking, search)
        mirror.close("finished", best, Artifacts())
    parent = mirror._client.get_run(mirror.run_id)
    assert parent.data.tags["best_trial"] == "1"
    assert (parent.data.metrics["best_val_loss"], parent.data.metrics["score"]) == (0.1, 0.1)


def test_how_sure_a_verdict_is_and_what_it_becomes_later_are_tags(tracking, search) -> None:
    mirror = opened(tracking, search)
    first = replace(training(0, [0.5, 0.4]), confidence=0.874)
    mirror.push([first, training(1, [0.5], Status.STOPPED)])
    names = ("verdict", "delivered_verdict", "verdict_confidence", "verdict_agreement")

    def tags(number: str) -> list[str | None]:
        ((run,),) = [runs for trial_, runs in children(mirror).items() if trial_ == number]
        return [run.data.tags.get(name) for name in names]

    assert tags("0") == ["good", "good", "0.87", ""]
    assert tags("1") == ["good", "good", "", ""]
    assert children(mirror)["1"][0].info.status == "FINISHED"
    later = replace(first, verdict="overfit", confidence=0.6, agreement=2 / 3)
    mirror.push([later])
    assert tags("0") == ["overfit", "good", "0.60", "0.67"]
    mirror.close("finished", later, Artifacts())
    parent = mirror._client.get_run(mirror.run_id).data.tags
    assert [parent[name] for name in names] == ["overfit", "good", "0.60", "0.67"]
    unsure = replace(later, verdict="inconclusive", confidence=None, agreement=None)
    again = opened(tracking, search)
    again.push([unsure])
    again.close("finished", unsure, Artifacts())
    assert tags("0") == ["inconclusive", "good", "", ""]
    parent = mirror._client.get_run(mirror.run_id).data.tags
    assert [parent[name] for name in names] == ["inconclusive", "good", "", ""]


def test_a_training_can_be_judged_by_what_is_logged_of_it(tracking, search) -> None:
    mirror = opened(tracking, search)
    mirror.push([training(0, [0.5, 0.4, 0.3, 0.2, 0.2, 0.2])])
    ((_, recorded_curve),) = read_experiment(tracking.uri, search.name)
    known = recorded_curve.context
    assert (known.n_val, known.planned_epochs) == (DATA.n_val, 10)
    assert known.prior_entropy == pytest.approx(DATA.prior_entropy, rel=1e-5)


def test_a_call_that_fails_is_made_good_by_the_next_push(tracking, search, monkeypatch) -> None:
    mirror = opened(tracking, search)
    log_batch, fails = mirror._client.log_batch, [True]

    def failing(*args, **kwargs):
        if fails.pop() if fails else False:
            raise ConnectionError("away")
        return log_batch(*args, **kwargs)

    monkeypatch.setattr(mirror._client, "log_batch", failing)
    with pytest.raises(ConnectionError):
        mirror.push([training(0, [0.5, 0.4])])
    mirror.push([training(0, [0.5, 0.4])])
    ((run,),) = children(mirror).values()
    assert curve(mirror, run.info.run_id) == [(1, 0.5), (2, 0.4)]
    assert run.data.params["optimizer"] == "adam"


def test_a_run_whose_making_was_not_answered_is_not_left_open(tracking, search, monkeypatch) -> None:
    mirror = opened(tracking, search)
    create_run, lost = mirror._client.create_run, [True]

    def unanswered(*args, **kwargs):
        created = create_run(*args, **kwargs)
        if lost.pop() if lost else False:
            raise ConnectionError("the answer was lost")
        return created

    monkeypatch.setattr(mirror._client, "create_run", unanswered)
    with pytest.raises(ConnectionError):
        mirror.push([training(0, [0.5, 0.4])])
    mirror.push([training(0, [0.5, 0.4]), training(1, [0.5], Status.RUNNING)])
    mirror.close("interrupted", None, Artifacts())
    found = children(mirror)
    assert [run.info.status for run in found["0"]] == ["FINISHED"]
    assert [run.data.tags["status"] for run in found["1"]] == ["interrupted"]


def test_a_database_the_user_named_has_its_artifacts_in_the_store(tracking, search, tmp_path) -> None:
    mirror = opened(tracking, search)
    (model,) = [tmp_path / "trial-3.keras"]
    model.write_bytes(b"weights")
    mirror.close("finished", training(0, [0.5]), Artifacts(model=model))
    assert len(list((tmp_path / "artifacts").rglob("model/best.keras"))) == 1


def test_hyperparameters_named_like_what_is_ours_or_like_each_other_are_all_there(tracking, search) -> None:
    values = (
        ("device", "x"),
        ("jit_compile", True),
        ("precision", "high"),
        ("environment.device", "y"),
        ("family", "other"),
        ("units (a)", 1),
        ("units [a]", 2),
        ("a//b", 3),
        ("n" * 300, 4),
        ("n" * 299 + "m", 5),
    )
    environment = {"device": "cpu", "jit_compile": False, "precision": "float32"}
    done = training(0, [0.5])
    architecture = HyperModelArchitecture("mine", "module:Mine", values)
    runs = (replace(done.runs[0], environment=environment),)
    mirror = opened(tracking, search)
    for status in (Status.RUNNING, Status.COMPLETED):
        run = replace(runs[0], status=status)
        mirror.push([replace(done, architecture=architecture, runs=(run,), status=status)])
    ((run,),) = children(mirror).values()
    params = run.data.params
    assert (params["device"], params["environment.device"], params["sampled.environment.device"]) == (
        "x",
        "cpu",
        "y",
    )
    assert (params["jit_compile"], params["environment.jit_compile"]) == ("True", "False")
    assert (params["precision"], params["sampled.precision"]) == ("float32", "high")
    assert (params["family"], params["sampled.family"]) == ("mine", "other")
    assert (params["units _a_"], params["units _a__2"], params["_a__b"]) == ("1", "2", "3")
    assert sorted(value for name, value in params.items() if name.startswith("nn")) == ["4", "5"]


def test_the_page_on_tracking_names_every_parameter_of_a_training(tracking, search) -> None:
    page = (Path(__file__).parents[2] / "docs" / "tracking.md").read_text()
    run = replace(training(0, [0.5]).runs[0], environment=environment("float32", jit_compile=False))
    mirror = opened(tracking, search)
    made = replace(training(0, [0.5]), runs=(run,), params={"dense.depth": 1})
    hypermodel = replace(training(1, [0.5]), architecture=HyperModelArchitecture("mine", "module:Mine"))
    mirror.push([made, hypermodel])
    names = {name for runs in children(mirror).values() for run in runs for name in run.data.params}
    assert not [name for name in names if f"`{name}`" not in page]


def test_an_edited_space_keeps_its_run_with_the_old_parameters_and_says_what_changed(
    tracking, search, tmp_path
) -> None:
    first = opened(tracking, search)
    families = dict(search.space["families"])
    dense = families["dense"] | {"depth": {"low": 1, "high": 12, "log": False}}
    words = ("families.dense.depth: 1 to 6 → 1 to 12", "families.mine: new")
    edited = replace(
        search,
        space=search.space | {"families": families | {"dense": dense, "mine": {"hypermodel": "m:Mine"}}},
        space_text="edited: true",
        changes=(SpaceChange(4, 1.0, words),),
    )
    for _ in range(2):  # also when it is gone on with once more
        second = opened(tracking, edited)
    assert second.run_id == first.run_id
    run = second._client.get_run(second.run_id).data
    assert run.params["families.dense.depth.high"] == "6"
    assert run.params["families.mine.hypermodel"] == "m:Mine"
    assert run.tags["space_changes"].splitlines() == [f"before trial 4: {word}" for word in words]
    file = second._client.download_artifacts(second.run_id, "space.yaml", str(tmp_path))
    assert Path(file).read_text() == "edited: true"


def test_losses_that_are_no_numbers_do_not_stop_the_mirror(tracking, search) -> None:
    mirror = opened(tracking, search)
    diverged = training(0, [0.5, math.nan, math.inf], Status.DIVERGED)
    mirror.push([diverged])
    ((run,),) = children(mirror).values()
    assert run.info.status == "FAILED"
    assert len(curve(mirror, run.info.run_id)) == 3


# Ends as soon as some of the tables are there.
KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from archsearch.tracking.mirror import _make_tables

database = Path(sys.argv[1])
draft = database.with_suffix(".unfinished")

@event.listens_for(Engine, "after_cursor_execute")
def look(*_):
    if draft.is_file() and draft.stat().st_size > 20_000:
        os.kill(os.getpid(), signal.SIGKILL)

_make_tables(database)
"""


def test_the_store_s_database_is_whole_whenever_who_makes_it_is_killed(search, tmp_path) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path / "mlflow.db")]
    assert subprocess.run(words, env=mlflow_environment()).returncode == -signal.SIGKILL
    assert (tmp_path / "mlflow.unfinished").is_file()
    own = Tracking(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts", tmp_path / "mlflow.db")
    assert not own.database.exists()
    mirror = opened(own, search)
    mirror.push([training(0, [0.5, 0.4])])
    assert len(children(mirror)["0"]) == 1
    assert sorted(path.name for path in tmp_path.glob("mlflow.*")) == ["mlflow.db", "mlflow.lock"]
