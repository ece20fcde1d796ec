from dataclasses import replace

import numpy as np
import pytest
from curve_shapes import KNOWN, SHAPES, good, jumping, not_learning, overfit, settling, still_falling
from hypothesis import given, settings
from hypothesis import strategies as st

from archsearch.diagnosis import Context, Curves, Verdict, diagnose

repeatable = settings(deadline=None, max_examples=40, derandomize=True)
runs = st.builds(
    lambda shape, epochs, seed: shape(epochs, seed),
    st.sampled_from(list(SHAPES.values())),
    st.integers(6, 90),
    st.integers(0, 10_000),
)


@repeatable
@given(runs)
def test_confidence_is_a_probability_and_the_same_each_time(curves):
    first, second = diagnose(curves, KNOWN), diagnose(curves, KNOWN)
    assert 0 <= first.confidence <= 1
    assert first == second


@pytest.mark.parametrize("shape", [good, overfit, not_learning, jumping, still_falling])
def test_a_plain_case_with_all_that_is_to_be_known_is_confident(shape):
    assert diagnose(shape(100), KNOWN).confidence > 0.9


@repeatable
@given(runs, st.sampled_from(["prior_entropy", "reference_loss", "n_val", "early_stopped"]))
def test_what_is_absent_never_raises_the_confidence_in_the_same_verdict(curves, absent):
    whole, part = diagnose(curves, KNOWN), diagnose(curves, replace(KNOWN, **{absent: None}))
    if part.verdict is whole.verdict:
        assert part.confidence <= whole.confidence + 0.03  # the resampled share may differ by chance


def test_knowing_nothing_besides_the_curves_leaves_doubts():
    assert diagnose(good(), Context()).confidence < diagnose(good(), KNOWN).confidence
    assert diagnose(not_learning(), Context()).confidence < 0.5


def test_a_verdict_that_another_end_would_change_is_less_confident():
    late = good(60)
    turned = np.array(late.val_loss) + 0.05 * np.clip(np.arange(60) - 52, 0, None)
    sudden = Curves(late.train_loss, turned, late.train_loss_eval)
    assert diagnose(sudden, KNOWN).confidence < diagnose(late, KNOWN).confidence - 0.1


def test_a_case_on_the_border_is_less_confident_than_a_plain_one():
    plain, border = (diagnose(Curves(*[settling(80, level)] * 3), KNOWN) for level in (0.6, 0.33))
    assert plain.verdict is border.verdict is Verdict.UNDERFIT
    assert border.confidence < plain.confidence - 0.05


def test_without_a_verdict_there_is_no_confidence():
    assert diagnose(Curves([1.0, 0.9], [1.0, 0.9]), KNOWN).confidence == 0
    assert diagnose(good(), KNOWN, confidence=False).confidence is None


def test_a_loss_that_is_no_number_leaves_no_doubt():
    curves = good()
    broken = Curves(np.append(curves.train_loss, np.nan), np.append(curves.val_loss, np.nan))
    assert diagnose(broken, KNOWN).confidence == 1


@repeatable
@given(runs, st.sampled_from([0, 1]))
def test_of_a_confident_verdict_every_second_epoch_is_enough(curves, first):
    whole = diagnose(curves, KNOWN)
    half = Curves(
        *(np.asarray(each)[first::2] for each in (curves.train_loss, curves.val_loss, curves.train_loss_eval))
    )
    if len(half.val_loss) >= 20 and whole.confidence >= 0.9:
        assert diagnose(half, replace(KNOWN, delivered_epoch=None)).verdict is whole.verdict
