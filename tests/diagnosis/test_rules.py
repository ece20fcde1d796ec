from dataclasses import replace

import numpy as np
import pytest
from curve_shapes import (
    KNOWN,
    PRIOR,
    SHAPES,
    blown_up,
    good,
    jumping,
    noise,
    not_learning,
    overfit,
    settling,
    still_falling,
    underfit,
)

from archsearch.diagnosis import PRECEDENCE, REMARKS, Context, Curves, diagnose
from archsearch.diagnosis.reading import read, reading_of
from archsearch.diagnosis.rules import (
    Diverged,
    DropoutAboveValidation,
    EarlyStopped,
    EnoughEpochs,
    LearningRateGone,
    Memorised,
    NotConverged,
    NotLearning,
    Overfit,
    PredictsOneClass,
    SmallValidationSet,
    TrainAboveValidation,
    Underfit,
    Unstable,
    ValidationEasier,
    judge,
)

RULES = [rule for rule, _ in PRECEDENCE] + list(REMARKS)


def judged(rule, curves, context=KNOWN):
    return judge(rule, read(curves, context))


def test_codes_are_unique():
    assert len({rule.code for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_good_run_passes_every_rule(rule):
    assert judged(rule, good()).outcome == "ok"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
@pytest.mark.parametrize("shape", SHAPES.values())
def test_a_rule_without_context_answers_all_the_same(rule, shape):
    finding = judged(rule, shape(), Context())
    assert finding.code == rule.code
    assert finding.message


def test_too_few_epochs_are_counted():
    finding = judged(EnoughEpochs(), Curves([1, 2, 3], [1, 2, 3]))
    assert (finding.outcome, finding.evidence["epochs"]) == ("fault", 3)


def test_divergence_says_from_where_to_where_the_loss_climbed():
    finding = judged(Diverged(), blown_up())
    assert finding.outcome == "fault"
    assert finding.evidence["descent_lost"] > 1
    assert "climbed from 0.2" in finding.message


def test_a_validation_loss_that_rises_alone_is_no_divergence():
    assert judged(Diverged(), overfit(rise=3)).outcome == "ok"


def test_overfitting_says_how_far_validation_loss_rose_and_train_loss_fell():
    finding = judged(Overfit(), overfit())
    assert finding.outcome == "fault"
    assert finding.evidence["rise"] == pytest.approx(0.5, abs=0.1)
    assert finding.evidence["best_epoch"] == pytest.approx(21, abs=3)
    assert finding.message.startswith("Validation loss rose 5")
    assert "while train loss fell" in finding.message


def test_a_gap_that_grows_without_a_rise_is_mild():
    finding = judged(Overfit(), overfit(rise=0.001))
    assert finding.outcome == "flag"
    assert "mild_overfit" in diagnose(overfit(rise=0.001), KNOWN).flags


def test_a_rise_within_the_noise_is_not_overfitting():
    train = settling(60, 0.2) - 0.0005 * np.arange(60)
    val = settling(60, 0.22) + noise(60, seed=3, size=0.05)
    assert judged(Overfit(), Curves(train, val, train)).outcome != "fault"


def test_two_losses_that_rise_together_are_not_overfitting():
    assert judged(Overfit(), blown_up()).outcome == "ok"


def test_not_learning_names_the_class_frequencies():
    finding = judged(NotLearning(), not_learning())
    assert finding.outcome == "fault"
    assert "0.693" in finding.message


def test_without_prior_entropy_losses_are_held_against_their_own_start():
    unknown = replace(KNOWN, prior_entropy=None)
    flat = judged(NotLearning(), not_learning(), unknown)
    assert flat.outcome == "fault"
    assert "Without prior_entropy" in flat.message
    assert judged(NotLearning(), good(), unknown).outcome == "ok"


def test_a_late_start_is_not_failing_to_learn():
    losses = np.append(np.full(40, 0.72), np.linspace(0.72, 0.66, 20))
    assert judged(NotLearning(), Curves(losses, losses, losses)).outcome == "ok"


def test_a_network_that_only_memorises_did_learn():
    train = settling(60, 0.01)
    assert judged(NotLearning(), Curves(train, PRIOR + noise(60), train)).outcome == "ok"


def test_jumps_to_the_end_are_unstable():
    finding = judged(Unstable(), jumping())
    assert finding.outcome == "fault"
    assert finding.evidence["late"] > 0.1


def test_spikes_that_shrink_are_forgiven_and_flagged():
    val = settling(60, 0.22)
    val[[7, 11, 15]] += [0.6, 0.5, 0.4]
    val[50] += 0.01
    train = settling(60, 0.2)
    assert judged(Unstable(), Curves(train, val, train)).outcome == "flag"
    assert "decaying_spikes" in diagnose(Curves(train, val, train), KNOWN).flags


def test_jumps_that_the_size_of_the_validation_set_explains_are_not_the_networks():
    train, val = settling(60, 0.2), settling(60, 0.22) + noise(60, size=0.06)
    assert judged(Unstable(), Curves(train, val, train), replace(KNOWN, n_val=30)).outcome == "ok"
    assert judged(Unstable(), Curves(train, val, train), replace(KNOWN, n_val=5000)).outcome == "fault"


def test_still_falling_says_by_how_much():
    finding = judged(NotConverged(), still_falling())
    assert finding.outcome == "fault"
    assert finding.evidence["val_fall"] == pytest.approx(0.23, abs=0.05)
    assert "last 15 of 60 epochs" in finding.message


def test_underfit_needs_a_reference_and_the_prior():
    for name in ("reference_loss", "prior_entropy"):
        finding = judged(Underfit(), underfit(), replace(KNOWN, **{name: None}))
        assert finding.outcome == "not_applicable"
        assert name in finding.message


def test_underfit_says_what_is_missing_to_the_reference():
    finding = judged(Underfit(), underfit())
    assert finding.outcome == "fault"
    assert finding.evidence["shortfall"] == pytest.approx(0.61, abs=0.02)


def test_a_run_near_the_best_known_validation_loss_is_not_underfit():
    assert judged(Underfit(), underfit(), replace(KNOWN, best_val_loss=0.5)).outcome == "ok"
    assert judged(Underfit(), underfit(), replace(KNOWN, best_val_loss=0.3)).outcome == "fault"


def test_a_reference_no_better_than_the_prior_is_held_against_nobody():
    assert judged(Underfit(), underfit(), replace(KNOWN, reference_loss=0.7)).outcome == "ok"


def test_dropout_in_the_reported_train_loss_is_not_underfitting():
    curves = good()
    reported = np.asarray(curves.train_loss) * 1.8
    assert judged(Underfit(), Curves(reported, curves.val_loss)).outcome == "ok"
    assert judged(Underfit(), Curves(reported, curves.val_loss, curves.train_loss_eval)).outcome == "ok"


def test_a_gap_of_its_own_needs_the_train_loss_in_inference_mode():
    train, val = settling(60, 0.05, pace=3), settling(60, 0.5, pace=30)
    assert judged(Underfit(), Curves(train, val)).outcome == "not_applicable"


@pytest.mark.parametrize(
    ("inference", "dropout", "rule", "words"),
    [
        (0.2, True, DropoutAboveValidation(), "that is dropout"),
        (0.2, False, TrainAboveValidation(), "how it is measured"),
        (0.4, True, TrainAboveValidation(), "in inference mode too"),
        (None, True, DropoutAboveValidation(), "explains that"),
        (None, False, TrainAboveValidation(), "no dropout to explain it"),
        (None, None, TrainAboveValidation(), "not known"),
    ],
)
def test_train_above_validation_raises_one_flag_by_its_explanation(inference, dropout, rule, words):
    evaluated = None if inference is None else settling(60, inference)
    curves, context = (
        Curves(settling(60, 0.4), settling(60, 0.22), evaluated),
        replace(KNOWN, dropout=dropout),
    )
    finding = judged(rule, curves, context)
    assert finding.outcome == "flag"
    assert words in finding.message
    raised = {TrainAboveValidation.flag, DropoutAboveValidation.flag} & set(diagnose(curves, context).flags)
    assert raised == {rule.flag}


def test_an_easier_validation_set_is_flagged_where_chance_is_excluded():
    train, val = settling(60, 0.3), settling(60, 0.22)
    curves = Curves(train, val, train)
    assert judged(ValidationEasier(), curves).outcome == "flag"
    assert judged(ValidationEasier(), curves, replace(KNOWN, n_val=20)).outcome == "ok"
    assert judged(ValidationEasier(), Curves(train, val)).outcome == "not_applicable"
    assert judged(ValidationEasier(), curves, replace(KNOWN, n_val=None)).outcome == "not_applicable"


def test_a_small_validation_set_is_flagged():
    finding = judged(SmallValidationSet(), good(), replace(KNOWN, n_val=64, val_loss_spread=0.4))
    assert finding.outcome == "flag"
    assert finding.evidence["relative_error"] == pytest.approx(0.05 / 0.22, rel=0.1)
    assert judged(SmallValidationSet(), good(), replace(KNOWN, n_val=None)).outcome == "not_applicable"


def test_early_stopping_is_flagged_with_the_plan():
    finding = judged(EarlyStopped(), good(), replace(KNOWN, early_stopped=True, planned_epochs=100))
    assert finding.outcome == "flag"
    assert finding.message == "Early stopping ended training after 60 of 100 planned epochs."
    assert judged(EarlyStopped(), good(), Context()).outcome == "not_applicable"


def test_a_learning_rate_that_decayed_to_zero_is_flagged():
    rates = 1e-3 * 0.5 * (1 + np.cos(np.linspace(0, np.pi, 60)))
    finding = judged(LearningRateGone(), replace(good(), learning_rate=rates))
    assert finding.outcome == "flag"
    assert "settled only for that" in finding.message
    assert judged(LearningRateGone(), replace(good(), learning_rate=None)).outcome == "not_applicable"


def test_one_class_for_every_sample_is_flagged():
    assert judged(PredictsOneClass(), good(), replace(KNOWN, classes_predicted=1)).outcome == "flag"
    assert (
        judged(PredictsOneClass(), good(), replace(KNOWN, classes_predicted=None)).outcome == "not_applicable"
    )


def test_an_accuracy_that_is_the_share_of_one_class_is_flagged():
    known = replace(KNOWN, classes_predicted=None, class_frequencies=(0.7, 0.3))
    stuck, moving = (replace(good(), val_accuracy=np.full(60, share)) for share in (0.3, 0.5))
    assert judged(PredictsOneClass(), stuck, known).outcome == "flag"
    assert judged(PredictsOneClass(), moving, known).outcome == "ok"


def test_class_frequencies_stand_in_for_the_prior_entropy():
    known = replace(KNOWN, prior_entropy=None, class_frequencies=(0.5, 0.5))
    assert diagnose(not_learning(), known).verdict == "not_learning"
    assert "prior_entropy" not in diagnose(good(), known).missing


def test_a_loss_that_creeps_steadily_has_not_converged():
    creeping = 0.69 - 0.0004 * np.arange(60)
    assert judged(NotConverged(), Curves(creeping, creeping, creeping)).outcome == "fault"
    assert diagnose(Curves(creeping, creeping, creeping), KNOWN).verdict == "not_converged"


def test_five_percent_of_a_loss_that_fell_to_nearly_nothing_are_not_still_falling():
    losses = settling(60, 0.001, start=2.3, pace=5)
    assert judged(NotConverged(), Curves(losses, losses, losses)).outcome == "ok"


def test_a_steady_rise_is_overfitting_though_train_loss_has_nothing_left_to_fall_to():
    train = settling(100, 0.0, start=2.3, pace=60)
    val = settling(100, 0.5, start=2.3, pace=40) + np.linspace(0, 0.1, 100)
    assert judged(Overfit(), Curves(train, val, train)).outcome == "fault"


def test_a_turn_that_has_only_begun_is_no_overfitting_yet():
    time = np.arange(100)
    train = settling(100, 0.3, pace=30) - 0.03 * np.clip(time - 94, 0, None)
    val = settling(100, 0.3, pace=30) + 0.03 * np.clip(time - 94, 0, None)
    assert judged(Overfit(), Curves(train, val, train)).outcome == "ok"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
@pytest.mark.parametrize("context", [KNOWN, Context()], ids=["known", "unknown"])
def test_many_curves_at_once_are_judged_as_each_alone(rule, context):
    singles = [read(SHAPES[name](60, seed), context) for name in SHAPES for seed in (0, 5)]
    evaluated = np.stack([single.train for single in singles])
    together = reading_of(
        singles[0].numbers,
        np.stack([single.raw_train for single in singles]),
        np.stack([single.val for single in singles]),
        evaluated,
        context,
        like=singles[0],
    )
    measured = rule.measure(together)
    for row, single in enumerate(singles):
        alone = rule.measure(
            reading_of(single.numbers, single.raw_train, single.val, single.train, context, like=singles[0])
        )
        assert np.broadcast_to(measured.outcome, len(singles))[row] == alone.outcome
        for name, value in alone.evidence.items():
            all_values = np.broadcast_to(measured.evidence[name], len(singles))
            assert all_values[row] == pytest.approx(float(value), rel=1e-9, abs=1e-12)


def test_curves_that_settle_far_apart_are_overfit_and_stay_so_at_the_best_epoch():
    train, val = settling(60, 0.001, start=2.3, pace=20), settling(60, 0.7, start=2.3, pace=20)
    context = replace(KNOWN, prior_entropy=float(np.log(10)), reference_loss=0.003)
    finding = judged(Memorised(), Curves(train, val, train), context)
    assert finding.outcome == "fault"
    assert finding.evidence["gap"] == pytest.approx(0.3, abs=0.01)
    diagnosis = diagnose(Curves(train, val, train), context)
    assert (diagnosis.verdict, diagnosis.delivered) == ("overfit", "overfit")
    assert judged(Memorised(), Curves(train, val), context).outcome == "not_applicable"


def test_a_wide_gap_that_a_few_samples_explain_is_no_fault():
    train, val = settling(60, 0.1), settling(60, 0.28)
    assert judged(Memorised(), Curves(train, val, train), replace(KNOWN, n_val=5000)).outcome == "fault"
    assert judged(Memorised(), Curves(train, val, train), replace(KNOWN, n_val=16)).outcome == "ok"


def test_a_creep_too_slow_to_pay_is_no_lack_of_epochs():
    creeping = 0.69 - 0.00001 * np.arange(60)
    assert judged(NotConverged(), Curves(creeping, creeping, creeping)).outcome == "ok"


def test_a_single_late_spike_is_no_instability():
    curves = good(60)
    val = np.array(curves.val_loss)
    val[50] *= 3
    assert judged(Unstable(), Curves(curves.train_loss, val, curves.train_loss_eval)).outcome == "ok"


def test_a_short_overfitting_run_without_noise_is_seen():
    train, val = (
        [0.52, 0.32, 0.24, 0.19, 0.15, 0.12, 0.1, 0.08],
        [0.4, 0.32, 0.29, 0.28, 0.29, 0.3, 0.32, 0.34],
    )
    assert judged(Overfit(), Curves(train, val), Context()).outcome == "fault"


def test_a_train_loss_that_drifts_up_by_next_to_nothing_does_not_hide_overfitting():
    train = np.append(settling(30, 0.05, pace=20), np.linspace(0.05, 0.052, 30))
    val = np.append(settling(30, 0.25, pace=20), np.linspace(0.25, 0.37, 30))
    assert judged(Overfit(), Curves(train, val, train)).outcome == "fault"


def test_a_first_train_loss_of_any_size_is_no_sign_of_learning():
    train = np.append([36.5], np.full(29, 2.41))
    assert judged(NotLearning(), Curves(train, np.full(30, 2.42)), Context()).outcome == "fault"


def test_weights_that_know_nothing_are_delivered_as_not_learning():
    train = settling(60, 0.1, start=2.3, pace=3)
    val = np.linspace(2.34, 3.6, 60)
    context = replace(KNOWN, prior_entropy=float(np.log(10)))
    diagnosis = diagnose(Curves(train, val, train), context)
    assert (diagnosis.verdict, diagnosis.delivered) == ("overfit", "not_learning")
