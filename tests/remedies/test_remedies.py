import dataclasses
from dataclasses import asdict, replace
from itertools import pairwise

import pytest
from curve_shapes import KNOWN, SHAPES, overfit, settling
from hypothesis import given, settings
from hypothesis import strategies as st
from remedied import (
    FALLING,
    OF_A_USER,
    RECIPE,
    architectures,
    data_of,
    data_sets,
    diagnosed,
    diagnoses,
    recipes,
)

from archsearch.architecture import Architecture, ConvBlock, DenseBlock
from archsearch.diagnosis import PRECEDENCE, REMARKS, Curves, Verdict, diagnose
from archsearch.notation import parse
from archsearch.records import Augmentation, Recipe
from archsearch.remedies import ADVICE, Subject, remedies
from archsearch.space import named_recipe
from archsearch.space.named_words import NamedArchitecture
from archsearch.space.training_words import TrainingWords

CNN = Architecture("cnn", (DenseBlock(64), DenseBlock(32)), (ConvBlock(16), ConvBlock(32)))
SPARSE = data_of()
CHANGES = [each.change for row in ADVICE.values() for each in row]

# What of an architecture or a recipe each code may touch.
TOUCHES = {
    "lower-dropout": {"dropout"},
    "raise-dropout": {"dropout"},
    "lower-l2": {"l2"},
    "raise-l2": {"l2"},
    "batch-norm": {"batch_norm"},
    "other-activation": {"activation"},
    "narrower": {"width", "filters"},
    "wider": {"width", "filters"},
    "fewer-blocks": {"conv", "dense"},
    "more-blocks": {"conv", "dense"},
    "global-average": {"bridge"},
    "more-epochs": {"epochs"},
    "early-stopping": {"patience"},
    "larger-batch": {"batch_size"},
    "class-weights": {"class_weights"},
    "decaying-rate": {"schedule"},
    "constant-rate": {"schedule"},
    "lower-weight-decay": {"weight_decay"},
    "raise-weight-decay": {"weight_decay", "optimizer"},
    "augmentation": {"augmentation"},
    "no-augmentation": {"augmentation"},
    "float32": {"precision"},
    "lower-learning-rate": {"learning_rate"},
    "raise-learning-rate": {"learning_rate"},
}


def codes(verdict, *marks, architecture=FALLING, recipe=RECIPE, data=None):
    return [each.code for each in remedies(diagnosed(verdict, *marks), architecture, recipe, data)]


def advised(code, verdict, architecture=FALLING, recipe=RECIPE, data=None):
    found = remedies(diagnosed(verdict), architecture, recipe, data)
    return next(each for each in found if each.code == code)


def differences(one, other):
    """The names of what differs, inside of blocks too where there are as many."""
    names = {
        field.name
        for field in dataclasses.fields(one)
        if getattr(one, field.name) != getattr(other, field.name)
    }
    for stack in names & {"conv", "dense"}:
        before, after = getattr(one, stack), getattr(other, stack)
        if len(before) == len(after):
            names |= {name for pair in zip(before, after, strict=True) for name in differences(*pair)}
            names -= {stack}
    return names


def valid_architecture(architecture):
    """Whether the space language takes it, block by block and in one line."""
    words = {word: asdict(architecture)[word] for word in ("conv", "bridge", "dense")}
    built = NamedArchitecture.model_validate(words).build()
    return built == architecture == parse(architecture.notation)


def valid_recipe(recipe):
    """Whether the space language takes it; class weights stand with the data there."""
    words = asdict(replace(recipe, class_weights="as_given"))
    words["early_stopping"] = {"patience": recipe.patience} if recipe.patience else None
    del words["patience"], words["class_weights"]
    read = named_recipe(TrainingWords.model_validate(words))
    return read == replace(recipe, class_weights="as_given") and recipe.class_weights in (
        "as_given",
        "balanced",
    )


def directions(architecture):
    widths = [block.width for block in architecture.dense]
    return [(other > one) - (other < one) for one, other in pairwise(widths)]


# -- the order, verdict by verdict ---------------------------------------------------------------------------


