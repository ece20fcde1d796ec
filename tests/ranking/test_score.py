import numpy as np
import pytest
from curve_shapes import good, run_of
from hypothesis import given
from hypothesis import strategies as st

from archsearch.diagnosis import Curves
from archsearch.ranking import best_run, score, trial_score


def epochs_of(halves):
    losses = np.asarray(halves, dtype=float).mean(axis=1)
    return run_of(Curves(losses, losses), halves, delivered_epoch=1).epochs


def test_the_epoch_is_chosen_on_one_half_and_read_on_the_other():
    assert score(epochs_of([(3, 9), (1, 5), (2, 4)])) == pytest.approx((5 + 2) / 2)


@given(st.lists(st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)), min_size=1, max_size=30), st.data())
def test_a_lucky_dip_on_one_half_earns_nothing(halves, data):
    """The half that dips chooses that epoch, and the other half, which saw nothing of it, is read there."""
    index = data.draw(st.integers(0, len(halves) - 1))
    lucky = list(halves)
    lucky[index] = (0.01, halves[index][1])
    first_best = min(range(len(halves)), key=lambda at: lucky[at][0])
    read_on_second = halves[first_best][1]
    second_best = min(range(len(halves)), key=lambda at: halves[at][1])
    assert score(epochs_of(lucky)) == pytest.approx((read_on_second + lucky[second_best][0]) / 2)


def test_a_dip_on_one_half_alone_does_not_lower_the_score():
    steady = [(0.5, 0.5 + 0.001 * at) for at in range(10)]
    lucky = [*steady[:6], (0.1, 0.506), *steady[7:]]
    assert score(epochs_of(lucky)) >= score(epochs_of(steady))


def test_epochs_that_are_not_finite_are_ignored():
    assert score(epochs_of([(np.nan, 0.1), (0.4, 0.6), (0.1, np.inf)])) == pytest.approx(0.5)


def test_without_a_finite_epoch_there_is_no_score():
    assert score([]) is None
    assert score(epochs_of([(np.nan, 1.0)])) is None


def test_a_trial_scores_the_mean_of_its_runs():
    runs = [run_of(good(seed=seed)) for seed in range(2)]
    assert trial_score(runs) == pytest.approx(np.mean([score(run.epochs) for run in runs]))


def test_a_run_without_a_score_is_not_averaged_away():
    broken = run_of(Curves([np.nan], [np.nan]))
    assert trial_score([run_of(good()), broken]) is None
    assert trial_score([]) is None


def test_of_several_seeds_the_model_with_the_lowest_score_stands_for_the_trial():
    worse, best, broken = (
        run_of(Curves(np.full(3, loss), np.full(3, loss)), [(loss, loss)] * 3, delivered_epoch=1)
        for loss in (0.4, 0.2, np.nan)
    )
    assert best_run([broken, worse, best]) is best
