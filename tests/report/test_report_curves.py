import math
import re
from dataclasses import replace

import pytest
from searches import judged, search

from archsearch.report.curves import INNER_HEIGHT, MAX_POINTS, small_curves
from archsearch.report.scales import LogScale, curve_scale
from archsearch.report.summary import summarise
from archsearch.report.values import Curve

SCALE = LogScale(0.01, 4.0)


def drawn(val, train=None, delivered=1):
    card = summarise(*judged(search(1))).cards[0]
    epochs = tuple(range(1, len(val) + 1))
    curve = Curve(7, epochs, tuple(train or val), tuple(val), delivered)
    return small_curves(replace(card, curves=(curve,)), SCALE, max(len(val), 2), "words")


def heights(svg):
    path = re.search(r'class="v" d="M([^"]+)"', svg).group(1)
    return [float(number) for number in path.split()[1::2]]


def test_a_curve_is_small():
    assert len(drawn([1 / epoch for epoch in range(1, 41)])) < 2048


def test_lower_losses_lie_lower():
    assert heights(drawn([2.0, 1.0, 0.5])) == sorted(heights(drawn([2.0, 1.0, 0.5])))


def test_a_loss_that_is_no_number_interrupts_the_line_and_is_marked():
    svg = drawn([2.0, 1.0, math.nan, 0.5, 0.4])
    assert 'class="lost"' in svg
    assert re.search(r'class="v" d="([^"]+)"', svg).group(1).count("M") == 2
    assert "nan" not in svg


def test_only_odd_losses_draw_no_line():
    svg = drawn([math.inf, math.nan], delivered=None)
    assert 'class="v"' not in svg
    assert 'class="lost"' in svg


def test_a_loss_out_of_scale_stays_near_the_frame():
    assert all(abs(y) <= 2 * INNER_HEIGHT for y in heights(drawn([1e300, 1.0, 1e-300])))


def test_a_single_epoch_is_a_dash():
    assert "h6" in drawn([1.0])


def test_long_curves_are_thinned_and_keep_their_spikes():
    losses = [1.0] * 5000
    losses[2501] = 3.9
    points = heights(drawn(losses))
    assert len(points) <= MAX_POINTS + 2
    assert min(points) == pytest.approx(INNER_HEIGHT * (1 - SCALE.share(3.9)), abs=0.1)


@pytest.mark.parametrize("low_high", [(0.1, 0.12), (0.1, 0.9), (0.01, 4), (1e-9, 1e9), (15, 18)])
def test_every_scale_has_a_few_ticks(low_high):
    scale = LogScale(*low_high)
    assert 1 <= len(scale.ticks) <= 7
    assert all(scale.low <= tick <= scale.high for tick in scale.ticks)


def test_all_trials_share_a_scale_that_holds_every_good_validation_loss():
    summary = summarise(*judged(search()))
    scale = curve_scale(summary)
    assert all(scale.low < row.val_loss < scale.high for row in summary.ranking)


def test_without_curves_the_scale_is_still_one():
    scale = curve_scale(summarise(*judged(search(0))))
    assert 0 < scale.low < scale.high
