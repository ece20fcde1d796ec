import math
from dataclasses import replace

import pytest
from made_up import Scripted, recorded, space, trial

from archsearch.commands import run as command
from archsearch.commands.bounds import Bounds
from archsearch.commands.ends import none_ended
from archsearch.commands.options import Options
from archsearch.commands.run import run_search
from archsearch.records import Status
from archsearch.study import Outcome, Search, Session, Store

HOUR = 3_600.0
NO_MLFLOW = "http://127.0.0.1:9"  # nobody answers there


@pytest.fixture
def worked(tmp_path, monkeypatch):
    """A store with a search on which processes have worked for given seconds, and how to run it again."""
    monkeypatch.setattr(command, "local_executor", lambda *_: pytest.fail("workers were started"))
    monkeypatch.setattr(command, "require_same_data", lambda *_: None)  # those of `made_up` are no real ones

    def make(seconds, total=8, **words):
        of = space(search=words)
        store = Store(tmp_path / "mlruns")
        store.prepare()
        place = store.place_for(of, new=False)
        with recorded(place.folder, of, id_=place.id) as record:
            for worked_for in seconds:
                record.begin_session("archsearch run made-up.yaml", 1, total)
                done = len(record.trials(with_runs=False)[0]) + 2
                Search(of, record, Scripted(), lambda _: None).run(done, None, _Never())
                record.end_session(Outcome.INTERRUPTED, 0.0)
                _stretch(record, worked_for)
        untracked = {"tracking": "later", "tracking_uri": NO_MLFLOW}
        options = Options(store=store.path, reports=tmp_path / "reports", trials=total, **untracked)
        return of, options

    return make


class _Never:
    def is_set(self):
        return False


def _stretch(record, seconds):
    """Make the last session one of that many seconds, long after the one before."""
    record._db.execute(
        "UPDATE sessions SET started_at = 1e6 * id, seen_at = 1e6 * id + ? "
        "WHERE id = (SELECT max(id) FROM sessions)",
        (seconds,),
    )


def test_when_its_hours_are_used_up_a_search_says_so_and_reports_without_training(worked):
    of, options = worked([0.6 * HOUR, 0.5 * HOUR], hours=1.0)
    result = run_search(of, options, lambda _: None)
    assert result.status == "hours_reached"
    assert result.report.is_file()
    assert "search.hours (1) are used up" in result.notes[0]
    assert result.counts["completed"] + result.counts["pruned"] == 4
    again = run_search(of, options, lambda _: None)
    assert (again.status, again.judged.snapshot.status) == ("hours_reached", "hours_reached")


def test_a_bound_that_is_reached_before_the_trainings_starts_no_workers_and_says_that_no_trial_was(worked):
    of, options = worked([])
    tracked = replace(options, tracking="now", tracking_uri=None)
    result = run_search(of, replace(tracked, hours=1e-9), lambda _: None)
    assert (result.status, result.exit_code(), result.bound) == ("hours_reached", 0, "--hours")
    assert result.notes == ("--hours (1e-09) are used up; the same command goes on", "no trial was started")
    assert result.experiment_id is None  # MLflow, which takes seconds to load, is shown nothing
    place = Store(options.store).place_for(of, new=False)
    assert [(each.status, each.workers) for each in place.summary().sessions] == [("hours_reached", 0)]


def test_where_no_trial_has_ended_it_is_said_how_many_were_started(tmp_path):
    with recorded(tmp_path, space()) as record:
        assert none_ended(record) == "no trial was started"
        for number in range(3):
            record.queue(trial(number, Status.QUEUED), ())
        assert none_ended(record) == "no trial was started"
        record.start(trial(0))
        record.start(trial(1))
        assert none_ended(record) == "no trial has ended in this time; 2 trials started"


@pytest.mark.parametrize("hours", [None, 1.2])
def test_a_search_with_hours_left_goes_on(worked, hours):
    of, options = worked([0.6 * HOUR, 0.5 * HOUR], **({"hours": hours} if hours else {}))
    with pytest.raises(pytest.fail.Exception, match="workers were started"):
        run_search(of, options, lambda _: None)


def test_a_search_whose_trials_are_done_has_nothing_to_do_whatever_its_hours(worked):
    of, options = worked([2 * HOUR], total=2, hours=1.0)
    assert run_search(of, options, lambda _: None).status == "nothing_to_do"


def test_hours_are_no_part_of_what_identifies_a_search():
    assert space(search={"hours": 1.0}).fingerprint == space().fingerprint


@pytest.mark.parametrize(
    ("words", "gpus", "left"),
    [
        ({}, 0, math.inf),
        ({"hours": 2.0}, 0, 1.5 * HOUR),
        ({"hours": 2.0}, 4, 1.5 * HOUR),
        ({"gpu_hours": 4.0}, 0, math.inf),
        ({"gpu_hours": 4.0}, 1, 3.5 * HOUR),
        ({"gpu_hours": 4.0}, 2, 3.5 / 2 * HOUR),
        ({"hours": 1.0, "gpu_hours": 4.0}, 2, 0.5 * HOUR),
    ],
)
def test_the_earlier_bound_of_hours_and_gpu_hours_ends_a_search(words, gpus, left):
    of = {"hours": None, "gpu_hours": None} | words
    half_an_hour_on_one_gpu = Session("here", 1, "", 1, 0.0, HOUR / 2, "interrupted", 0.0, 1)
    assert Bounds(**of).seconds_left([half_an_hour_on_one_gpu], gpus) == pytest.approx(left)


def test_hours_of_a_start_leave_out_those_of_earlier_ones(worked):
    of, options = worked([5 * HOUR])
    with pytest.raises(pytest.fail.Exception, match="workers were started"):
        run_search(of, replace(options, hours=1.0), lambda _: None)