def test_a_good_or_unjudged_training_needs_no_remedy():
    assert codes(Verdict.GOOD, "predicts_one_class") == codes(Verdict.NOT_JUDGED) == []


def test_an_overfit_stack_is_stopped_and_regularised_before_it_is_made_smaller():
    stack = Architecture("dense", tuple(DenseBlock(width, 0.2) for width in (64, 32)))
    assert codes(Verdict.OVERFIT, architecture=stack, data=SPARSE) == [
        "early-stopping", "raise-dropout", "raise-l2", "raise-weight-decay", "augmentation", "batch-norm",
        "narrower", "fewer-blocks",
    ]  # fmt: skip


def test_curves_that_settled_far_apart_are_regularised_and_not_stopped_early():
    stack = Architecture("dense", tuple(DenseBlock(width, 0.2) for width in (64, 32)))
    assert codes(Verdict.OVERFIT, "AS202", architecture=stack, data=SPARSE) == [
        "augmentation", "raise-dropout", "raise-l2", "raise-weight-decay", "batch-norm", "narrower",
        "fewer-blocks",
    ]  # fmt: skip
    assert codes(Verdict.OVERFIT, "AS202", data=data_of((13,)))[0] == "raise-l2"


def test_a_real_wide_gap_is_known_by_its_code():
    train, val = settling(60, 0.02), settling(60, 0.3)
    diagnosis = diagnose(Curves(train, val, train), replace(KNOWN, reference_loss=None))
    found = [each.code for each in remedies(diagnosis, CNN, RECIPE)]
    assert (diagnosis.verdict, found[0]) == (Verdict.OVERFIT, "augmentation")
    assert "early-stopping" not in found


def test_all_that_advice_depends_on_is_raised_by_some_rule():
    rules = [*(rule for rule, _ in PRECEDENCE), *REMARKS]
    known = {word for rule in rules for word in (rule.code, rule.flag)}
    assert known >= {
        mark for row in ADVICE.values() for each in row for mark in (each.only_with, each.unless)
    }


def test_an_underfit_stack_loses_dropout_first_then_penalties_then_grows():
    stack = Architecture("dense", (DenseBlock(64, 0.5, l2=0.01),))
    recipe = replace(RECIPE, optimizer="adamw", weight_decay=0.04, augmentation=Augmentation("both"))
    assert codes(Verdict.UNDERFIT, architecture=stack, recipe=recipe) == [
        "lower-dropout", "lower-l2", "lower-weight-decay", "no-augmentation", "batch-norm", "wider",
        "more-blocks",
    ]  # fmt: skip


def test_a_run_that_had_not_converged_runs_longer_then_faster():
    assert codes(Verdict.NOT_CONVERGED) == ["more-epochs", "raise-learning-rate", "batch-norm"]


def test_a_curve_that_spiked_is_not_made_faster():
    assert codes(Verdict.NOT_CONVERGED, "decaying_spikes") == ["more-epochs", "batch-norm"]


def test_an_unstable_run_gets_smaller_and_calmer_steps():
    recipe = replace(RECIPE, precision="mixed_float16")
    assert codes(Verdict.UNSTABLE, recipe=recipe) == [
        "lower-learning-rate", "larger-batch", "batch-norm", "decaying-rate", "float32"
    ]  # fmt: skip


def test_a_diverged_run_gets_a_tenth_of_its_learning_rate():
    recipe = replace(RECIPE, precision="mixed_float16")
    assert codes(Verdict.DIVERGED, recipe=recipe) == ["lower-learning-rate", "float32", "batch-norm"]
    assert advised("lower-learning-rate", Verdict.DIVERGED).recipe.learning_rate == 1e-4


