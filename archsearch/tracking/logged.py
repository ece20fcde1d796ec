"""From what anyone's program logged to MLflow to the loss curves of one training."""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from archsearch.diagnosis import Context, Curves
from archsearch.histories import RecordedCurve
from archsearch.histories.context import context_value
from archsearch.histories.table import PER_CURVE, PER_EPOCH, as_number
from archsearch.report.words import count

TRAIN_LOSS, VAL_LOSS = "loss", "val_loss"

OTHER_NAMES = {
    TRAIN_LOSS: (TRAIN_LOSS, "train_loss", "training_loss", "train/loss"),
    VAL_LOSS: (VAL_LOSS, "valid_loss", "validation_loss", "eval_loss", "val/loss"),
}
"""Where a metric has Keras' name by default, the names that other programs have for it, ours among them."""

EXTRAS = {name: PER_EPOCH[name] for name in ("train_loss_eval", "val_accuracy", "learning_rate")}
"""Further curves with the metrics that hold them, the first one found counts."""

INPUTS = {*PER_CURVE, "delivered_epoch"} - {"best_val_loss", "dropout"}
"""Fields of `Context` that are looked for under their own names. A ``best_val_loss`` that programs log is the
run's own and not the best of all; rates of dropout have many names."""

PER_BATCH = 5
"""A train loss logged at least so many times as often as the validation loss is taken for one of batches:
validating every fifth epoch only is rarer than logging five times an epoch."""

Series = Mapping[int, float]
"""Values by step."""


