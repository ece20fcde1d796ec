"""Trials, trainings, epochs and proposals as rows of a record's tables, and back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from typing import Any

from archsearch.architecture import architecture_from_json
from archsearch.records import DataSummary, EpochRecord, Recipe, Status, TrainingRun, TrialResult
from archsearch.study.values import Proposal

TRIALS = (
    "SELECT trials.*, proposals.params FROM trials LEFT JOIN proposals ON proposals.trial = trials.number "
)
"""What `trial_of` takes; a condition may follow."""


def epoch_row(epoch: EpochRecord) -> list[Any]:
    """Columns of `epochs` after trial and seed."""
    values = asdict(epoch)
    half_a, half_b = values.pop("val_loss_halves")
    number, train_loss, train_loss_eval, val_loss, *others = values.values()
    return [number, train_loss, train_loss_eval, val_loss, half_a, half_b, *others]


def epoch_of(row: Sequence[Any]) -> EpochRecord:
    """From the columns that `epoch_row` gives."""
    number, *numbers = row
    train_loss, train_loss_eval, val_loss, half_a, half_b, *others = (
        float("nan") if value is None else value for value in numbers
    )
    return EpochRecord(number, train_loss, train_loss_eval, val_loss, (half_a, half_b), *others)


def run_row(trial: int, run: TrainingRun) -> list[Any]:
    """All columns of `runs`."""
    return [
        trial,
        run.seed,
        run.status,
        run.reason,
        run.early_stopped,
        run.delivered_epoch,
        run.val_loss_spread,
        None if run.probabilities is None else run.probabilities.astype("<f4").tobytes(),
        run.model,
        run.seconds,
        json.dumps(run.environment),
    ]


def run_of(row: Sequence[Any], epochs: Sequence[EpochRecord], classes: int) -> TrainingRun:
    """From all columns of `runs`."""
    import numpy as np  # takes 0.1 s, which whoever reads no trainings should not wait

    _, seed, status, reason, early, delivered, spread, blob, model, seconds, environment = row
    return TrainingRun(
        seed=seed,
        status=Status(status),
        epochs=tuple(epochs),
        reason=reason,
        early_stopped=bool(early),
        delivered_epoch=delivered,
        val_loss_spread=spread,
        probabilities=None if blob is None else np.frombuffer(blob, "<f4").reshape(-1, classes),
        model=model,
        seconds=seconds,
        environment=json.loads(environment),
    )


def trial_row(trial: TrialResult, revision: int) -> list[Any]:
    """All columns of `trials`."""
    return [
        trial.number,
        trial.name,
        json.dumps(trial.architecture.to_json()),
        json.dumps(asdict(trial.recipe)),
        trial.parameters,
        trial.status,
        trial.score,
        trial.verdict,
        revision,
        trial.delivered,
        trial.confidence,
        trial.agreement,
        trial.worker,
        trial.by_hand,
    ]


def trial_of(row: Sequence[Any], runs: Mapping[int, tuple[TrainingRun, ...]]) -> TrialResult:
    """From a row of `TRIALS`."""
    number, name, architecture, recipe, parameters, status, score, verdict, _revision, *rest = row
    delivered, confidence, agreement, worker, by_hand, params = rest
    return TrialResult(
        number=number,
        name=name,
        architecture=architecture_from_json(json.loads(architecture)),
        recipe=Recipe.from_json(json.loads(recipe)),
        status=Status(status),
        runs=runs.get(number, ()),
        parameters=parameters,
        score=score,
        verdict=verdict,
        delivered=delivered,
        confidence=confidence,
        agreement=agreement,
        params=json.loads(params) if params else {},
        worker=worker,
        by_hand=bool(by_hand),
    )


def proposal_row(proposal: Proposal) -> list[Any]:
    """All columns of `proposals`."""
    return [json.dumps(v) if isinstance(v, Mapping) else v for v in astuple(proposal)]


def proposal_of(row: Sequence[Any]) -> Proposal:
    """From all columns of `proposals`."""
    family, number, trial, params, distributions, attrs, state, value = row
    return Proposal(
        family,
        number,
        trial,
        json.loads(params),
        json.loads(distributions),
        json.loads(attrs),
        state,
        value,
    )


def data_summary(value: Mapping[str, Any]) -> DataSummary:
    """From the values that ``dataclasses.asdict`` gives."""
    tuples = {name: tuple(v) for name, v in value.items() if isinstance(v, list | tuple)}
    return DataSummary(**{**value, **tuples})
