"""A search that ends before its total says why, and one without any trial is no search that is done."""

import threading

import pytest
from made_up import Scripted, recorded, space

from archsearch.commands import work
from archsearch.commands.ends import why_nothing_left
from archsearch.commands.options import Options
from archsearch.commands.run import run_search
from archsearch.study import Outcome, Search, Store

FOUR = {"dense": {"ordering": "rising", "depth": [1, 2], "narrowest": 8, "widest": [8, 16]}}
TOTAL = 40


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "_bring_into_line", lambda *_: None)
    store = Store(tmp_path / "mlruns")
    store.prepare()
    return store


def test_a_search_that_used_up_its_space_says_so_when_it_is_repeated(store, tmp_path):
    of = space(families=FOUR, training={"epochs": 6})
    place = store.place_for(of, new=False)
    with recorded(place.folder, of, id_=place.id) as record:
        record.begin_session("archsearch run made-up.yaml", 1, TOTAL)
        outcome = Search(of, record, Scripted(), lambda _: None).run(TOTAL, None, threading.Event())
        record.end_session(outcome, 0.0)
        done = len(record.trials()[0])
    options = Options(store=store.path, reports=tmp_path / "reports", trials=TOTAL)
    result = run_search(of, options, lambda _: None)
    assert result.status == "nothing_to_do"
    assert result.notes[0] == f"nothing new is left to try; {done} of {TOTAL} trials"


def test_a_search_that_ended_without_a_trial_is_tried_again(store):
    of = space()
    place = store.place_for(of, new=False)
    with recorded(place.folder, of, id_=place.id) as record:
        record.begin_session("archsearch run made-up.yaml", 1, TOTAL)
        record.end_session(Outcome.ALL_FAILED, 0.0)
    assert why_nothing_left(place, of, TOTAL, 0) is None
