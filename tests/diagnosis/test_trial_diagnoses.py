from dataclasses import replace

import numpy as np
import pytest
from curve_shapes import (
    DATA,
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

from archsearch.diagnosis import (
    Curves,
    Verdict,
    context_of,
    curves_of,
    diagnose_trials,
    diagnosis_of,
    judge_trial,
)
from archsearch.records import Status


def verdicts(trials, linear=LINEAR):
    return {number: diagnosis.verdict for number, diagnosis in diagnose_trials(trials, DATA, linear).items()}


def diagnosed_live(trial, earlier, linear=LINEAR):
    return diagnosis_of(trial, judge_trial(trial, earlier, DATA, linear))


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
    assert "reference_loss" in diagnosis.missing


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
        live = diagnosed_live(trials[2], earlier, None)
        assert live.verdict is diagnose_trials(trials, DATA, None)[2].verdict is Verdict.UNDERFIT


def test_the_first_trial_can_be_judged_live():
    assert diagnosed_live(trial_of(0, good()), [], LINEAR).verdict is Verdict.GOOD


def test_losses_that_end_in_nan_are_diverged_whatever_the_status_says():
    curves = good()
    broken = Curves(np.append(curves.train_loss, np.nan), np.append(curves.val_loss, np.nan))
    assert verdicts([trial_of(0, broken)]) == {0: "diverged"}


def test_a_trial_that_failed_with_a_later_seed_is_not_good_for_the_earlier_ones():
    fine = trial_of(0, good())
    failed = replace(fine.runs[0], seed=2, status=Status.FAILED, epochs=(), delivered_epoch=None)
    trial = replace(fine, status=Status.FAILED, runs=(fine.runs[0], replace(fine.runs[0], seed=1), failed))
    assert diagnose_trials([trial], DATA)[0].verdict is Verdict.INCONCLUSIVE


def with_linear(train, val):
    return replace(LINEAR, train_loss_eval=train, val_loss=val)


def levels(train, val=None):
    """A converged training at these levels."""
    return Curves(
        settling(60, train), settling(60, train + 0.01 if val is None else val), settling(60, train)
    )


def test_networks_that_are_all_too_small_are_measured_by_the_linear_model_that_beats_them():
    small = [trial_of(number, levels(0.5 + 0.01 * number)) for number in range(3)]
    assert set(verdicts(small, with_linear(0.1, 0.2)).values()) == {"underfit"}
    assert set(verdicts(small, None).values()) == {"good"}


def test_a_linear_model_that_memorises_makes_no_network_underfit():
    # Its train loss is the lowest of all, its validation loss above that of a network.
    trials = [trial_of(0, levels(0.40)), trial_of(1, levels(0.45, 0.47))]
    assert set(verdicts(trials, with_linear(0.001, 0.60)).values()) == {"good"}
    assert verdicts(trials[1:], with_linear(0.001, 0.30)) == {1: "underfit"}


def test_the_good_seeds_of_a_trial_are_references_and_its_overfit_ones_are_not():
    memorising = Curves(settling(60, 0.001), overfit(rise=0.5).val_loss, settling(60, 0.001, pace=15))
    mixed = trial_of(0, runs=(run_of(memorising, seed=0), run_of(memorising, seed=1), run_of(good(), seed=2)))
    trials = [mixed, trial_of(1, levels(0.3, 0.31)), trial_of(2, levels(0.5, 0.51))]
    assert verdicts(trials, None) == {0: "overfit", 1: "good", 2: "underfit"}


def test_the_classes_that_the_delivered_weights_predict_are_counted():
    probabilities = np.eye(3, dtype=np.float32)[[0, 2, 2, 0]]
    run = replace(run_of(good()), probabilities=probabilities)
    assert context_of(trial_of(0, runs=(run,)), run, DATA).classes_predicted == 2
    for unknown in (None, np.full((4, 3), np.nan, np.float32)):
        run = replace(run, probabilities=unknown)
        assert context_of(trial_of(0, runs=(run,)), run, DATA).classes_predicted is None


def test_curves_carry_what_was_measured_at_each_epoch():
    curves = curves_of(run_of(good(3)))
    assert list(curves.learning_rate) == [1e-3] * 3
    assert list(curves.val_accuracy) == [0.9] * 3
