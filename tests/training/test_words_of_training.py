"""What each word of a recipe does to a training, seen in what Keras is given and in what is recorded."""

import dataclasses

import keras
import numpy as np
import pytest

from archsearch.architecture import Architecture, ConvBlock, DenseBlock
from archsearch.records import Augmentation, Status
from archsearch.training import measure
from archsearch.training.watch import PLATEAU_FACTOR, PLATEAU_PATIENCE

pytestmark = pytest.mark.slow

SMALL = Architecture("dense", (DenseBlock(16),))
CNN = Architecture("cnn", (DenseBlock(16),), (ConvBlock(8, pooling="sum", batch_norm=True),))
AUGMENTATION = Augmentation("both", 0.1, 0.1, 0.1)


def rates(run):
    assert run.status is Status.COMPLETED, run.reason
    return [epoch.learning_rate for epoch in run.epochs]


def test_the_cosine_schedule_starts_at_the_learning_rate_and_falls_by_half_a_cosine(
    digits, tmp_path, trained_once
):
    words = {"optimizer": "sgd", "momentum": 0.9, "schedule": "cosine", "epochs": 4, "learning_rate": 0.1}
    run = trained_once(SMALL, digits, tmp_path, **words)
    expected = [0.1 * (1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert rates(run) == pytest.approx(expected, rel=1e-5)


def test_the_plateau_schedule_lowers_the_rate_after_epochs_without_a_lower_validation_loss(
    digits, tmp_path, trained_once
):
    words = {"schedule": "plateau", "optimizer": "sgd", "learning_rate": 1e-30}
    run = trained_once(SMALL, digits, tmp_path, epochs=PLATEAU_PATIENCE + 2, **words)
    before, after = rates(run)[-2:]
    assert rates(run)[:-1] == pytest.approx([1e-30] * (PLATEAU_PATIENCE + 1))
    assert after == pytest.approx(before * PLATEAU_FACTOR)


def test_the_plateau_schedule_leaves_the_rate_where_the_loss_falls(digits, tmp_path, trained_once):
    words = {"schedule": "plateau", "epochs": PLATEAU_PATIENCE + 2, "learning_rate": 1e-3}
    run = trained_once(SMALL, digits, tmp_path, **words)
    assert rates(run) == pytest.approx([1e-3] * (PLATEAU_PATIENCE + 2))


def test_early_stopping_ends_a_training_whose_rate_is_lowered(digits, tmp_path, trained_once):
    words = {"schedule": "plateau", "optimizer": "sgd", "learning_rate": 1e-30, "epochs": 40}
    run = trained_once(SMALL, digits, tmp_path, patience=PLATEAU_PATIENCE + 1, **words)
    assert run.early_stopped
    assert len(run.epochs) == PLATEAU_PATIENCE + 2


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_and_its_losses_equal_keras_evaluate(
    digits, tmp_path, trained_once, precision
):
    run = trained_once(CNN, digits, tmp_path, precision=precision, learning_rate=1e-2)
    assert run.status is Status.COMPLETED, run.reason
    assert run.environment["precision"] == precision
    assert keras.config.dtype_policy().name == "float32"
    losses = [epoch.val_loss for epoch in run.epochs]
    assert losses[-1] < losses[0]
    model = keras.saving.load_model(tmp_path / run.model)
    assert {str(weights.dtype) for weights in model.weights} == {"float32"}
    model.compile(loss="sparse_categorical_crossentropy", jit_compile=False)
    samples = digits.split.val
    evaluated = model.evaluate(digits.x.take(samples), digits.y[samples], verbose=0)
    assert run.delivered.val_loss == pytest.approx(evaluated, rel=1e-3)


def test_the_environment_says_float32_where_nothing_else_was_asked(digits, tmp_path, trained_once):
    run = trained_once(SMALL, digits, tmp_path, epochs=1)
    assert run.environment["precision"] == "float32"


def test_augmentation_changes_training_and_no_judged_loss(digits, tmp_path, trained_once):
    """At a learning rate of nothing the weights stay, so that only the images can differ."""
    words = {"optimizer": "sgd", "learning_rate": 1e-30, "epochs": 2}
    network = Architecture("dense", (DenseBlock(16),))
    plain = trained_once(network, digits, tmp_path, **words)
    changed = trained_once(network, digits, tmp_path, **words, augmentation=AUGMENTATION)
    assert plain.epochs[0].val_loss == pytest.approx(changed.epochs[0].val_loss, rel=1e-6)
    assert plain.epochs[0].train_loss_eval == pytest.approx(changed.epochs[0].train_loss_eval, rel=1e-6)
    assert plain.epochs[0].train_loss == pytest.approx(plain.epochs[1].train_loss, rel=1e-6)
    assert plain.epochs[0].train_loss != pytest.approx(changed.epochs[0].train_loss, rel=1e-3)
    assert changed.epochs[0].train_loss != pytest.approx(changed.epochs[1].train_loss, rel=1e-4)


def test_a_delivered_model_with_augmentation_predicts_in_plain_keras_what_was_recorded(
    digits, tmp_path, trained_once
):
    run = trained_once(CNN, digits, tmp_path, augmentation=AUGMENTATION)
    assert run.status is Status.COMPLETED, run.reason
    model = keras.saving.load_model(tmp_path / run.model)
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
    predicted = model.predict(digits.x.take(digits.split.val), verbose=0)
    assert predicted == pytest.approx(run.probabilities, abs=1e-5)


def test_class_weights_enter_the_loss_of_training_only(digits, tmp_path, trained_once):
    """At a learning rate of nothing the weights of the network stay: losses can be compared."""
    weighted = dataclasses.replace(digits, class_weights=dict.fromkeys(range(10), 2.0))
    words = {"optimizer": "sgd", "learning_rate": 1e-30, "epochs": 1}
    plain = trained_once(SMALL, digits, tmp_path, **words).epochs[0]
    twice = trained_once(SMALL, weighted, tmp_path, **words).epochs[0]
    assert twice.train_loss == pytest.approx(2 * plain.train_loss, rel=1e-5)
    assert twice.val_loss == pytest.approx(plain.val_loss, rel=1e-6)
    assert twice.train_loss_eval == pytest.approx(plain.train_loss_eval, rel=1e-6)


def test_a_heavier_class_is_predicted_more_often(parity, tmp_path, trained_once):
    heavier = dataclasses.replace(parity, class_weights={0: 20.0, 1: 0.05})
    run = trained_once(SMALL, heavier, tmp_path, epochs=2)
    plain = trained_once(SMALL, parity, tmp_path, epochs=2)
    assert run.probabilities[:, 0].mean() > 0.9 > plain.probabilities[:, 0].mean()


def test_a_gauge_measures_without_augmentation(digits):
    from archsearch.models import build

    model = build(SMALL, digits.shape.input_shape, 10, AUGMENTATION)
    gauge = measure.Gauge(model, digits, digits.split.val)
    assert (gauge.measure().losses == gauge.measure().losses).all()
