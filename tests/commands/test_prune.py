"""Room on the disk: what goes of old searches, and what never does."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from made_up import epoch, recorded, space, trial
from real_command import Searched, invoke

from archsearch.cli import main
from archsearch.errors import ArchsearchError, SearchLocked, StorageFull, StoreError
from archsearch.records import SearchSnapshot, Status, TrainingRun
from archsearch.study import Mirrored, Outcome, Place, Record, Store, holding
from archsearch.study.holding import Hold, Sighting
from archsearch.study.pruning import delete
from archsearch.tracking import own_uri
from archsearch.tracking.mirror import TRIAL_TAG, UID_TAG
from archsearch.tracking.server import prepare_mlflow

DAY = 86_400.0
SCORES = (0.5, 0.1, 0.4, 0.2, 0.3)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "mlruns")
    store.prepare()
    return store


def search(store: Store, id_: str, *, age: float = 100 * DAY, scores: tuple[float, ...] = SCORES) -> Place:
    """A search of trials with these scores, two seeds each, and all the files that a search may have."""
    place = Place(store.path / "searches" / id_)
    over = time.time() - age
    with recorded(place.folder, space(), id_=id_, created_at=over - 600) as record:
        record.begin_session("archsearch run made-up.yaml", 1, len(scores))
        for number, score in enumerate(scores):
            end(record, number, score)
        record.end_session(Outcome.FINISHED, 0.0)
        record._db.execute("UPDATE sessions SET started_at = ?, seen_at = ?", (over - 600, over))
    names = [f"trial-{n}-seed-{seed}.keras" for n in range(len(scores)) for seed in (0, 1)]
    names += ["unfinished-trial-9-seed-0.keras", "trial-9-seed-0.checkpoint", "unfinished-trial-8.checkpoint"]
    for name in names:
        write(place.models / name, 1_000)
    write(place.logs / "worker-0.log", 300)
    return place


def end(record: Record, number: int, score: float) -> None:
    begun = trial(number)
    record.queue(begun, ())
    record.start(begun)
    runs = []
    for seed in (0, 1):
        record.add_epoch(number, seed, epoch(1, score))
        model = f"trial-{number}-seed-{seed}.keras"
        runs.append(TrainingRun(seed, Status.COMPLETED, (epoch(1, score),), delivered_epoch=1, model=model))
    verdict = "overfit" if number == 1 else "good"
    whole = replace(begun, status=Status.COMPLETED, score=score, verdict=verdict, delivered=verdict)
    record.end_trial(replace(whole, runs=tuple(runs)), None)


def write(path: Path, size: int) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x" * size)


def told(store: Store, *words: str) -> Result:
    return CliRunner().invoke(main, ["prune", *words, "--store", str(store.path)])


def object_of(store: Store, *words: str) -> dict[str, Any]:
    return json.loads(told(store, "--older-than", "90d", "--json", *words).stdout)


def tree(folder: Path) -> dict[str, int]:
    """Every file below a folder with its size, but for those that holding a search leaves."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return {str(path.relative_to(folder)): path.stat().st_size for path in paths}


def without_models(snapshot: SearchSnapshot) -> SearchSnapshot:
    trials = (
        replace(trial, runs=tuple(replace(run, model=None) for run in trial.runs))
        for trial in snapshot.trials
    )
    return replace(snapshot, trials=tuple(trials))


def test_the_weights_of_the_best_trials_and_the_record_stay(store: Store) -> None:
    place = search(store, "made-up-1")
    before = place.snapshot()
    result = told(store, "--older-than", "90d")
    assert result.exit_code == 0
    # Trial 1 has the lowest score and is overfit: it comes after those that are good.
    kept = [f"trial-{n}-seed-{seed}.keras" for n in (2, 3, 4) for seed in (0, 1)]
    assert sorted(path.name for path in place.models.iterdir()) == kept
    assert not list(place.logs.iterdir())
    after = place.snapshot()
    assert repr(without_models(after)) == repr(without_models(before))
    assert [run.model for trial in after.trials for run in trial.runs if run.model] == kept
    assert "freed 7.3 kB of 1 search\n" in result.stdout
    assert result.stdout.splitlines()[1].split()[3:] == ["5", "2", "1", "0", "7.3", "kB"]


