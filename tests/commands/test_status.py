"""How the searches of a store stand, for people and for health checks."""

import json
import os
import socket
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from made_up import Scripted, epoch, recorded, space, trial
from steered import at_work

from archsearch.cli import main
from archsearch.commands.bounds import Bound
from archsearch.commands.ends import why_ended, why_fewer
from archsearch.commands.standing import STATES, State, look
from archsearch.records import Status, TrainingRun
from archsearch.study import Outcome, Place, Record, Search, Store

HOUR, DAY = 3_600.0, 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "mlruns")
    store.prepare()
    return store


def told(store: Store, *words: str) -> Result:
    return CliRunner().invoke(main, ["status", *words, "--store", str(store.path)])


def search(
    store: Store,
    id_: str,
    status: str | None,
    *,
    ended: int = 0,
    hours: tuple[float, ...] = (1.0,),
    age: float = HOUR,
    gpus: int = 0,
    reason: str = "",
    failed: str = "",
    bounds: dict[str, float] | None = None,
) -> Place:
    """A search whose last session ended so some time ago; None as its status: the process was killed."""
    of = space(search={"trials": 12, **(bounds or {})})
    place = Place(store.path / "searches" / id_)
    now = time.time()
    with recorded(place.folder, of, id_=id_, created_at=now - age - 9 * DAY) as record:
        for number, each in enumerate(hours, 1):
            record.begin_session("archsearch run made-up.yaml", 1, 12, gpus)
            if number == len(hours):
                for trial_number in range(ended):
                    end(record, trial_number, failed)
            if number < len(hours) or status:
                record.end_session(status or Outcome.INTERRUPTED, 0.0, reason)
            over = now - age - 24 * HOUR * (len(hours) - number)
            times = (over - each * HOUR, over, number)
            record._db.execute("UPDATE sessions SET started_at = ?, seen_at = ? WHERE id = ?", times)
    return place


def end(record: Record, number: int, failed: str = "") -> None:
    """A trial with a score that grows with its number, or one that failed."""
    begun = trial(number)
    record.queue(begun, ())
    record.start(begun)
    status = Status.FAILED if failed else Status.COMPLETED
    if not failed:
        record.add_epoch(number, 0, epoch(1, 0.5))
    run = TrainingRun(0, status, reason=failed, delivered_epoch=None if failed else 1)
    score, verdict = (None, None) if failed else (0.5 + number, "overfit" if number == 0 else "good")
    whole = replace(begun, status=status, runs=(run,), score=score, verdict=verdict, delivered=verdict)
    record.end_trial(whole, None)


def states(result: Result) -> dict[str, str]:
    return {each["search"]: each["state"] for each in json.loads(result.stdout)["searches"]}


def test_every_outcome_of_a_search_has_its_state() -> None:
    assert STATES.keys() == set(Outcome)


def test_each_search_has_its_state_and_the_reason(store: Store) -> None:
    search(store, "a-complete", Outcome.FINISHED, ended=12)
    search(store, "b-bound", Outcome.HOURS_REACHED, reason="--until 06:00 is reached")
    search(store, "c-interrupted", Outcome.INTERRUPTED)
    search(store, "d-killed", None)
    search(store, "e-given-up", Outcome.GIVEN_UP, reason="the last 10 trials all failed")
    search(store, "f-all-failed", Outcome.ALL_FAILED, ended=2, failed="the loss is not a number")
    told_ = told(store, "--json")
    found = {each["search"]: each for each in json.loads(told_.stdout)["searches"]}
    assert {id_: (each["state"], each["outcome"]) for id_, each in found.items()} == {
        "a-complete": ("complete", "finished"),
        "b-bound": ("bound_reached", "hours_reached"),
        "c-interrupted": ("resumable", "interrupted"),
        "d-killed": ("resumable", "interrupted"),
        "e-given-up": ("failed", "given_up"),
        "f-all-failed": ("failed", "all_failed"),
    }
    assert [each["reason"] for each in found.values()] == [
        None,
        "--until 06:00 is reached",
        "interrupted",
        "killed",
        "the last 10 trials all failed",
        "every trial failed, the last one: failed: the loss is not a number",
    ]


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((), 0),
        ((Outcome.FINISHED, Outcome.HOURS_REACHED), 0),
        ((Outcome.FINISHED, Outcome.INTERRUPTED), 75),
        ((Outcome.FINISHED, None), 75),
        ((Outcome.INTERRUPTED, Outcome.GIVEN_UP), 4),
        ((None, Outcome.ALL_FAILED, Outcome.FINISHED), 4),
    ],
)
def test_the_exit_code_is_the_worst_of_all_searches(
    store: Store, outcomes: tuple[str | None, ...], code: int
) -> None:
    for number, outcome in enumerate(outcomes):
        search(store, f"made-up-{number}", outcome)
    assert told(store).exit_code == code
    assert told(store, "--json").exit_code == code