class Point(Protocol):
    """One logged value, as MLflow's ``Metric`` has it."""

    @property
    def value(self) -> float: ...  # noqa: D102
    @property
    def step(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A run of an experiment with what it logged.

    Attributes
    ----------
    run_id, name : str
    status : str
        MLflow's, such as ``"FINISHED"``.
    params, tags : mapping of str to str
    last : mapping of str to float
        Every metric's last value.
    train, val : sequence of Point
        All values of the two losses, in any order.
    extras : mapping of str to sequence of Point
        The same of those of `EXTRAS` that are there.
    """

    run_id: str
    name: str
    status: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    last: Mapping[str, float]
    train: Sequence[Point]
    val: Sequence[Point]
    extras: Mapping[str, Sequence[Point]]


def metric_name(wanted: str, logged: Iterable[str]) -> str | None:
    """What a run calls a metric: as it is wanted, or by another usual name where that is the default one."""
    known = set(logged)
    return next((name for name in OTHER_NAMES.get(wanted, (wanted,)) if name in known), None)


def recorded_curve(run: LoggedRun) -> RecordedCurve:
    """The curves of a run over the steps up to the last one by which both losses were logged.

    A step that only one of the losses has is not measured in the other; later steps are left out, so that a
    run that was ended in the middle of an epoch does not pass for one whose loss became NaN.
    """
    notes = ["The run is still going on: judged so far."] if run.status == "RUNNING" else []
    if _without_steps(run.train) or _without_steps(run.val):
        notes.append("Losses were logged without steps: they are taken in the order of their times.")
    val, train = _series(run.val), _series(run.train)
    if len(train) >= PER_BATCH * len(val):
        notes.append(
            f"The train loss was logged {len(train) / len(val):.0f} times as often as the validation loss: "
            "its means between two validations are judged."
        )
        train = _per_epoch(train, val)
    end = min(max(train), max(val))
    repeated = _repeated(train, val, run.last)
    if repeated is not None:
        notes.append("The last step repeats that of the restored epoch and is left out.")
        end = min(end, repeated - 1)
    steps = sorted(step for step in {*train, *val} if step <= end)
    later = len({*train, *val}) - len(steps) - (repeated is not None)
    if later:
        notes.append(f"Left out for having but one of the losses: {count(later, 'step')} at the end.")
    extras = {name: _at(_per_epoch(_series(points), val), steps) for name, points in run.extras.items()}
    curves = Curves(_at(train, steps), _at(val, steps), **extras)
    context, unusable = _context(run, steps, curves)
    return RecordedCurve(run.name, curves, context, (*notes, *unusable))


def _series(points: Sequence[Point]) -> Series:
    """Values by step; of a step logged twice the last one in time counts."""
    ordered = sorted(points, key=lambda point: point.timestamp)
    if _without_steps(points):
        return {number: _value(point) for number, point in enumerate(ordered)}
    return {point.step: _value(point) for point in ordered}


def _without_steps(points: Sequence[Point]) -> bool:
    """Whether all values have one step, MLflow's default, and times that tell their order."""
    steps, times = {point.step for point in points}, {point.timestamp for point in points}
    return len(steps) == 1 and len(times) == len(points) > 1


def _value(point: Point) -> float:
    """The value; MLflow's databases keep infinity as the largest number."""
    return math.copysign(math.inf, point.value) if abs(point.value) >= sys.float_info.max else point.value


def _per_epoch(series: Series, val: Series) -> Series:
    """A series of batches as means at the steps of the validation loss; any other one as it is."""
    if len(series) < PER_BATCH * len(val):
        return series
    ends, steps = sorted(val), sorted(series)
    values = np.array([series[step] for step in steps])
    if ends[-1] < steps[-1] / 2:
        # The one counts epochs, the other batches: as many of them in each epoch.
        parts = np.array_split(values, len(ends))
    else:
        parts = np.split(values, np.searchsorted(steps, ends, side="right"))[: len(ends)]
    return {end: float(part.mean()) for end, part in zip(ends, parts, strict=True) if len(part)}


def _repeated(train: Series, val: Series, last: Mapping[str, float]) -> int | None:
    """The step after the last epoch at which MLflow's autologging repeats the losses of the restored one.

    ``mlflow.tensorflow.autolog`` does so after an ``EarlyStopping`` that restores the best weights.
    """
    stopped, restored = last.get("stopped_epoch"), last.get("restored_epoch")
    if not stopped or restored is None:
        return None
    step = int(stopped) + 1
    repeats = all(step in losses and losses[step] == losses.get(int(restored)) for losses in (train, val))
    return step if repeats and step == max(val) else None


def _at(series: Series, steps: Sequence[int]) -> list[float]:
    return [series.get(step, math.nan) for step in steps]


def _context(run: LoggedRun, steps: Sequence[int], curves: Curves) -> tuple[Context, list[str]]:
    """What parameters, tags and metrics named like an input say, and what of it is of no use."""
    said: dict[str, Any] = {**run.last, **run.params, **run.tags}
    if "epochs" in run.params:
        said.setdefault("planned_epochs", run.params["epochs"])
    known: dict[str, Any] = {"dropout": _dropout(run.params)}
    notes = []
    for name in said.keys() & INPUTS:
        try:
            known[name] = context_value(name, said[name])
        except ValueError as error:
            notes.append(f"Not used: {error}.")
    restored = run.last.get("restored_epoch")
    if restored is not None and restored in steps:
        known.setdefault("delivered_epoch", steps.index(int(restored)) + 1)
    known.setdefault("early_stopped", _early_stopped(run, known.get("planned_epochs"), steps, curves))
    return Context(**known), notes


def _early_stopped(run: LoggedRun, planned: int | None, steps: Sequence[int], curves: Curves) -> bool | None:
    """Whether early stopping ended the run: as it says, or before its planned epochs and after its best."""
    if "stopped_epoch" in run.last:
        return run.last["stopped_epoch"] > 0  # 0 until the callback, Keras' or Lightning's, stops
    if planned is None:
        return None
    if _epochs(steps, planned) >= planned:
        return False
    # Not one that was killed, nor one that our own searches' pruner stopped: that is its tag `status`.
    finished = run.status == "FINISHED" and run.tags.get("status") != "stopped"
    val = np.ravel(curves.val_loss)
    return True if finished and math.isfinite(val[-1]) and val[-1] > np.nanmin(val) else None


def _epochs(steps: Sequence[int], planned: int) -> int:
    """Epochs that a run had: what its steps span, or their number where they count batches."""
    gap = int(np.median(np.diff(steps))) if len(steps) > 1 else 1
    span = steps[-1] - steps[0] + gap
    return span if span <= planned else len(steps)


def _dropout(params: Mapping[str, str]) -> bool | None:
    """Whether any parameter with that word in its name is a rate above 0; None where there is none."""
    rates = [as_number(value) for name, value in params.items() if "dropout" in name.lower()]
    known = [rate for rate in rates if rate is not None and math.isfinite(rate)]
    return any(rate > 0 for rate in known) if known else None