def test_a_run_that_learns_nothing_tries_both_rates_before_it_changes_the_stack():
    assert codes(Verdict.NOT_LEARNING, data=SPARSE) == [
        "lower-learning-rate", "raise-learning-rate", "lower-dropout", "other-activation", "batch-norm",
        "wider", "class-weights",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("notation", "first"),
    [
        ("dense 64 dropout 0.9", "lower-dropout"),
        ("dense 64 l2 1.0", "lower-l2"),
        ("dense 64 dropout 0.5 l2 0.01", ""),
    ],
)
def test_what_is_out_of_all_bounds_is_suspected_first(notation, first):
    expected = [first] * bool(first) + ["lower-learning-rate", "raise-learning-rate"]
    assert codes(Verdict.NOT_LEARNING, architecture=parse(notation))[: len(expected)] == expected


def test_a_run_that_predicts_one_class_weighs_its_classes_first():
    assert codes(Verdict.NOT_LEARNING, "predicts_one_class", data=SPARSE)[0] == "class-weights"


@pytest.mark.parametrize("verdict", [Verdict.UNDERFIT, Verdict.NOT_CONVERGED])
def test_a_rate_that_decayed_to_nothing_gets_more_time(verdict):
    flag = "learning_rate_decayed_to_zero"
    cosine, plateau = (replace(RECIPE, schedule=schedule) for schedule in ("cosine", "plateau"))
    assert codes(verdict, flag, recipe=cosine)[0] == "more-epochs"
    assert codes(verdict, flag, recipe=plateau)[:2] == ["constant-rate", "more-epochs"]


def test_too_few_epochs_become_enough_and_a_training_that_broke_off_gets_no_advice():
    short = replace(RECIPE, epochs=2)
    (remedy,) = remedies(diagnose(overfit(2), KNOWN), FALLING, short)
    assert (remedy.code, remedy.recipe.epochs) == ("more-epochs", 30)
    assert codes(Verdict.INCONCLUSIVE, "AS003", recipe=short) == []


# -- what each does ------------------------------------------------------------------------------------------


def test_dropout_one_half_of_an_underfit_stack_becomes_a_fifth_then_a_tenth_then_none():
    rates, stack = [], FALLING
    while "lower-dropout" in codes(Verdict.UNDERFIT, architecture=stack):
        remedy = advised("lower-dropout", Verdict.UNDERFIT, stack)
        stack, title = remedy.architecture, remedy.title
        rates.append((title, {block.dropout for block in stack.dense}))
    assert rates == [
        ("Lower dropout to 0.2", {0.2}), ("Lower dropout to 0.1", {0.1}), ("Leave out dropout", {0.0})
    ]  # fmt: skip


def test_rates_that_differ_change_in_proportion():
    split = parse("dense 32·64 dropout 0.2, 64·32 dropout 0.5")
    remedy = advised("lower-dropout", Verdict.UNDERFIT, split)
    assert remedy.architecture == parse("dense 32·64 dropout 0.08, 64·32 dropout 0.2")
    assert remedy.title == "Lower dropout to 0.2 at most, in proportion"


def test_the_first_dropout_of_a_cnn_is_that_of_its_dense_blocks():
    remedy = advised("raise-dropout", Verdict.OVERFIT, CNN)
    assert remedy.title == "Add dropout 0.2"
    assert [block.dropout for block in (*remedy.architecture.conv, *remedy.architecture.dense)] == [
        0, 0, 0.2, 0.2
    ]  # fmt: skip


def test_narrower_is_half_and_wider_twice_of_everything():
    assert advised("narrower", Verdict.OVERFIT, CNN).architecture == parse(
        "conv 8·16 3×3 max → flatten → dense 32·16"
    )
    assert advised("wider", Verdict.UNDERFIT, CNN).architecture == parse(
        "conv 32·64 3×3 max → flatten → dense 128·64"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("dense 64·32·16", "dense 32·16"),
        ("dense 16·32·64", "dense 16·32"),
        ("dense 32·64·128·64·32", "dense 32·64·64·32"),
        ("dense 128·64·32·64·128", "dense 128·64·32·64"),
        ("dense 32·64·32", "dense 32·32"),
        ("conv 8·16 3×3 max → global average", "conv 8 3×3 max → global average"),
        ("conv 8 3×3 max → flatten → dense 32", "conv 8 3×3 max → flatten"),
    ],
)
def test_one_block_fewer_keeps_the_ordering_where_it_can(before, after):
    assert advised("fewer-blocks", Verdict.OVERFIT, parse(before)).architecture == parse(after)


