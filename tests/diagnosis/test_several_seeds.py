import math
from dataclasses import replace

import pytest
from curve_shapes import DATA, KNOWN, LINEAR, blown_up, good, overfit, run_of, still_falling, trial_of
from hypothesis import given, settings
from hypothesis import strategies as st

from archsearch.diagnosis import Diagnosis, Finding, Verdict, diagnose, diagnose_trials, majority

FINE, BAD, WORSE = (diagnose(curves, KNOWN) for curves in (good(), overfit(), blown_up()))
CURVES_VERDICTS = [verdict for verdict in Verdict if verdict is not Verdict.NOT_JUDGED]


def of_seeds(*curves):
    """The diagnosis of a trial with one seed for each of these curves."""
    runs = tuple(run_of(each, seed=seed) for seed, each in enumerate(curves))
    return diagnose_trials([trial_of(0, runs=runs)], DATA, LINEAR)[0]


def said(diagnosis):
    """What people are told: all but the order in which the seeds stand."""
    return replace(diagnosis, agreement=None), diagnosis.agreement.share, diagnosis.agreement.spread


def test_seeds_vote_and_a_tie_goes_to_the_worse():
    assert majority([BAD, FINE, FINE]).verdict is Verdict.GOOD
    assert majority([FINE, BAD]).verdict is Verdict.OVERFIT
    assert majority([WORSE, BAD, FINE]).verdict is Verdict.DIVERGED


def test_a_single_seed_has_its_own_diagnosis():
    assert majority([FINE]) is FINE
    assert of_seeds(good()).agreement is None


def test_seeds_that_disagree_are_flagged_with_the_verdicts_of_each():
    diagnosis = of_seeds(good(), overfit(), good(seed=5))
    assert diagnosis.verdict is Verdict.GOOD
    assert diagnosis.agreement.verdicts == ("good", "overfit", "good")
    assert diagnosis.agreement.share == pytest.approx(2 / 3)
    assert diagnosis.flags.count("seeds_disagree") == 1
    (finding,) = (each for each in diagnosis.findings if each.code == "AS801")
    assert (finding.outcome, finding.flag) == ("flag", "seeds_disagree")
    assert finding.message == "2 of 3 seeds are good, 1 is overfit."


def test_seeds_that_agree_are_not_flagged():
    diagnosis = of_seeds(still_falling(), still_falling(seed=3))
    assert diagnosis.agreement.share == 1
    assert "seeds_disagree" not in diagnosis.flags
    assert diagnosis.findings[-1].outcome == "ok"
    assert diagnosis.findings[-1].message == "2 of 2 seeds are not converged."


def test_the_spread_is_that_of_the_validation_losses_at_the_delivered_epochs():
    agreement = majority([FINE, FINE, FINE], [0.1, 0.2, 0.3]).agreement
    assert agreement.val_losses == (0.1, 0.2, 0.3)
    assert agreement.spread == pytest.approx(0.1)
    assert math.isnan(majority([FINE, FINE], [0.1, math.nan]).agreement.spread)


def test_the_typical_training_of_the_majority_speaks_for_the_trial():
    marked = [replace(FINE, findings=(Finding("AS501", "", "ok", {}, name),)) for name in "abc"]
    trial = majority([BAD, *marked], [0.0, 0.3, 0.1, 0.2])
    assert trial.findings[0].message == "c"


def test_delivered_is_what_most_of_the_majority_deliver():
    spoilt = replace(BAD, delivered=Verdict.OVERFIT)
    assert majority([BAD, spoilt, BAD, FINE, FINE]).delivered is Verdict.GOOD
    assert majority([BAD, spoilt, FINE]).delivered is Verdict.OVERFIT


def test_confidence_is_the_mean_probability_that_the_seeds_give_the_verdict():
    sure, unsure = replace(FINE, confidence=0.9), replace(FINE, confidence=0.6)
    assert majority([sure, unsure]).confidence == pytest.approx(0.75)
    against = replace(BAD, confidence=0.86)
    assert majority([sure, sure, against]).confidence == pytest.approx((0.9 + 0.9 + 0.14 / 7) / 3)
    assert majority([sure, replace(FINE, confidence=None)]).confidence is None


diagnoses = st.builds(
    lambda verdict, delivered, confidence, message, flag: Diagnosis(
        verdict,
        delivered,
        (flag,),
        (Finding("AS501", "", "flag", {}, message, flag),),
        1,
        (),
        confidence,
    ),
    st.sampled_from(CURVES_VERDICTS[:4]),
    st.sampled_from(CURVES_VERDICTS[:3]),
    st.floats(0, 1),
    st.sampled_from("abc"),
    st.sampled_from(["one", "other"]),
)
trainings = st.tuples(diagnoses, st.sampled_from([0.1, 0.2, 0.30000001, math.nan]) | st.floats(0, 1))


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.lists(trainings, min_size=2, max_size=7), st.data())
def test_the_order_of_seeds_changes_nothing_that_is_said(seeds, data):
    shuffled = data.draw(st.permutations(seeds))
    first, second = (majority(*map(list, zip(*order, strict=True))) for order in (seeds, shuffled))
    assert repr(said(first)) == repr(said(second))  # by their words: NaN is NaN
    assert second.agreement.verdicts == tuple(diagnosis.verdict for diagnosis, _ in shuffled)


def test_the_order_of_a_trial_s_trainings_changes_nothing_that_is_said():
    runs = [
        run_of(each, seed=seed)
        for seed, each in enumerate((good(), overfit(), good(seed=4), still_falling(), overfit(seed=9)))
    ]
    others = [trial_of(1, good(seed=7)), trial_of(2, still_falling(seed=7))]
    of_order = [
        diagnose_trials([trial_of(0, runs=tuple(order)), *others], DATA, LINEAR)
        for order in (runs, runs[::-1], runs[2:] + runs[:2])
    ]
    assert said(of_order[0][0]) == said(of_order[1][0]) == said(of_order[2][0])
    assert of_order[0][1] == of_order[1][1] == of_order[2][1]


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.lists(trainings, min_size=1, max_size=7))
def test_confidence_stays_a_probability_between_that_of_the_seeds(seeds):
    seeds = [replace(diagnosis, verdict=Verdict.GOOD) for diagnosis, _ in seeds]
    each = [diagnosis.confidence for diagnosis in seeds]
    assert min(each) <= majority(seeds).confidence <= max(each)
    assert 0 <= majority([*seeds, replace(BAD, confidence=1.0)]).confidence <= 1
