"""What `archsearch report` has to judge is judged once, and kept where nothing is in the way."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from archsearch.commands.judging import judged_as_it_stands
from archsearch.study import Place, Record

RECORDED = Path(__file__).parent.parent / "recorded" / "digits.sqlite"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A search recorded by a version of archsearch that kept no judgements."""
    place = Place(tmp_path / "digits")
    place.folder.mkdir()
    shutil.copy(RECORDED, place.record)
    return place


def told(place: Place) -> list[tuple[object, ...]]:
    trials = judged_as_it_stands(place)[0].snapshot.trials
    return [(trial.number, trial.verdict, trial.delivered, trial.confidence) for trial in trials]


def test_what_an_older_version_did_not_keep_is_judged_once(place: Place, judged: list[int]) -> None:
    first = told(place)
    assert judged
    judged.clear()
    assert told(place) == first
    assert judged == []
    with Record.open(place.record, read_only=True) as record:
        kept = record.trials(with_runs=False)[0]
    assert [(trial.number, trial.verdict, trial.delivered, trial.confidence) for trial in kept] == first


def test_who_wants_to_run_a_search_finds_it_free_after_a_report(place: Place) -> None:
    told(place)
    place.lock().release()


def test_the_record_of_a_search_that_runs_is_only_read(place: Place) -> None:
    before, lock = place.record.read_bytes(), place.lock()
    assert any(confidence for *_, confidence in told(place))
    lock.release()
    assert place.record.read_bytes() == before


def test_the_record_of_a_search_that_runs_on_another_machine_is_only_read(place: Place) -> None:
    before, now = place.record.read_bytes(), time.time()
    holder = {"host": "elsewhere", "boot": "another", "pid": 1, "since": now, "beats": 3, "at": now}
    (place.folder / "holder.json").write_text(json.dumps(holder))
    assert any(confidence for *_, confidence in told(place))
    assert place.record.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("name", ["", "record.sqlite"])
def test_a_record_that_can_not_be_written_is_only_read(place: Place, name: str) -> None:
    (place.folder / name).chmod(0o500)
    before = place.record.read_bytes()
    assert any(confidence for *_, confidence in told(place))
    assert place.record.read_bytes() == before
    (place.folder / name).chmod(0o700)
