"""Live: what ends a training that still runs, and what never does."""

import time
from dataclasses import replace

import numpy as np
import pytest
from curve_shapes import (
    KNOWN,
    PRIOR,
    blown_up,
    good,
    jumping,
    noise,
    not_learning,
    overfit,
    settling,
    still_falling,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from archsearch.diagnosis import Context, Curves, Verdict, diagnose, settled

PLANNED = replace(KNOWN, planned_epochs=60)


def cut(curves, epochs):
    return Curves(curves.train_loss[:epochs], curves.val_loss[:epochs], curves.train_loss_eval[:epochs])


def stop(curves, context=PLANNED, rate_may_drop=True):
    """The first epoch after which the training is ended, with the finding; None if it never is."""
    for epoch in range(1, len(curves.val_loss)):
        found = settled(cut(curves, epoch), context, rate_may_drop=rate_may_drop)
        if found:
            return epoch, found
    return None


@pytest.mark.parametrize("seed", range(3))
def test_overfitting_is_ended_after_its_best_epoch_and_long_before_its_planned_one(seed):
    curves = overfit(seed=seed, rise=0.3)
    epoch, found = stop(curves)
    assert int(np.argmin(curves.val_loss)) + 1 < epoch < 50
    assert found.code == "AS201"
    assert found.message.startswith("Overfit beyond repair since epoch ")
    assert ": validation loss rose " in found.message
    assert diagnose(cut(curves, epoch), PLANNED).verdict is Verdict.OVERFIT


def test_what_has_not_learned_in_half_of_its_epochs_is_ended_however_the_rate_will_fall():
    curves = not_learning()
    still = Curves(*(PRIOR + (losses - PRIOR) / 10 for losses in (curves.train_loss, curves.val_loss)))
    still = replace(still, train_loss_eval=still.train_loss)
    epoch, found = stop(still)
    assert 30 <= epoch < 50
    assert (found.code, found.message.startswith("Not learning after ")) == ("AS301", True)


def test_a_loss_that_jumps_about_the_class_frequencies_may_be_woken_by_a_lower_rate():
    jumps = np.random.default_rng(0).normal(size=60)
    curves = Curves(PRIOR + 0.02 * jumps, PRIOR + 0.02 * jumps[::-1], PRIOR + 0.02 * jumps)
    assert stop(curves, rate_may_drop=True) is None
    assert stop(curves, rate_may_drop=False)[1].code == "AS301"


def test_not_learning_is_never_found_without_a_plan():
    assert stop(not_learning(), replace(PLANNED, planned_epochs=None)) is None


def test_a_training_that_blew_up_and_stayed_up_is_ended():
    curves = blown_up(epochs=60)
    top = curves.val_loss[45]
    risen = Curves(
        *(np.where(np.arange(60) < 45, losses, top) for losses in (curves.train_loss, curves.val_loss))
    )
    risen = replace(risen, train_loss_eval=risen.train_loss)
    shorter = Curves(*(np.delete(losses, slice(10, 28)) for losses in (risen.train_loss, risen.val_loss)))
    epoch, found = stop(replace(shorter, train_loss_eval=shorter.train_loss))
    assert found.code == "AS101"
    assert found.message.startswith("Diverged for good: train loss climbed ")
    assert epoch > 10


def quiet():
    train = settling(pace=16) + noise(seed=0, size=1e-4)
    return Curves(train, settling(level=0.22, pace=16) + noise(seed=1, size=3e-4), train)


def test_settled_curves_are_ended_only_where_no_drop_of_the_rate_is_planned():
    curves = quiet()
    epoch, found = stop(curves, rate_may_drop=False)
    assert (found.code, found.outcome) == ("AS901", "ok")
    assert found.message == (
        f"Settled: {60 - epoch} more epochs would lower the validation loss by less than 1 %."
    )
    assert stop(curves, rate_may_drop=True) is None


def test_settled_curves_are_not_cut_short_for_the_last_tenth_of_the_plan():
    curves = quiet()
    assert settled(cut(curves, 54), PLANNED, rate_may_drop=False) is not None
    assert settled(cut(curves, 55), PLANNED, rate_may_drop=False) is None


def test_noise_that_hides_a_fall_keeps_a_training_going():
    assert stop(good(), rate_may_drop=False) is None


def test_a_plateau_before_anything_is_learned_has_not_settled():
    falls = np.concatenate([np.full(30, 0.69), np.linspace(0.69, 0.3, 30)])
    curves = Curves(falls, falls, falls)
    assert stop(curves, Context(planned_epochs=60), rate_may_drop=False) is None


@pytest.mark.parametrize("rate_may_drop", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_what_still_falls_is_never_ended(seed, rate_may_drop):
    assert stop(still_falling(seed=seed), rate_may_drop=rate_may_drop) is None


def test_an_overfit_run_is_left_alone_while_its_validation_loss_falls_again():
    curves = overfit(rise=0.3)
    val = curves.val_loss.copy()
    val[32:] = val[32] - 0.004 * np.arange(28)
    turned = replace(curves, val_loss=val)
    assert all(settled(cut(turned, epoch), PLANNED, rate_may_drop=True) is None for epoch in range(40, 60))


@pytest.mark.parametrize("seed", range(5))
def test_spikes_and_jumps_of_a_falling_loss_end_nothing(seed):
    chance = np.random.default_rng(seed)
    train = 0.2 + np.exp(-np.arange(80) / 15)
    val = train * (1.05 + np.where(chance.random(80) < 0.3, chance.random(80), 0))
    assert stop(Curves(train, val, train), replace(PLANNED, planned_epochs=80)) is None
    assert stop(jumping(seed=seed)) is None


def test_a_rise_no_higher_than_one_the_run_has_come_back_from_is_not_beyond_repair():
    time_ = np.arange(60)
    train = 0.2 + 0.8 * np.exp(-time_ / 15)
    val = np.interp(time_, [0, 10, 30, 42, 60], [1.0, 0.6, 0.5, 0.7, 0.71])
    excursion = np.interp(time_, [8, 14, 20], [0.0, 0.5, 0.0])  # of both losses: no overfitting
    assert stop(Curves(train, val, train))[1].code == "AS201"
    shaken = Curves(train + excursion, val + excursion, train + excursion)
    assert diagnose(shaken, PLANNED).verdict is Verdict.OVERFIT
    assert stop(shaken) is None


@pytest.mark.parametrize("epochs", range(10))
def test_nothing_is_settled_within_ten_epochs(epochs):
    assert settled(cut(overfit(rise=3.0), epochs), PLANNED, rate_may_drop=False) is None


def test_an_epoch_that_was_not_measured_settles_nothing():
    curves = cut(overfit(rise=0.3), 50)
    assert settled(curves, PLANNED, rate_may_drop=True) is not None
    val = curves.val_loss.copy()
    val[-1] = np.nan
    assert settled(replace(curves, val_loss=val), PLANNED, rate_may_drop=True) is None


SHAPES = st.sampled_from([overfit, good, not_learning, still_falling, blown_up, jumping])


@given(shape=SHAPES, seed=st.integers(0, 50), epochs=st.integers(12, 60), factor=st.floats(1e-3, 1e3))
@settings(max_examples=40, deadline=None)
def test_the_unit_of_the_losses_changes_nothing(shape, seed, epochs, factor):
    curves = cut(shape(seed=seed), epochs)
    scaled = Curves(
        *(factor * np.asarray(each) for each in (curves.train_loss, curves.val_loss, curves.train_loss_eval))
    )
    context = replace(PLANNED, prior_entropy=factor * PRIOR, reference_loss=factor * 0.2)
    for rate_may_drop in (False, True):
        one = settled(curves, PLANNED, rate_may_drop=rate_may_drop)
        other = settled(scaled, context, rate_may_drop=rate_may_drop)
        assert (one is None, one and one.code) == (other is None, other and other.code)


@given(seed=st.integers(0, 50), epochs=st.integers(30, 60), more=st.floats(0.0, 0.05))
@settings(max_examples=40, deadline=None)
def test_a_larger_rise_after_the_best_epoch_never_keeps_an_overfit_run_going(seed, epochs, more):
    curves = cut(overfit(seed=seed, rise=0.3), epochs)
    if settled(curves, PLANNED, rate_may_drop=True) is None:
        return
    since = np.clip(np.arange(epochs) - int(np.argmin(curves.val_loss)), 0, None)
    higher = replace(curves, val_loss=curves.val_loss + more * since)
    assert settled(higher, PLANNED, rate_may_drop=True) is not None


@given(seed=st.integers(0, 50), epochs=st.integers(12, 60), offset=st.floats(0, 2))
@settings(max_examples=40, deadline=None)
def test_a_constant_that_dropout_adds_to_the_train_loss_never_ends_a_falling_one(seed, epochs, offset):
    curves = cut(still_falling(seed=seed), epochs)
    dropped = Curves(curves.train_loss + offset, curves.val_loss)
    assert settled(dropped, PLANNED, rate_may_drop=False) is None


def test_a_question_is_cheap_enough_to_be_asked_at_each_epoch():
    curves = overfit(epochs=200, rise=0.3)
    settled(curves, PLANNED, rate_may_drop=False)
    took = []
    for _ in range(10):
        started = time.process_time()
        settled(curves, PLANNED, rate_may_drop=False)
        took.append(time.process_time() - started)
    assert min(took) < 0.005