def test_a_complete_search_with_fewer_trials_says_why(store: Store) -> None:
    search(store, "made-up-1", Outcome.FINISHED, ended=3, reason="dense: nothing new was found")
    search(store, "made-up-2", Outcome.FINISHED, ended=3)
    found = json.loads(told(store, "--json").stdout)["searches"]
    reasons = ["dense: nothing new was found", "nothing new is left to try"]
    assert [each["reason"] for each in found] == reasons
    assert [line.split("  ")[-1] for line in told(store).stdout.splitlines()[1:]] == reasons


def test_a_search_of_a_space_that_holds_nothing_more_records_why_it_has_fewer_trials(tmp_path: Path) -> None:
    of = space(families={"dense": {"depth": 1, "narrowest": 8, "widest": [8, 16]}}, training={})
    with recorded(tmp_path, of) as record:
        record.begin_session("archsearch run made-up.yaml", 1, 20)
        ended = Search(of, record, Scripted(), lambda _: None)
        outcome = ended.run(20, None, threading.Event())
        reason = why_ended(ended, record, outcome, Bound())
        record.end_session(outcome, 0.0, reason)
        assert record.sessions()[-1].reason == "dense: nothing new was found; 2 of 20 trials"


def test_why_a_search_has_fewer_trials_is_told_without_its_curves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorded(tmp_path, space()) as record:
        record.begin_session("archsearch run made-up.yaml", 1, 3)
        end(record, 0, "")
        monkeypatch.setattr(Record, "snapshot", None)
        assert why_fewer(record, {}) == ["nothing new is left to try; 1 of 3 trials"]


def test_only_the_searches_named_count(store: Store) -> None:
    search(store, "made-up-1", Outcome.FINISHED)
    search(store, "made-up-2", Outcome.GIVEN_UP)
    named = told(store, "made-up-1", "made-up-1", "--json")
    assert (named.exit_code, states(named)) == (0, {"made-up-1": "complete"})
    assert told(store, "made-up-3").exit_code == 2


def test_a_running_search_says_who_since_when_and_when_it_ends(tmp_path: Path) -> None:
    with at_work(tmp_path) as steered:
        steered.end(0)
        steered.record._db.execute("UPDATE sessions SET started_at = started_at - 600")
        result = told(Store(steered.store), "--json")
        table = told(Store(steered.store)).stdout
    (found,) = json.loads(result.stdout)["searches"]
    assert (result.exit_code, found["state"], found["outcome"]) == (0, "running", None)
    assert (found["process"]["host"], found["process"]["pid"]) == (socket.gethostname(), os.getpid())
    now = datetime.now(UTC)
    since = datetime.fromisoformat(found["process"]["since"])
    assert timedelta(0) <= now - since < timedelta(minutes=1)
    # 11 of 12 trials are left, and one took ten minutes.
    left = datetime.fromisoformat(found["estimated_end"]) - now
    assert timedelta(minutes=105) < left < timedelta(minutes=115)
    assert f"process {os.getpid()} on {socket.gethostname()}, since" in table
    assert "1 h 5" in table


def test_a_running_search_ends_at_its_own_bound_at_the_latest(tmp_path: Path) -> None:
    with at_work(tmp_path) as steered:
        steered.end(0)
        soon = time.time() + 60
        steered.record._db.execute("UPDATE sessions SET started_at = started_at - 600, ends_by = ?", (soon,))
        (found,) = json.loads(told(Store(steered.store), "--json").stdout)["searches"]
    assert abs(datetime.fromisoformat(found["estimated_end"]).timestamp() - soon) < 5


def test_a_search_that_ends_while_it_is_looked_at_was_not_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at_work(tmp_path, held=False) as steered:

        def ends_now(_: Place) -> bool:
            if steered.record.is_working:
                steered.record.end_session(Outcome.FINISHED, 0.0)
            return False

        monkeypatch.setattr(Place, "is_held", property(ends_now))
        assert look(steered.place).state is State.COMPLETE


def test_a_search_whose_process_was_killed_before_its_first_session_can_go_on(store: Store) -> None:
    recorded(store.path / "searches" / "made-up-1", space()).close()
    assert (told(store).exit_code, states(told(store, "--json"))) == (75, {"made-up-1": "resumable"})


