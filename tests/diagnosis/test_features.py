import numpy as np
import pytest

from archsearch.diagnosis import features

CURVES = np.random.default_rng(0).random((4, 3, 40))


def level_noise(losses, width):
    return features.level_noise(losses, features.running_median(losses, width), width)


OF_ONE_CURVE = {
    "level": lambda losses: features.level(losses, 5),
    "noise": features.noise,
    "slope": features.slope,
    "slope_error": features.slope_error,
    "spike": lambda losses: features.largest_spike(losses, features.running_median(losses, 5)),
    "jump": features.typical_jump,
    "level_noise": lambda losses: level_noise(losses, 5),
    "running_median": lambda losses: features.running_median(losses, 5),
}


@pytest.mark.parametrize("feature", OF_ONE_CURVE.values(), ids=OF_ONE_CURVE)
def test_many_curves_at_once_give_what_one_at_a_time_gives(feature):
    one_by_one = np.array([[feature(curve) for curve in row] for row in CURVES])
    np.testing.assert_allclose(feature(CURVES), one_by_one)


@pytest.mark.parametrize("feature", OF_ONE_CURVE.values(), ids=OF_ONE_CURVE)
def test_features_scale_with_the_losses(feature):
    np.testing.assert_allclose(feature(7 * CURVES), 7 * feature(CURVES))


@pytest.mark.parametrize("epochs", range(1, 30))
def test_a_window_is_odd_and_fits_the_run(epochs):
    width = features.window(epochs, 0.1)
    assert width % 2 == 1
    assert 1 <= width <= epochs


def test_smoothing_leaves_no_trace_of_a_single_spike():
    losses = np.ones(30)
    losses[15] = 100
    np.testing.assert_allclose(features.running_median(losses, 3), 1)


def test_noise_is_blind_to_a_straight_trend_and_measures_the_scatter():
    scatter = np.random.default_rng(1).normal(scale=0.3, size=4000)
    assert features.noise(np.linspace(5, 0, 4000) + scatter) == pytest.approx(0.3, rel=0.1)


def test_slope_of_a_line_is_exact():
    line = np.linspace(3, 1, 11)
    assert features.slope(line) == pytest.approx(-0.2)
    assert features.slope_error(line) == pytest.approx(0, abs=1e-12)


def test_a_steep_descent_has_no_spike():
    losses = np.exp(-np.arange(40) / 3.0)
    assert features.largest_spike(losses, features.running_median(losses, 5)) == 0


def test_a_running_median_keeps_a_step():
    losses = np.append(np.ones(20), np.zeros(20))
    np.testing.assert_array_equal(features.running_median(losses, 5), losses)


def test_levels_of_noise_that_wanders_are_less_certain_than_of_white_noise():
    white = np.random.default_rng(2).normal(size=400)
    wandering = np.convolve(white, np.full(10, np.sqrt(0.1)), mode="same")
    assert level_noise(wandering, 9) > 2 * features.median_error(9) * features.noise(wandering)
    assert level_noise(white, 9) == pytest.approx(features.median_error(9), rel=0.4)


def test_steadiness_tells_a_rise_from_wandering():
    rise, start = np.append(np.ones(10), np.linspace(1, 2, 30)), np.array(10)
    noise = np.random.default_rng(3).normal(size=40)
    assert features.steadiness(rise, start) == pytest.approx(1)
    assert abs(features.steadiness(noise, start)) < 0.5
    assert features.steadiness(rise, np.array(39)) == 0


def test_windows_too_many_to_lay_out_at_once_give_the_same_medians(monkeypatch):
    at_once = features.running_median(CURVES, 7)
    monkeypatch.setattr(features, "MOST_AT_ONCE", 100)
    np.testing.assert_array_equal(features.running_median(CURVES, 7), at_once)
