"""What was judged once is not judged again, and what no longer holds is."""

import json
from dataclasses import replace

import numpy as np
import pytest
from curve_shapes import DATA, KNOWN, LINEAR, SHAPES, good, run_of, settling, trial_of, underfit

from archsearch.diagnosis import Curves, Judgement, Verdict, diagnose, judge_trial, judge_trials
from archsearch.diagnosis.storage import from_json, to_json
from archsearch.records import Status

TRIALS = [trial_of(number, shape(seed=number)) for number, shape in enumerate(SHAPES.values())]


def test_a_judgement_comes_back_from_json_as_it_was():
    for judgement in judge_trials(TRIALS, DATA, LINEAR).values():
        judgement = replace(judgement, diagnosis=replace(judgement.diagnosis, confidence=0.1 + 0.2))
        assert from_json(json.loads(json.dumps(to_json(judgement)))) == judgement


def test_numbers_of_arrays_can_be_stored():
    finding = replace(diagnose(good(), KNOWN).findings[0], evidence={"epochs": np.float32(0.5)})
    diagnosis = replace(diagnose(good(), KNOWN), findings=(finding,))
    read = from_json(json.loads(json.dumps(to_json(Judgement(KNOWN, Verdict.GOOD, diagnosis)))))
    assert read.diagnosis.findings[0].evidence == {"epochs": 0.5}


@pytest.mark.parametrize(
    "changes", [{"verdict": "splendid"}, {"context": {"moon": 1}}, {"findings": [{"code": 1}]}]
)
def test_the_words_of_another_version_are_not_understood_and_not_refused(changes):
    (value,) = map(to_json, judge_trials(TRIALS[:1], DATA, LINEAR).values())
    assert from_json(value) is not None
    assert from_json(value | changes) is None
    assert from_json({}) is None


def test_nothing_is_judged_twice(judged):
    stored = judge_trials(TRIALS, DATA, LINEAR)
    assert judged
    judged.clear()
    assert judge_trials(TRIALS, DATA, LINEAR, stored) == stored
    assert judged == []


def test_only_a_new_trial_is_judged_where_it_changes_nothing_for_the_others(judged):
    stored = judge_trials(TRIALS, DATA, LINEAR)
    judged.clear()
    worse = trial_of(len(TRIALS), Curves(settling(33, 0.6), settling(33, 0.61), settling(33, 0.6)))
    judge_trials([*TRIALS, worse], DATA, LINEAR, stored)
    assert set(judged) == {33}


def test_a_better_reference_judges_the_others_anew():
    trials = [trial_of(0, underfit())]
    stored = judge_trials(trials, DATA, None)
    assert stored[0, 0].diagnosis.verdict is Verdict.GOOD
    anew = judge_trials([*trials, trial_of(1, good())], DATA, None, stored)
    assert anew[0, 0].diagnosis.verdict is Verdict.UNDERFIT
    assert anew[0, 0].context.reference_loss == pytest.approx(0.2, abs=0.01)


def test_in_a_hurry_what_is_stored_is_taken_as_it_is(judged):
    trials = [trial_of(0, underfit()), trial_of(1, good())]
    stored = judge_trials(trials[:1], DATA, None)
    judged.clear()
    hurried = judge_trials(trials, DATA, None, stored, anew=False)
    assert hurried[0, 0] is stored[0, 0]
    assert hurried[1, 0].diagnosis.verdict is Verdict.GOOD


def test_what_older_rules_said_is_judged_anew():
    stored = judge_trials(TRIALS, DATA, LINEAR)
    older = {
        key: replace(each, diagnosis=replace(each.diagnosis, rules_version=0)) for key, each in stored.items()
    }
    for anew in (True, False):
        assert judge_trials(TRIALS, DATA, LINEAR, older, anew=anew) == stored


def test_judged_live_with_what_is_stored_only_the_new_trial_is_looked_at(judged):
    stored = judge_trials(TRIALS, DATA, LINEAR)
    judged.clear()
    new = trial_of(len(TRIALS), good(44))
    live = judge_trial(new, TRIALS, DATA, LINEAR, stored)
    assert set(judged) == {44}
    assert live == {
        key: each
        for key, each in judge_trials([*TRIALS, new], DATA, LINEAR).items()
        if key == (new.number, 0)
    }


def test_trainings_without_whole_curves_are_not_judged():
    runs = (run_of(good(), seed=0), run_of(good(9), seed=1, status=Status.FAILED))
    judged = judge_trials([trial_of(0, runs=runs, status=Status.FAILED)], DATA, LINEAR)
    assert list(judged) == [(0, 0)]
