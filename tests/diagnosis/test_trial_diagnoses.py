from dataclasses import replace

import numpy as np
import pytest
from curve_shapes import (
    DATA,
    KNOWN,
    LINEAR,
    blown_up,
    good,
    not_learning,
    overfit,
    run_of,
    settling,
    still_falling,
    trial_of,
    underfit,
)

from archsearch.diagnosis import Curves, Verdict, diagnose, diagnose_trial, diagnose_trials, majority
from archsearch.records import Status


def verdicts(trials, linear=LINEAR):
    return {number: diagnosis.verdict for number, diagnosis in diagnose_trials(trials, DATA, linear).items()}


def test_each_trial_is_judged_against_the_others():
    trials = [
        trial_of(0, good()),
        trial_of(1, underfit()),
        trial_of(2, overfit()),
        trial_of(3, not_learning()),
    ]
    assert verdicts(trials, None) == {0: "good", 1: "underfit", 2: "overfit", 3: "not_learning"}


def test_alone_and_without_a_linear_model_nothing_is_called_underfit():
    diagnosis = diagnose_trials([trial_of(1, underfit())], DATA, None)[1]
    assert diagnosis.verdict is Verdict.GOOD
    assert diagnosis.missing == ("reference_loss",)


def test_the_linear_model_is_the_first_reference():
    assert verdicts([trial_of(1, underfit())]) == {1: "underfit"}


def test_a_network_that_memorises_makes_no_other_underfit():
    memorising = Curves(
        *[settling(60, 0.001, pace=15)] * 1, overfit(rise=0.5).val_loss, settling(60, 0.001, pace=15)
    )
    fine = Curves(settling(60, 0.3), settling(60, 0.31), settling(60, 0.3))
    trials = [trial_of(0, memorising), trial_of(1, fine)]
    assert verdicts(trials, None) == {0: "overfit", 1: "good"}


def test_the_order_of_trials_does_not_matter():
    trials = [
        trial_of(0, good()),
        trial_of(1, underfit()),
        trial_of(2, still_falling()),
        trial_of(3, blown_up()),
    ]
    assert verdicts(trials) == verdicts(trials[::-1])


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (Status.PRUNED, "not_judged"),
        (Status.DIVERGED, "diverged"),
        (Status.FAILED, "inconclusive"),
        (Status.OUT_OF_MEMORY, "inconclusive"),
    ],
)
def test_a_training_that_was_not_completed_is_said_so_with_its_reason(status, verdict):
    run = run_of(good(10), status=status, reason="the device went away.")
    for runs in ((), (replace(run, epochs=(), delivered_epoch=None),), (run,)):
        diagnosis = diagnose_trials([trial_of(0, runs=runs, status=status)], DATA, LINEAR)[0]
        assert diagnosis.verdict == diagnosis.delivered == verdict
        assert ("the device went away" in diagnosis.findings[0].message) == bool(runs)


def test_running_trials_are_left_out():
    assert verdicts([trial_of(0, good(), status=Status.RUNNING), trial_of(1, good())]) == {1: "good"}


def test_judged_live_a_trial_gets_the_verdict_it_gets_among_all():
    trials = [trial_of(0, good()), trial_of(1, overfit()), trial_of(2, underfit())]
    told = [
        replace(trial, verdict=verdict)
        for trial, verdict in zip(trials, ("good", "overfit", None), strict=True)
    ]
    for earlier in (trials[:2], told[:2], trials):
        live = diagnose_trial(trials[2], earlier, DATA, None)
        assert live.verdict is diagnose_trials(trials, DATA, None)[2].verdict is Verdict.UNDERFIT


def test_the_first_trial_can_be_judged_live():
    assert diagnose_trial(trial_of(0, good()), [], DATA, LINEAR).verdict is Verdict.GOOD


def test_seeds_vote_and_a_tie_goes_to_the_worse():
    fine, bad, worse = (diagnose(curves, KNOWN) for curves in (good(), overfit(), blown_up()))
    assert majority([bad, fine, fine]) is fine
    assert majority([fine, bad]) is bad
    assert majority([worse, bad, fine]) is worse


def test_losses_that_end_in_nan_are_diverged_whatever_the_status_says():
    curves = good()
    broken = Curves(np.append(curves.train_loss, np.nan), np.append(curves.val_loss, np.nan))
    assert verdicts([trial_of(0, broken)]) == {0: "diverged"}


def test_a_trial_that_failed_with_a_later_seed_is_not_good_for_the_earlier_ones():
    fine = trial_of(0, good())
    failed = replace(fine.runs[0], seed=2, status=Status.FAILED, epochs=(), delivered_epoch=None)
    trial = replace(fine, status=Status.FAILED, runs=(fine.runs[0], replace(fine.runs[0], seed=1), failed))
    assert diagnose_trials([trial], DATA)[0].verdict is Verdict.INCONCLUSIVE