@pytest.mark.parametrize("notation", ["dense 64", "conv 8 3×3 max → flatten", "conv 8·16 3×3 max → flatten"])
def test_what_would_leave_no_block_or_more_weights_is_not_left_out(notation):
    assert "fewer-blocks" not in codes(Verdict.OVERFIT, architecture=parse(notation))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("dense 64·32 dropout 0.2", "dense 64·64·32 dropout 0.2"),
        (
            "conv 8·16 5×5 stride 2 valid max → flatten",
            "conv 8 5×5 stride 2 valid max, 16 5×5, 16 5×5 stride 2 valid max → flatten",
        ),
    ],
)
def test_one_block_more_is_like_one_that_is_there(before, after):
    assert advised("more-blocks", Verdict.UNDERFIT, parse(before)).architecture == parse(after)


def test_saturating_activations_become_relu_and_silent_ones_leak():
    first = advised("other-activation", Verdict.NOT_LEARNING, parse("dense 64 sigmoid, 32 tanh, 16"))
    assert (first.title, first.architecture) == (
        "Use relu in place of sigmoid and tanh", parse("dense 64·32·16")
    )  # fmt: skip
    second = advised("other-activation", Verdict.NOT_LEARNING, first.architecture)
    assert second.architecture == parse("dense 64·32·16 leaky_relu")
    assert "other-activation" not in codes(Verdict.NOT_LEARNING, architecture=second.architecture)


def test_a_rate_far_from_the_usual_is_only_moved_towards_it():
    high, low = (replace(RECIPE, learning_rate=rate) for rate in (0.1, 1e-6))
    assert codes(Verdict.NOT_LEARNING, recipe=high)[:2] == ["lower-learning-rate", "lower-dropout"]
    assert codes(Verdict.NOT_LEARNING, recipe=low)[:2] == ["raise-learning-rate", "lower-dropout"]


def test_adam_becomes_adamw_to_decay_weights_and_sgd_does_not():
    remedy = advised("raise-weight-decay", Verdict.OVERFIT)
    assert (remedy.recipe.optimizer, remedy.recipe.weight_decay) == ("adamw", 0.004)
    sgd = replace(RECIPE, optimizer="sgd")
    assert "raise-weight-decay" not in codes(Verdict.OVERFIT, recipe=sgd)


def test_only_images_are_augmented():
    assert "augmentation" in codes(Verdict.OVERFIT, data=data_of((28, 28, 1)))
    assert "augmentation" not in codes(Verdict.OVERFIT, data=data_of((13,)))
    assert "augmentation" in codes(Verdict.OVERFIT, architecture=CNN)
    assert "augmentation" not in codes(Verdict.OVERFIT)


def test_even_classes_are_not_weighed():
    even = data_of(classes=4, prior_entropy=1.386)
    assert "class-weights" not in codes(Verdict.NOT_LEARNING, "predicts_one_class", data=even)


def test_classes_that_the_data_balance_are_not_balanced_again():
    balanced = replace(SPARSE, balanced=True)
    assert "class-weights" not in codes(Verdict.NOT_LEARNING, "predicts_one_class", data=balanced)


def test_a_batch_leaves_ten_steps_to_an_epoch():
    few = replace(SPARSE, n_train=639)
    assert "larger-batch" not in codes(Verdict.UNSTABLE, data=few)
    assert "larger-batch" in codes(Verdict.UNSTABLE, data=replace(few, n_train=640))


def test_what_images_can_not_take_is_not_advised():
    small = data_of((1, 1, 1))
    one = parse("conv 16 1×1 → flatten")
    assert "wider" in codes(Verdict.UNDERFIT, architecture=one, data=small)
    assert "wider" not in codes(Verdict.UNDERFIT, architecture=parse("conv 16 1×1 max → flatten"), data=small)


