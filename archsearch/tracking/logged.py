"""From what anyone's program logged to MLflow to the loss curves of one training."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsearch.diagnosis import Context, Curves
from archsearch.errors import DataError
from archsearch.histories import RecordedCurve
from archsearch.histories.context import context_value
from archsearch.histories.table import PER_CURVE, PER_EPOCH, as_number
from archsearch.report.words import count
from archsearch.tracking.steps import (
    PER_BATCH,
    Point,
    Series,
    are_apart,
    at_steps_of,
    have_no_steps,
    last_known,
    series,
)

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
    """The curves of a run over the steps up to the last one that both losses have.

    Where the losses were logged at different steps, the train loss is averaged between validations. A step
    that only one of them has is not measured in the other; later steps are left out, so that a run that was
    ended in the middle of an epoch does not pass for one whose loss became NaN.

    Raises
    ------
    DataError
        If the losses have no steps in common.
    """
    notes = ["The run is still going on: judged so far."] if run.status == "RUNNING" else []
    if have_no_steps(run.train) or have_no_steps(run.val):
        notes.append("Losses were logged without steps: they are taken in the order of their times.")
    val, logged = series(run.val), series(run.train)
    train = at_steps_of(val, logged)
    if len(logged) >= PER_BATCH * len(val):
        notes.append(
            f"The train loss was logged {len(logged) / len(val):.0f} times as often as the validation loss: "
            "its means between two validations are judged."
        )
    elif train is not logged:
        notes.append(
            "The losses were logged at different steps: means of the train loss between two validations are "
            "judged."
        )
    end = None if are_apart(logged, val) else last_known(train, val)
    if end is None:
        raise DataError(
            f"run {run.name}: the train loss was logged at the steps {min(logged)} to {max(logged)}, the "
            f"validation loss at {min(val)} to {max(val)}: log both with the same steps"
        )
    repeated = _repeated(train, val, run.last)
    if repeated is not None:
        notes.append("The last step repeats that of the restored epoch and is left out.")
        end = min(end, repeated - 1)
    steps = sorted(step for step in {*train, *val} if step <= end)
    later = len({*train, *val}) - len(steps) - (repeated is not None)
    if later:
        notes.append(f"Left out for having but one of the losses: {count(later, 'step')} at the end.")
    extras = {name: _at(at_steps_of(val, series(points)), steps) for name, points in run.extras.items()}
    curves = Curves(_at(train, steps), _at(val, steps), **extras)
    context, unusable = _context(run, steps, curves)
    return RecordedCurve(run.name, curves, context, (*notes, *unusable))


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
    """What parameters, tags and metrics named like an input say, and what of it can't be used."""
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