@pytest.mark.parametrize(("keep", "kept"), [(1, [3]), (4, [0, 2, 3, 4]), (9, [0, 1, 2, 3, 4])])
def test_as_many_are_kept_as_is_said(store: Store, keep: int, kept: list[int]) -> None:
    place = search(store, "made-up-1")
    told(store, "--older-than", "90d", "--keep-best", str(keep))
    assert sorted({int(path.name.split("-")[1]) for path in place.models.glob("*.keras")}) == kept


def test_a_dry_run_says_the_same_and_removes_nothing(store: Store) -> None:
    search(store, "made-up-1")
    search(store, "made-up-2", scores=(0.1, 0.2))
    before = tree(store.path)
    dry = object_of(store, "--dry-run")
    said = told(store, "--older-than", "90d", "--dry-run").stdout
    assert tree(store.path) == before
    assert "10.6 kB of 2 searches would be freed; nothing was removed" in said
    wet = object_of(store)
    assert (dry.pop("dry_run"), wet.pop("dry_run")) == (True, False)
    assert dry == wet
    assert [(each["search"], each["weights"]) for each in wet["searches"]] == [
        ("made-up-1", 5),
        ("made-up-2", 1),
    ]
    freed = sum(before.values()) - sum(size for name, size in tree(store.path).items())
    records = sum(size for name, size in before.items() if name.endswith("record.sqlite"))
    now = sum(size for name, size in tree(store.path).items() if name.endswith("record.sqlite"))
    assert wet["bytes"] == freed - (records - now)


def test_searches_that_were_worked_on_lately_keep_everything(store: Store) -> None:
    search(store, "made-up-1", age=80 * DAY)
    before = tree(store.path)
    assert f"nothing to remove in store {store.path}" in told(store, "--older-than", "90d").stdout
    assert "made-up-1: last worked on" in told(store, "made-up-1", "--older-than", "90d").stdout
    assert tree(store.path) == before


def test_only_the_searches_named_are_pruned(store: Store) -> None:
    search(store, "made-up-1")
    search(store, "made-up-2")
    assert [each["search"] for each in object_of(store, "made-up-2")["searches"]] == ["made-up-2"]
    assert told(store, "made-up-3", "--older-than", "90d").exit_code == 2


def test_a_search_that_a_process_holds_is_left_alone_and_named(store: Store) -> None:
    place = search(store, "made-up-1")
    before = tree(place.models)
    hold = place.lock()
    try:
        for words in ((), ("--dry-run",)):
            result = told(store, "--older-than", "90d", *words)
            assert result.exit_code == 0
            assert "left alone: made-up-1: process" in result.stdout
    finally:
        hold.release()
    assert tree(place.models) == before
    assert len(object_of(store)["searches"]) == 1


def test_once_done_there_is_nothing_left_to_do(store: Store) -> None:
    search(store, "made-up-1")
    object_of(store)
    before = tree(store.path)
    again = object_of(store)
    assert (again["searches"], again["bytes"]) == ([], 0)
    assert tree(store.path) == before


def test_what_a_kill_left_undone_is_done_the_next_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    place = search(store, "made-up-1")
    unlinked = []

    def killed_in_the_middle(files):
        for path in files:
            if len(unlinked) == 3:  # two checkpoints and a file of weights
                raise KeyboardInterrupt
            path.unlink()
            unlinked.append(path)
        return []

    monkeypatch.setattr("archsearch.study.pruning.delete", killed_in_the_middle)
    assert told(store, "--older-than", "90d").exit_code == 75
    monkeypatch.undo()
    named = {run.model for trial in place.snapshot().trials for run in trial.runs if run.model}
    assert named < {path.name for path in place.models.iterdir()}, "a file too many, none too few"
    assert object_of(store)["searches"][0]["weights"] == 4
    assert {path.name for path in place.models.iterdir()} == named


def test_what_can_not_be_removed_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    place = search(store, "made-up-1")
    unlink = Path.unlink

    def refused(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".checkpoint":
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)
    result = told(store, "--older-than", "90d")
    assert result.exit_code == 2
    assert f"{place.models}/trial-9-seed-0.checkpoint: can't be removed: Permission denied" in result.stderr
    assert "freed 5.3 kB" in result.stdout


def test_all_logs_go_before_a_file_is_written_for_which_a_full_disk_has_no_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [search(store, "made-up-1"), search(store, "made-up-2")]
    lock = Place.lock

    def full(of: Place, seen: Sighting) -> Hold:
        assert not any(list(place.logs.iterdir()) for place in places)
        return lock(of, seen)

    monkeypatch.setattr(Place, "lock", full)
    assert told(store, "--older-than", "90d").exit_code == 0


