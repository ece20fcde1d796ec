from dataclasses import replace

import numpy as np
import pytest
from curve_shapes import KNOWN, SHAPES, good, overfit
from hypothesis import given, settings
from hypothesis import strategies as st

from archsearch.diagnosis import Curves, Verdict, diagnose

shapes = st.builds(
    lambda shape, epochs, seed: shape(epochs, seed),
    st.sampled_from(list(SHAPES.values())),
    st.integers(8, 120),
    st.integers(0, 10_000),
)
good_runs = st.builds(good, st.integers(20, 120), st.integers(0, 10_000))
overfit_runs = st.builds(overfit, st.integers(20, 120), st.integers(0, 10_000))
repeatable = settings(deadline=None, max_examples=60, derandomize=True)


def scaled(curves, factor):
    return Curves(
        *(np.asarray(losses) * factor for losses in (curves.train_loss, curves.val_loss, curves.train_loss))
    )


def without_inference(curves, constant=0.0):
    return Curves(np.asarray(curves.train_loss) + constant, curves.val_loss)


@repeatable
@given(shapes, st.floats(1e-6, 1e6))
def test_multiplying_all_losses_changes_nothing(curves, factor):
    context = replace(
        KNOWN, prior_entropy=KNOWN.prior_entropy * factor, reference_loss=KNOWN.reference_loss * factor
    )
    before, after = diagnose(scaled(curves, 1.0), KNOWN), diagnose(scaled(curves, factor), context)
    assert (after.verdict, after.delivered, after.flags) == (before.verdict, before.delivered, before.flags)
    assert after.confidence == pytest.approx(before.confidence, abs=0.02)


@repeatable
@given(shapes, st.permutations([0.5, 0.3, 0.15, 0.05]))
def test_relabelling_the_classes_changes_nothing(curves, frequencies):
    context = replace(KNOWN, prior_entropy=None)
    before, after = (
        diagnose(curves, replace(context, class_frequencies=tuple(order)))
        for order in ([0.5, 0.3, 0.15, 0.05], frequencies)
    )
    assert (after.verdict, after.flags, after.confidence) == (before.verdict, before.flags, before.confidence)


@repeatable
@given(shapes, st.floats(0, 10))
def test_a_constant_on_the_train_loss_never_creates_underfit_nor_hides_overfit(curves, constant):
    before, after = (diagnose(without_inference(curves, added), KNOWN).verdict for added in (0.0, constant))
    assert (before is Verdict.OVERFIT) == (after is Verdict.OVERFIT)
    assert after is not Verdict.UNDERFIT or before is Verdict.UNDERFIT


@repeatable
@given(shapes, st.floats(0, 10))
def test_where_train_loss_is_known_in_inference_mode_the_reported_one_decides_nothing(curves, constant):
    moved = Curves(np.asarray(curves.train_loss) + constant, curves.val_loss, curves.train_loss_eval)
    assert diagnose(moved, KNOWN).verdict is diagnose(curves, KNOWN).verdict


@repeatable
@given(shapes, st.integers(1, 20), st.sampled_from([np.nan, np.inf]))
def test_a_tail_that_is_no_number_is_diverged(curves, tail, value):
    broken = [np.append(losses, np.full(tail, value)) for losses in (curves.train_loss, curves.val_loss)]
    assert diagnose(Curves(*broken), KNOWN).verdict is Verdict.DIVERGED


@repeatable
@given(overfit_runs, st.floats(1, 20))
def test_a_larger_rise_after_the_best_epoch_never_turns_overfit_into_good(curves, factor):
    before = diagnose(curves, KNOWN)
    assert before.verdict is Verdict.OVERFIT
    val = np.array(curves.val_loss)
    best = int(np.argmin(val))
    val[best:] = val[best] + factor * (val[best:] - val[best])
    enlarged = Curves(curves.train_loss, val, curves.train_loss_eval)
    assert diagnose(enlarged, KNOWN).verdict is not Verdict.GOOD


@repeatable
@given(good_runs, st.integers(1, 300))
def test_a_longer_flat_tail_never_turns_good_into_a_fault(curves, tail):
    if diagnose(curves, KNOWN).verdict is not Verdict.GOOD:
        return
    train, val = (
        np.append(losses, np.full(tail, np.median(np.asarray(losses)[-5:])))
        for losses in (curves.train_loss, curves.val_loss)
    )
    assert diagnose(Curves(train, val, train), KNOWN).verdict is Verdict.GOOD


@repeatable
@given(good_runs)
def test_a_noisy_flat_tail_never_turns_good_into_a_fault(curves):
    rng = np.random.default_rng(0)
    train, val = (
        np.append(losses, rng.choice(np.asarray(losses)[-8:], size=len(losses)))
        for losses in (curves.train_loss, curves.val_loss)
    )
    assert diagnose(Curves(train, val, train), KNOWN).verdict is Verdict.GOOD


@pytest.mark.parametrize("verdict", SHAPES)
def test_every_second_epoch_is_enough(verdict):
    curves = SHAPES[verdict](80)
    half = Curves(
        *(np.asarray(each)[1::2] for each in (curves.train_loss, curves.val_loss, curves.train_loss_eval))
    )
    assert diagnose(half, KNOWN).verdict == verdict


turned_up = st.builds(
    lambda epochs, turn, noise, seed: (epochs, turn, noise, seed),
    st.integers(12, 100),
    st.floats(0.2, 0.7),
    st.floats(0, 0.02),
    st.integers(0, 10_000),
)


@repeatable
@given(turned_up, st.floats(1.2, 50))
def test_a_larger_rise_is_overfit_as_well_however_sharp_the_turn(shape, factor):
    epochs, turn, noise, seed = shape
    time = np.arange(epochs)
    after = np.clip(time - int(turn * epochs), 0, None) / epochs
    scatter = noise * np.random.default_rng(seed).normal(size=epochs)
    train = 0.6 * np.exp(-time * 4 / epochs) + 0.05
    val = 0.5 * np.exp(-time * 12 / epochs) + 0.3 + scatter
    before, larger = (
        diagnose(Curves(train, val + rise * after, train), KNOWN, confidence=False).verdict
        for rise in (0.4, 0.4 * factor)
    )
    if before is Verdict.OVERFIT:
        assert larger is not Verdict.GOOD