def test_of_a_users_hypermodel_only_its_training_from_outside_changes():
    found = {code for verdict in Verdict for code in codes(verdict, architecture=OF_A_USER, data=SPARSE)}
    assert found == {"more-epochs", "early-stopping", "larger-batch", "class-weights"}


def test_a_remedy_says_what_was_found_and_how_it_helps():
    diagnosis = diagnose(overfit(), KNOWN)
    first = remedies(diagnosis, FALLING, RECIPE)[0]
    assert first.why.startswith(diagnosis.findings[0].message.rstrip("."))
    assert first.why.endswith(": epochs after the best one only memorise the training data.")


def test_every_fault_of_real_curves_has_a_remedy():
    for verdict, shape in SHAPES.items():
        found = remedies(diagnose(shape(), KNOWN), FALLING, RECIPE)
        assert bool(found) == (verdict != "good"), verdict


def test_a_recipe_of_an_older_record_trains_with_the_weights_of_its_data():
    older = asdict(RECIPE)
    del older["class_weights"]
    assert Recipe.from_json(older) == RECIPE
    assert Recipe.from_json(asdict(replace(RECIPE, class_weights="balanced"))).class_weights == "balanced"


# -- whatever was trained ------------------------------------------------------------------------------------


@settings(deadline=None)
@given(diagnoses, architectures, recipes, data_sets)
def test_remedies_are_valid_different_and_change_what_their_code_says(diagnosis, architecture, recipe, data):
    if data is not None and any(architecture.misfits(data.input_shape)):
        architecture = architecture.fitted(data.input_shape)
    found = remedies(diagnosis, architecture, recipe, data)
    pairs = {(each.architecture, each.recipe) for each in found}
    assert len(pairs | {(architecture, recipe)}) == len(found) + 1
    for each in found:
        touched = differences(each.architecture, architecture) | differences(each.recipe, recipe)
        assert touched
        assert touched <= TOUCHES[each.code]
        assert valid_architecture(each.architecture)
        assert valid_recipe(each.recipe)
        assert data is None or not any(each.architecture.misfits(data.input_shape))
        assert each.title[0].isupper()
        assert each.why.endswith(".")
    in_order = iter(advice.change.code for advice in ADVICE[diagnosis.verdict])
    assert all(each.code in in_order for each in found)


@settings(deadline=None)
@given(architectures)
def test_widths_and_rates_keep_their_order_from_block_to_block(architecture):
    for verdict in (Verdict.OVERFIT, Verdict.UNDERFIT):
        for each in remedies(diagnosed(verdict), architecture, RECIPE):
            if each.code in ("narrower", "wider"):
                pairs = zip(directions(architecture), directions(each.architecture), strict=True)
                assert all(after in (before, 0) for before, after in pairs)
            if each.code == "more-blocks" and not architecture.conv:
                assert [step for step in directions(each.architecture) if step] == [
                    step for step in directions(architecture) if step
                ]
            if each.code in ("lower-dropout", "lower-l2"):
                word = each.code.removeprefix("lower-")
                before, after = (
                    [getattr(block, word) for block in (*one.conv, *one.dense)]
                    for one in (architecture, each.architecture)
                )
                assert all(new <= old for old, new in zip(before, after, strict=True))


@settings(deadline=None)
@given(st.sampled_from(CHANGES), architectures, recipes, data_sets)
def test_a_change_repeated_comes_to_an_end(change, architecture, recipe, data):
    subject, times = Subject(architecture, recipe, data), 0
    while changed := change.apply(subject):
        subject, times = Subject(changed.architecture, changed.recipe, data), times + 1
        assert times < 40


@given(st.floats(1e-6, 1), st.sampled_from(["adam", "adamw", "sgd", "rmsprop"]))
def test_rates_stay_within_three_decades_about_the_usual(rate, optimizer):
    usual = 0.01 if optimizer == "sgd" else 0.001
    recipe = replace(RECIPE, optimizer=optimizer, learning_rate=rate)
    for each in remedies(diagnosed(Verdict.NOT_LEARNING), FALLING, recipe):
        if "learning-rate" in each.code:
            assert usual / 101 <= each.recipe.learning_rate <= usual * 10.01
