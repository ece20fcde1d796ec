from dataclasses import replace

import pytest
from searches import DATA, judged, search

from archsearch.records import Status
from archsearch.remedies import remedies
from archsearch.report import write_report
from archsearch.report.next_trials import SHOWN, next_trials


@pytest.fixture(scope="module")
def found():
    snapshot, diagnoses, ranking = judged(search())
    return snapshot, diagnoses, ranking


def test_the_first_remedies_of_each_fault_are_shown_in_their_order(found):
    snapshot, diagnoses, _ = found
    faults = 0
    for trial in snapshot.trials:
        diagnosis = diagnoses[trial.number]
        shown = next_trials(trial, diagnosis, DATA)
        advised = remedies(diagnosis, trial.architecture, trial.recipe, DATA)
        assert [each.title for each in shown] == [remedy.title for remedy in advised[:SHOWN]]
        assert bool(shown) == bool(advised)
        faults += bool(shown)
    assert faults


def test_the_line_is_of_what_changes_and_empty_where_the_title_says_it(found):
    snapshot, diagnoses, _ = found
    lines = {
        each.title: each.notation
        for trial in snapshot.trials
        for each in next_trials(replace(trial, status=Status.COMPLETED), diagnoses[trial.number], DATA)
    }
    assert lines["Train for 80 epochs"] == ""
    assert lines["Lower the learning rate to 0.0001"].startswith("adam, learning rate 0.0001, batch 64")
    assert all(line.startswith(("dense ", "conv ")) for title, line in lines.items() if "L2" in title)


def test_nothing_is_advised_for_what_was_not_judged(found):
    snapshot, diagnoses, _ = found
    pruned = next(trial for trial in snapshot.trials if trial.status is Status.PRUNED)
    assert next_trials(pruned, None, DATA) == next_trials(pruned, diagnoses[pruned.number], DATA) == ()


def test_a_card_shows_what_to_try_next(found, tmp_path):
    page = write_report(*found, tmp_path / "report.html").read_text()
    snapshot, diagnoses, _ = found
    with_advice = [
        trial for trial in snapshot.trials if next_trials(trial, diagnoses[trial.number], snapshot.data)
    ]
    assert page.count("<summary>What to try next</summary>") == len(with_advice)
