"""What programs log, in their many ways, becomes the curves that were meant."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from archsearch.diagnosis import Verdict, diagnose
from archsearch.errors import DataError
from archsearch.tracking.logged import LoggedRun, metric_name, recorded_curve


class Point(NamedTuple):
    """A value as MLflow has it."""

    value: float
    step: int
    timestamp: int


def points(values: Sequence[float] | Mapping[int, float], first: int = 0) -> list[Point]:
    """Values at steps, one each millisecond; a mapping has its steps itself."""
    by_step = values if isinstance(values, Mapping) else dict(enumerate(values, first))
    return [Point(value, step, 1_000 + time) for time, (step, value) in enumerate(by_step.items())]


def logged(train: list[Point], val: list[Point], params=None, tags=None, status="FINISHED", **last: float):
    return LoggedRun("0af3", "a run", status, params or {}, tags or {}, last, train, val, {})


FALLING = [1.0, 0.8, 0.7, 0.6, 0.5, 0.45]


@pytest.mark.parametrize("first", [0, 1, 7])
def test_steps_may_begin_anywhere(first: int) -> None:
    curve = recorded_curve(logged(points(FALLING, first), points(FALLING, first)))
    assert curve.curves.train_loss == curve.curves.val_loss == FALLING
    assert curve.notes == ()


def test_of_a_step_logged_twice_the_last_counts_and_the_order_of_rows_does_not() -> None:
    again = [Point(9.0, 2, 0), *points(FALLING)]
    for rows in (again, again[::-1]):
        assert recorded_curve(logged(rows, points(FALLING))).curves.train_loss == FALLING


def test_a_step_that_one_loss_lacks_is_not_measured_there() -> None:
    curve = recorded_curve(logged(points(FALLING), points({0: 1.0, 3: 0.7, 5: 0.6})))
    np.testing.assert_array_equal(curve.curves.val_loss, [1.0, math.nan, math.nan, 0.7, math.nan, 0.6])


def test_an_epoch_without_its_validation_is_left_out_but_a_logged_nan_stays() -> None:
    cut = recorded_curve(logged(points(FALLING), points(FALLING[:-2])))
    assert cut.curves.train_loss == FALLING[:-2]
    assert cut.notes == ("Left out for having but one of the losses: 2 steps at the end.",)
    diverged = recorded_curve(logged(points(FALLING), points([*FALLING[:-1], math.nan])))
    assert len(diverged.curves.val_loss) == len(FALLING)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_number_is_the_infinity_that_mlflow_makes_it_of(sign: int) -> None:
    curve = recorded_curve(logged(points([*FALLING, sign * sys.float_info.max]), points([*FALLING, 1.0])))
    assert curve.curves.train_loss[-1] == sign * math.inf


def test_values_without_steps_are_in_the_order_of_their_times() -> None:
    rows = [Point(value, 0, time) for time, value in enumerate(FALLING)]
    curve = recorded_curve(logged(rows[::-1], rows[::-1]))
    assert curve.curves.val_loss == FALLING
    assert "without steps" in curve.notes[0]


@pytest.mark.parametrize("unit", ["batches", "epochs"])
def test_a_train_loss_of_batches_is_averaged_between_validations(unit: str) -> None:
    batches = [level + offset for level in FALLING for offset in [-0.2, -0.1, 0, 0.1, 0.2]]
    ends = range(4, len(batches), 5) if unit == "batches" else range(len(FALLING))
    curve = recorded_curve(logged(points(batches), points(dict(zip(ends, FALLING, strict=True)))))
    np.testing.assert_allclose(curve.curves.train_loss, FALLING)
    assert curve.curves.val_loss == FALLING
    assert "5 times as often" in curve.notes[0]


@pytest.mark.parametrize(
    ("train_steps", "val_steps"),
    [
        (range(500, 12_000, 500), range(938, 938 * 13, 938)),
        (range(0, 24, 2), range(1, 25, 2)),
        (range(1, 25, 2), range(0, 24, 2)),
        (range(0, 50, 5), range(50)),
        (range(50), range(2, 50, 3)),
    ],
)
def test_losses_logged_at_different_steps_are_brought_to_the_same(
    train_steps: range, val_steps: range
) -> None:
    """A loss of 1 − step / 100,000, so that the mean over an interval is that at its middle."""
    train = {step: 1 - step / 1e5 for step in train_steps}
    val = {step: 1 - step / 1e5 for step in val_steps}
    curve = recorded_curve(logged(points(train), points(val)))
    both = np.isfinite(curve.curves.train_loss) & np.isfinite(curve.curves.val_loss)
    assert both[-1], "no tail without numbers is made up"
    assert both.sum() >= 10
    assert np.diff(np.array(curve.curves.train_loss)[both]).max() < 0
    assert diagnose(curve.curves, curve.context).verdict is not Verdict.DIVERGED


def test_a_loss_that_became_nan_is_a_nan_tail_though_it_was_not_validated_any_more() -> None:
    batches = dict.fromkeys(range(0, 60, 2), 1.0) | {60: math.nan, 62: math.nan}
    for val in (range(5, 60, 10), range(0, 60, 2)):
        curve = recorded_curve(logged(points(batches), points(dict.fromkeys(val, 1.0))))
        assert diagnose(curve.curves, curve.context).verdict is Verdict.DIVERGED


@pytest.mark.parametrize("first", [100, 10])
def test_losses_without_a_step_in_common_are_a_fault(first: int) -> None:
    train = points(dict.fromkeys(range(first, first + 40), 1.0))
    with pytest.raises(DataError, match=f"run a run: the train loss was logged at the steps {first} to"):
        recorded_curve(logged(train, points([1.0] * 10)))


def test_what_autologging_repeats_after_early_stopping_is_no_epoch() -> None:
    rising = [1.0, 0.5, 0.6, 0.7]
    repeated = points([*rising, rising[1]])
    curve = recorded_curve(logged(repeated, repeated, stopped_epoch=3.0, restored_epoch=1.0))
    assert curve.curves.val_loss == rising
    assert (curve.context.early_stopped, curve.context.delivered_epoch) == (True, 2)


def test_parameters_tags_and_metrics_named_like_inputs_are_context() -> None:
    run = logged(points(FALLING), points(FALLING), {"n_val": "500", "epochs": "6", "dropout_rate": "0.3"})
    run = replace(run, tags={"prior_entropy": "2.3"}, last={"reference_loss": 0.4, "best_val_loss": 0.45})
    context = recorded_curve(run).context
    assert (context.n_val, context.prior_entropy, context.reference_loss) == (500, 2.3, 0.4)
    assert (context.planned_epochs, context.early_stopped, context.dropout) == (6, False, True)
    # The run's own best would excuse every run as the best of all.
    assert context.best_val_loss is None


def test_a_parameter_that_only_has_an_input_s_name_is_said_and_not_used() -> None:
    curve = recorded_curve(logged(points(FALLING), points(FALLING), {"n_val": "many"}))
    assert curve.context.n_val is None
    assert "Not used: n_val is 'many'" in curve.notes[0]


@pytest.mark.parametrize(
    ("last", "planned", "status", "early"),
    [
        (0.9, "20", "FINISHED", True),
        (0.4, "20", "FINISHED", None),
        (math.nan, "20", "FINISHED", None),
        (0.9, "20", "KILLED", None),
        (0.9, "7", "FINISHED", False),
        (0.9, "None", "FINISHED", None),
    ],
)
def test_a_run_that_ended_before_its_epochs_and_after_its_best_was_stopped_early(
    last: float, planned: str, status: str, early: bool | None
) -> None:
    run = logged(points([*FALLING, 0.4]), points([*FALLING, last]), {"epochs": planned}, status=status)
    assert recorded_curve(run).context.early_stopped is early


def test_a_run_logged_every_fifth_epoch_had_all_its_epochs() -> None:
    rows = points({5 * number: loss for number, loss in enumerate(FALLING)})
    run = logged(rows, rows, {"epochs": "30"})
    assert recorded_curve(run).context.early_stopped is False


def test_a_run_that_goes_on_is_judged_so_far_and_says_so() -> None:
    curve = recorded_curve(logged(points(FALLING), points(FALLING), status="RUNNING"))
    assert "still going on" in curve.notes[0]


def test_the_default_names_stand_for_other_usual_ones_and_given_names_for_themselves() -> None:
    ours = ["train_loss", "train_loss_eval", "val_loss"]
    assert metric_name("loss", ours) == "train_loss"
    assert metric_name("loss", ["train_loss", "loss"]) == "loss"
    assert metric_name("val_loss", ["eval_loss"]) == "eval_loss"
    assert metric_name("my_loss", ours) is None