@pytest.mark.parametrize(("error", "code"), [(StorageFull, 75), (StoreError, 2), (SearchLocked, 0)])
def test_a_search_that_can_not_be_held_keeps_no_other_from_making_room(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: type[ArchsearchError], code: int
) -> None:
    first, second = search(store, "made-up-1"), search(store, "made-up-2")
    shutil.rmtree(first.logs)
    before = tree(first.folder)

    def refused(of: Place, _: Sighting) -> Hold:
        raise error(f"{of.id} can't be held")

    monkeypatch.setattr(Place, "lock", refused)
    result = told(store, "--older-than", "90d")
    assert result.exit_code == code
    assert "freed 300 B of 1 search\n" in result.stdout, "what went is counted"
    assert result.stdout.splitlines()[1].split()[3:] == ["0", "0", "1", "0", "300", "B"]
    assert tree(first.folder) == before
    assert not list(second.logs.iterdir())
    for id_ in (first.id, second.id):
        assert (f"left alone: {id_}: another process runs it" in result.stdout) == (code == 0)
        assert (f"archsearch: {id_} can't be held" in result.stderr) == (code != 0)


def test_what_went_before_the_record_found_no_room_is_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = search(store, "made-up-1")

    def full(*_: object) -> None:
        raise StorageFull("the disk is full")

    monkeypatch.setattr(Record, "forget_models", full)
    result = told(store, "--older-than", "90d", "--json")
    assert result.exit_code == 75
    (found,) = json.loads(result.stdout)["searches"]
    assert (found["weights"], found["checkpoints"], found["logs"], found["bytes"]) == (0, 2, 1, 2_300)
    assert len(list(place.models.iterdir())) == 11


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_a_search_that_is_run_while_mlflow_is_asked_keeps_everything(
    store: Store, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    place = search(store, "made-up-1")
    before, holds = tree(place.models) | tree(place.logs), []

    def slow(*_: Path) -> dict[str, tuple[Path, ...]]:
        holds.append(place.lock())
        return {}

    monkeypatch.setattr("archsearch.commands.prune.stored_artifacts", slow)
    try:
        result = told(store, "--older-than", "90d", *words)
    finally:
        holds[0].release()
    assert "left alone: made-up-1: process" in result.stdout
    assert f"nothing to remove in store {store.path}" in result.stdout
    assert tree(place.models) | tree(place.logs) == before


def test_searches_killed_with_their_machine_are_waited_for_once_and_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        place = search(store, f"made-up-{number}")
        long_ago = time.time() - 100 * DAY
        last_sign = {"host": "gpu1", "boot": "an earlier one", "pid": 7, "since": long_ago, "beats": 3}
        (place.folder / holding.HOLDER).write_text(json.dumps({**last_sign, "at": long_ago}))
    clock = Clock()
    monkeypatch.setattr(holding, "time", clock)
    assert len(object_of(store)["searches"]) == 3
    assert clock.slept == pytest.approx(holding.PACE.watch, abs=holding.PACE.beat)


class Clock:
    """The time, of which waiting takes none."""

    def __init__(self) -> None:
        self.slept = 0.0

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic() + self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


def test_weights_behind_a_link_stay_which_is_said(store: Store, tmp_path: Path) -> None:
    place = search(store, "made-up-1")
    place.models.rename(tmp_path / "elsewhere")
    place.models.symlink_to(tmp_path / "elsewhere")
    before, record = tree(tmp_path / "elsewhere"), place.snapshot()
    for words in (("--dry-run",), ()):
        result = told(store, "--older-than", "90d", *words)
        assert result.exit_code == 2
        assert f"archsearch: {place.models}: a symbolic link; nothing is removed behind it" in result.stderr
    assert tree(tmp_path / "elsewhere") == before
    assert repr(place.snapshot()) == repr(record), "no weights are forgotten that are there"
    assert not list(place.logs.iterdir())


def test_an_empty_folder_of_weights_may_be_a_link(store: Store, tmp_path: Path) -> None:
    place = search(store, "made-up-1")
    shutil.rmtree(place.models)
    place.models.symlink_to(tmp_path)
    assert told(store, "--older-than", "90d").exit_code == 0


def test_logs_behind_a_link_stay(store: Store, tmp_path: Path) -> None:
    place = search(store, "made-up-1")
    place.logs.rename(tmp_path / "elsewhere")
    place.logs.symlink_to(tmp_path / "elsewhere")
    (found,) = object_of(store)["searches"]
    assert found["logs"] == 0
    assert tree(tmp_path / "elsewhere") == {"worker-0.log": 300}


def test_artifacts_behind_a_link_stay(store: Store, tmp_path: Path) -> None:
    prepare_mlflow()
    from mlflow import MlflowClient

    place, client = search(store, "made-up-1"), MlflowClient(own_uri(store.database))
    experiment = client.create_experiment("made-up-1", str(store.artifacts / "1"))
    mirrored = client.create_run(experiment, tags={UID_TAG: place.summary().uid, TRIAL_TAG: "all"})
    kept = Path(mirrored.info.artifact_uri)
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere" / "model.keras", 100)
    kept.mkdir(parents=True)
    (kept / "model").symlink_to(tmp_path / "elsewhere")
    write(kept / "report" / "made-up.html", 50)
    (found,) = object_of(store)["searches"]
    assert (found["artifacts"], found["bytes"]) == (1, 7_350)
    assert not list((kept / "report").iterdir())
    assert tree(tmp_path / "elsewhere") == {"model.keras": 100}


def test_a_file_that_is_gone_already_is_fine(tmp_path: Path) -> None:
    assert delete([tmp_path / "gone"]) == []


def test_what_a_damaged_search_has_stays_and_the_others_are_pruned(store: Store) -> None:
    damaged = search(store, "made-up-1")
    search(store, "made-up-2")
    damaged.record.write_bytes(b"no record")
    before = tree(damaged.folder)
    result = told(store, "--older-than", "90d")
    assert result.exit_code == 2
    assert str(damaged.record) in result.stderr
    assert "freed 7.3 kB of 1 search\n" in result.stdout
    assert tree(damaged.folder) == before


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_nothing_to_remove_is_not_said_where_a_fault_may_hide_something(
    store: Store, words: tuple[str, ...]
) -> None:
    search(store, "made-up-1").record.write_bytes(b"no record")
    result = told(store, "--older-than", "90d", *words)
    assert (result.exit_code, result.stdout) == (2, "")


def test_older_than_0_is_everything_and_said_with_its_size(store: Store) -> None:
    search(store, "made-up-1", age=60.0)
    would = told(store, "--older-than", "0m", "--dry-run").stdout
    assert "kB of 1 search would be freed; nothing was removed" in would
    assert "freed 7.3 kB of 1 search\n" in told(store, "--older-than", "0m").stdout


def test_what_another_mlflow_keeps_is_left_and_said(store: Store) -> None:
    place = search(store, "made-up-1")
    with Record.open(place.record) as record:
        record.set_mirrored(Mirrored("http://gpu1:5000", "1", 7, True))
    assert object_of(store)["notes"] == [
        "left: what MLflow at http://gpu1:5000 keeps of 1 search, which is not the store's own"
    ]


def test_the_age_has_to_be_said(store: Store) -> None:
    assert told(store).exit_code == 2
    assert "--older-than" in told(store).stderr


@pytest.mark.slow
def test_a_pruned_search_is_reported_and_run_as_before(
    searched: Searched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(searched.copied(tmp_path / "copy").folder)
    store = Store(Path("mlruns"))
    (place,) = store.searches()
    kept = searched.result["best"]["trial"]
    assert len(list(place.models.glob("*.keras"))) > 1
    assert len(artifacts(store)) == 2

    pruned = told(store, "--older-than", "0m", "--keep-best", "1", "--json")
    assert pruned.exit_code == 0
    (found,) = json.loads(pruned.stdout)["searches"]
    assert found["artifacts"] == 2
    assert [path.name for path in place.models.iterdir()] == [f"trial-{kept}-seed-0.keras"]
    assert artifacts(store) == []

    assert CliRunner().invoke(main, ["report", "tiny"]).exit_code == 0
    again = invoke("run", "tiny.yaml", "--json")
    assert again.exit_code == 0, again.stderr
    result = json.loads(again.stdout.splitlines()[-1])
    assert result["ranking"] == searched.result["ranking"]
    assert Path(result["best"]["model"]).is_file()
    # It brings MLflow into line again: the report, and the model that is kept.
    assert [path.name for path in artifacts(store)] == ["best.keras", "tiny.html"]


def artifacts(store: Store) -> list[Path]:
    """What MLflow keeps of the store's only search, but for its space."""
    return sorted(path for path in store.artifacts.rglob("*") if path.is_file() and path.suffix != ".yaml")