def test_the_budget_is_summed_over_all_sessions(store: Store) -> None:
    bounds = {"hours": 6.0, "gpu_hours": 20.0}
    search(store, "made-up-1", Outcome.HOURS_REACHED, hours=(1.5, 2.0), gpus=4, ended=3, bounds=bounds)
    (found,) = json.loads(told(store, "--json").stdout)["searches"]
    assert found["hours"] == {"used": pytest.approx(3.5), "bound": 6.0}
    assert found["gpu_hours"] == {"used": pytest.approx(14.0), "bound": 20.0}
    assert found["trials"] == {"ended": 3, "total": 12}
    row = told(store).stdout.splitlines()[1]
    assert all(words in row for words in ("3/12", "3.50/6", "14.00/20"))


def test_the_best_so_far_is_that_of_the_ranking(store: Store) -> None:
    search(store, "made-up-1", Outcome.FINISHED, ended=3)
    (found,) = json.loads(told(store, "--json").stdout)["searches"]
    best = {"trial": 1, "architecture": "dense 16 dropout 0.2", "verdict": "good", "confidence": None}
    assert found["best"] == best | {"score": 1.5}
    assert "1.5000  good" in told(store).stdout


def test_since_leaves_out_what_nobody_has_worked_on_for_longer(store: Store) -> None:
    search(store, "made-up-1", Outcome.GIVEN_UP, age=3 * DAY)
    search(store, "made-up-2", Outcome.FINISHED, age=2 * HOUR)
    recent = told(store, "--since", "26h", "--json")
    assert (recent.exit_code, states(recent)) == (0, {"made-up-2": "complete"})
    assert told(store, "--since", "4d").exit_code == 4
    none = told(store, "--since", "90m")
    assert none.exit_code == 2
    assert "no process has worked on a search" in none.stderr


def test_a_search_that_runs_has_been_worked_on_just_now(tmp_path: Path) -> None:
    with at_work(tmp_path) as steered:
        long_ago = time.time() - 9 * DAY
        steered.record._db.execute("UPDATE sessions SET started_at = ?, seen_at = ?", (long_ago, long_ago))
        assert told(Store(steered.store), "--since", "5m").exit_code == 0


@pytest.mark.parametrize("given", ["90", "90x", "-3d", "", "d", "1.5.2h", "h7"])
@pytest.mark.parametrize("words", [("status", "--since"), ("prune", "--older-than")])
def test_a_bad_duration_is_refused_with_what_is_meant(words: tuple[str, ...], given: str) -> None:
    result = CliRunner().invoke(main, [*words, given])
    assert result.exit_code == 2
    assert f"{given!r} is no duration" in result.stderr
    assert "such as 90m, 26h or 7d" in " ".join(result.stderr.split())


def test_what_can_not_be_read_is_said_beside_the_rest(store: Store) -> None:
    search(store, "made-up-1", Outcome.GIVEN_UP)
    damaged = store.path / "searches" / "made-up-2" / "record.sqlite"
    damaged.parent.mkdir()
    damaged.write_bytes(b"no record")
    result = told(store, "--json")
    assert (result.exit_code, states(result)) == (2, {"made-up-1": "failed"})
    assert str(damaged) in result.stderr
    assert [str(damaged) in fault for fault in json.loads(result.stdout)["faults"]] == [True]


def test_a_store_that_is_not_there_is_refused_and_an_empty_one_is_healthy(store: Store) -> None:
    empty = told(store)
    assert (empty.exit_code, empty.stdout) == (0, f"no searches in store {store.path}\n")
    missing = told(Store(store.path / "nowhere"))
    assert missing.exit_code == 2
    assert "no such store; name the folder with --store" in missing.stderr
    (store.path / "searches").rmdir()
    (store.path / "searches").write_text("")
    assert told(store).exit_code == 2


def test_looking_changes_nothing(store: Store) -> None:
    search(store, "made-up-1", Outcome.FINISHED, ended=2)
    before = {path: path.stat().st_mtime_ns for path in store.path.rglob("*")}
    told(store)
    assert {path: path.stat().st_mtime_ns for path in store.path.rglob("*")} == before


def test_a_record_of_an_older_version_is_shown_too(store: Store) -> None:
    place = search(store, "made-up-1", Outcome.HOURS_REACHED, ended=2, bounds={"hours": 1.0})
    with closing(sqlite3.connect(place.record)) as db:
        db.executescript(
            "ALTER TABLE sessions DROP COLUMN reason; ALTER TABLE sessions DROP COLUMN ends_by; "
            "PRAGMA user_version = 3"
        )
    (found,) = json.loads(told(store, "--json").stdout)["searches"]
    assert (found["state"], found["reason"]) == ("bound_reached", "its time was up")
    assert found["best"]["trial"] == 1
