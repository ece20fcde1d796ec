"""Verdicts on real trainings whose fault was put in on purpose (`tests/recorded/record_known_faults.py`)."""

from pathlib import Path

import pandas as pd
import pytest

from archsearch.diagnosis import Context, Curves, diagnose

RECORDED = Path(__file__).parent.parent / "recorded" / "known_faults.parquet"
# What a cause may be called besides is in the file. These always show, and can't be taken for another.
PLAIN = {
    "healthy": {"good"},
    "small_validation_set": {"good"},
    "too_few_epochs": {"not_converged"},
    "shuffled_labels": {"overfit"},
    "tiny_training_set": {"overfit"},
    "no_input": {"not_learning"},
}


@pytest.fixture(scope="module")
def judged():
    """One row per training: its cause, the verdicts that this allows, and the diagnosis."""
    frame = pd.read_parquet(RECORDED)
    healthy = frame[frame.cause == "healthy"].groupby("curve").train_loss_eval.last()
    rows = []
    for name, curve in frame.groupby("curve", sort=False):
        first = curve.iloc[0]
        context = Context(
            prior_entropy=float(first.prior_entropy),
            n_val=int(first.n_val),
            reference_loss=float(healthy.drop(name, errors="ignore").min()),
            best_val_loss=float(frame.val_loss.min()),
            early_stopped=bool(first.early_stopped),
            planned_epochs=int(first.planned_epochs),
            dropout=bool(first.dropout),
        )
        curves = Curves(curve.train_loss, curve.val_loss, curve.train_loss_eval, curve.learning_rate)
        diagnosis = diagnose(curves, context)
        rows.append((name, first.cause, set(first.expected.split(";")), diagnosis))
    return rows


@pytest.mark.parametrize("cause", PLAIN)
def test_a_plain_fault_is_recognised_in_every_training_that_has_it(judged, cause):
    verdicts = {name: str(diagnosis.verdict) for name, of, _, diagnosis in judged if of == cause}
    assert set(verdicts.values()) == PLAIN[cause], verdicts


def test_nine_in_ten_trainings_are_judged_by_their_fault(judged):
    wrong = [name for name, _, right, diagnosis in judged if diagnosis.verdict not in right]
    assert len(wrong) <= len(judged) / 10, wrong


def test_verdicts_that_are_wrong_are_less_confident(judged):
    sure, unsure = (
        [
            diagnosis.confidence
            for _, _, right, diagnosis in judged
            if (diagnosis.verdict in right) is is_right
        ]
        for is_right in (True, False)
    )
    assert sum(sure) / len(sure) > sum(unsure) / len(unsure)
