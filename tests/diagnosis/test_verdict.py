from dataclasses import replace

import numpy as np
import pytest
from curve_shapes import KNOWN, SHAPES, good, jumping, overfit, still_falling

from archsearch.diagnosis import RULES_VERSION, Context, Curves, Verdict, diagnose


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("epochs", [30, 60, 200])
@pytest.mark.parametrize("verdict", SHAPES)
def test_each_fault_is_recognised_at_any_length(verdict, epochs, seed):
    diagnosis = diagnose(SHAPES[verdict](epochs, seed), KNOWN)
    assert diagnosis.verdict == verdict, diagnosis.findings[0].message
    assert diagnosis.rules_version == RULES_VERSION


def test_a_fault_comes_first_among_the_findings():
    assert [diagnose(overfit(), KNOWN).findings[0].code] == ["AS201"]


def test_every_finding_has_a_sentence_and_finite_numbers():
    for shape in SHAPES.values():
        for finding in diagnose(shape(), KNOWN).findings:
            assert finding.message[0].isupper()
            assert finding.message.endswith(".")
            assert all(np.isfinite(value) for value in finding.evidence.values())


def test_restoring_the_best_epoch_undoes_overfitting():
    diagnosis = diagnose(overfit(), KNOWN)
    assert (diagnosis.verdict, diagnosis.delivered) == (Verdict.OVERFIT, Verdict.GOOD)


def test_weights_from_the_end_of_an_overfit_run_are_overfit():
    assert diagnose(overfit(), replace(KNOWN, delivered_epoch=60)).delivered is Verdict.OVERFIT


def test_weights_delivered_by_an_underfit_overfitter_are_underfit():
    curves = overfit()
    context = replace(KNOWN, best_val_loss=0.05)
    assert diagnose(curves, context).delivered is Verdict.GOOD
    raised = Curves(
        *(np.asarray(losses) + 0.2 for losses in (curves.train_loss, curves.val_loss, curves.train_loss))
    )
    assert diagnose(raised, context).delivered is Verdict.UNDERFIT


def test_a_settled_run_that_ends_in_nan_delivers_good_weights():
    curves = good()
    broken = Curves(*(np.append(losses, np.nan) for losses in (curves.train_loss, curves.val_loss)))
    diagnosis = diagnose(broken, KNOWN)
    assert (diagnosis.verdict, diagnosis.delivered) == (Verdict.DIVERGED, Verdict.GOOD)
    assert diagnosis.findings[0].message == "The loss is not a finite number after epoch 60."


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_loss_that_never_was_a_number_is_diverged(value):
    diagnosis = diagnose(Curves(np.full(10, value), np.full(10, value), np.full(10, value)))
    assert (diagnosis.verdict, diagnosis.delivered) == (Verdict.DIVERGED, Verdict.DIVERGED)
    assert "first epoch" in diagnosis.findings[0].message


@pytest.mark.parametrize("epochs", [0, 1, 2, 3, 4])
def test_too_few_epochs_are_inconclusive(epochs):
    diagnosis = diagnose(Curves(np.ones(epochs), np.ones(epochs)), KNOWN)
    assert diagnosis.verdict is Verdict.INCONCLUSIVE
    assert "epoch" in diagnosis.findings[0].message


@pytest.mark.parametrize(
    "curves",
    [
        Curves([], []),
        Curves([1.0], [1.0]),
        Curves(np.zeros(20), np.zeros(20)),
        Curves(np.full(20, -3.0), np.full(20, -3.0)),
        Curves(np.linspace(5, -5, 20), np.linspace(5, -5, 20)),
        Curves(np.full(20, 1e300), np.full(20, 1e300)),
        Curves(np.full(20, 1e-300), np.full(20, 1e-300)),
        Curves(np.ones(20), np.ones(10), np.ones(15)),
        Curves(["a", None, 1.0, "2", 3, 4, 5], [1, 2, 3, 4, 5, 6, 7]),
        Curves([np.nan, *np.ones(19)], [np.inf, *np.ones(19)], np.full(20, np.nan)),
    ],
)
@pytest.mark.parametrize(
    "context",
    [
        Context(),
        KNOWN,
        Context(
            prior_entropy=np.nan, reference_loss=np.inf, n_val=0, val_loss_spread=np.nan, delivered_epoch=99
        ),
        Context(prior_entropy=0.0, reference_loss=5.0, n_val=-3, delivered_epoch=0),
    ],
)
def test_odd_input_never_raises(curves, context):
    assert diagnose(curves, context).verdict in Verdict


def test_epochs_not_measured_are_no_fault():
    curves = good()
    val = np.array(curves.val_loss)
    val[1:-1:2] = np.nan
    assert diagnose(Curves(curves.train_loss, val, curves.train_loss_eval), KNOWN).verdict is Verdict.GOOD


def test_what_is_missing_is_named():
    missing = diagnose(Curves(*np.ones((2, 20)))).missing
    wanted = {"early_stopped", "n_val", "prior_entropy", "reference_loss", "train_loss_eval"}
    assert wanted <= set(missing)
    assert list(missing) == sorted(missing)
    assert diagnose(good(), KNOWN).missing == ()


def test_random_jumps_are_not_read_as_a_fall():
    assert diagnose(jumping(seed=7), KNOWN).verdict is Verdict.UNSTABLE


def test_early_stopping_counts_as_converged_and_is_flagged():
    diagnosis = diagnose(still_falling(), replace(KNOWN, early_stopped=True, reference_loss=0.3))
    assert diagnosis.verdict is Verdict.GOOD
    assert "early_stopped" in diagnosis.flags
