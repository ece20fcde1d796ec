from pathlib import Path

import keras
import numpy as np
import pytest
import sklearn.metrics
from answers import at_once

from archsearch.architecture import Architecture, ConvBlock, DenseBlock
from archsearch.models import build
from archsearch.records import Recipe, Status, Training
from archsearch.training import measure, train

pytestmark = pytest.mark.slow

NETWORKS = {
    "plain": Architecture("dense", (DenseBlock(32),)),
    "dense": Architecture("dense", (DenseBlock(32, 0.5, "tanh", True, 1e-2), DenseBlock(16, 0.2))),
    "cnn": Architecture(
        "cnn", (DenseBlock(16, 0.5),), (ConvBlock(8, 3, dropout=0.2, batch_norm=True, l2=1e-2),)
    ),
    "separable": Architecture(
        "cnn", (), (ConvBlock(8, 5, 2, "valid", "separable_conv2d", pooling="sum", l2=1e-2),), "global_max"
    ),
}
EPOCHS = 3


@pytest.fixture(scope="module", params=NETWORKS)
def trained(request, digits, tmp_path_factory):
    """A training of a network, and its saved model."""
    architecture = NETWORKS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    training = Training(0, architecture, Recipe(EPOCHS, 64, "adam", 3e-3, None), (1,))
    (run,) = train(training, digits, at_once(lambda *_: None), folder, Path())
    assert run.status is Status.COMPLETED, run.reason
    return run, keras.saving.load_model(folder / run.model)


def evaluated(model, dataset, samples):
    """Keras' own mean loss, penalties taken off."""
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    loss, accuracy = model.evaluate(dataset.x.take(samples), dataset.y[samples], verbose=0)
    return loss - sum(float(penalty) for penalty in model.losses), accuracy


def test_losses_of_the_delivered_epoch_equal_keras_evaluate_of_the_saved_model(trained, digits):
    run, model = trained
    split = digits.split
    loss, accuracy = evaluated(model, digits, split.val)
    assert run.delivered.val_loss == pytest.approx(loss, rel=1e-5)
    assert run.delivered.val_accuracy == pytest.approx(accuracy, abs=1e-6)
    loss, accuracy = evaluated(model, digits, split.train_eval)
    assert run.delivered.train_loss_eval == pytest.approx(loss, rel=1e-5)
    assert run.delivered.accuracy == pytest.approx(accuracy, abs=1e-6)


def test_halves_equal_keras_evaluate_and_average_to_the_validation_loss(trained, digits):
    run, model = trained
    half = digits.split.val_half
    expected = [evaluated(model, digits, digits.split.val[part])[0] for part in (half, ~half)]
    assert run.delivered.val_loss_halves == pytest.approx(expected, rel=1e-5)
    for epoch in run.epochs:
        mean = np.average(epoch.val_loss_halves, weights=[half.sum(), (~half).sum()])
        assert mean == pytest.approx(epoch.val_loss, rel=1e-9)


def test_probabilities_kept_are_the_saved_models_on_the_validation_data(trained, digits):
    run, model = trained
    val = digits.split.val
    assert run.probabilities.dtype == np.float32
    assert run.probabilities == pytest.approx(model.predict(digits.x.take(val), verbose=0), abs=1e-5)
    losses = -np.log(run.probabilities[np.arange(len(val)), digits.y[val]])
    assert run.val_loss_spread == pytest.approx(losses.std(), rel=1e-3)


def test_judged_losses_are_exact_whatever_the_global_precision(digits):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        architecture = NETWORKS["dense"]
        model = build(architecture, digits.shape.input_shape, 10)
        losses = measure.Gauge(model, digits, digits.split.val).measure().losses
    finally:
        keras.config.set_dtype_policy("float32")
    assert (losses != losses.astype(np.float16)).any()


def test_epochs_are_consecutive_and_carry_rate_and_times(trained):
    run, _ = trained
    assert [epoch.epoch for epoch in run.epochs] == list(range(1, EPOCHS + 1))
    assert all(epoch.learning_rate == pytest.approx(3e-3) for epoch in run.epochs)
    assert all(epoch.seconds > 0 for epoch in run.epochs)
    assert sum(epoch.seconds for epoch in run.epochs) <= run.seconds
    ended = [epoch.ended_at for epoch in run.epochs]
    assert ended == sorted(ended)
    assert run.environment["backend"] == keras.backend.backend()
    assert {"device", "jit_compile", "precision", "steps_per_execution", "threads"} <= set(run.environment)


def test_class_metrics_equal_a_count_by_hand():
    labels = np.array([0, 0, 1, 1, 2, 2])
    predicted = [0, 1, 1, 1, 0, 2]
    probabilities = np.full((6, 3), 0.1, np.float32)
    probabilities[np.arange(6), predicted] = 0.8
    found = measure.Measurement(np.zeros(6), probabilities, labels)
    precision, recall, auc = found.class_metrics()
    assert found.accuracy == pytest.approx(4 / 6)
    assert precision == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert recall == pytest.approx((1 / 2 + 1 + 1 / 2) / 3)
    # Pairs of a sample of the class and another, ranked rightly, ties counting half: 11/16, 15/16 and 12/16.
    assert auc == pytest.approx((5.0 / 8 + 7.0 / 8 + 6.0 / 8) / 3)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_class_metrics_equal_scikit_learns(classes):
    random = np.random.default_rng(classes)
    labels = random.permutation(np.arange(60) % classes)
    # Rounded, so that there are ties.
    scores = (random.dirichlet(np.ones(classes), 60) * 8).round() + 0.5
    probabilities = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    probabilities[:, -1] = 1 - probabilities[:, :-1].sum(axis=1)
    predicted = probabilities.argmax(axis=1)
    predicted_scores = probabilities[:, 1] if classes == 2 else probabilities
    found = measure.Measurement(np.zeros(60), probabilities, labels).class_metrics()
    words = {"average": "macro", "zero_division": 0}
    assert found[0] == pytest.approx(sklearn.metrics.precision_score(labels, predicted, **words), abs=1e-12)
    assert found[1] == pytest.approx(sklearn.metrics.recall_score(labels, predicted, **words), abs=1e-12)
    area = sklearn.metrics.roc_auc_score(labels, predicted_scores, multi_class="ovr")
    assert found[2] == pytest.approx(area, abs=1e-12)


def test_the_area_under_the_curve_is_undefined_where_a_class_is_absent():
    probabilities = np.full((2, 3), 1 / 3, np.float32)
    precision, _, auc = measure.Measurement(np.zeros(2), probabilities, np.array([0, 1])).class_metrics()
    assert np.isfinite(precision)
    assert np.isnan(auc)


def test_class_metrics_of_a_network_gone_wrong_are_undefined():
    probabilities = np.full((3, 3), np.nan, np.float32)
    assert np.isnan(measure.Measurement(np.zeros(3), probabilities, np.arange(3)).class_metrics()).all()


def test_the_area_under_the_curve_of_two_classes_is_that_of_the_second():
    second = np.array([0.1, 0.6, 0.4, 0.9], np.float32)
    probabilities = np.stack([1 - second, second], axis=1)
    found = measure.Measurement(np.zeros(4), probabilities, np.array([0, 0, 1, 1])).class_metrics()
    assert found == pytest.approx((0.5, 0.5, 3 / 4))


FORTY = np.arange(40)


@pytest.mark.parametrize("batch", [7, 10, 64])
def test_measuring_in_batches_equals_measuring_at_once(monkeypatch, digits, batch):
    model = build(NETWORKS["dense"], digits.shape.input_shape, 10)
    at_once = measure.Gauge(model, digits, FORTY).measure()
    monkeypatch.setattr(measure, "BATCH", batch)
    in_batches = measure.Gauge(model, digits, FORTY).measure()
    assert len(in_batches.losses) == 40
    assert in_batches.losses == pytest.approx(at_once.losses, rel=1e-5)
    assert in_batches.probabilities == pytest.approx(at_once.probabilities, abs=1e-6)
    assert (in_batches.labels == digits.y[FORTY]).all()


@pytest.mark.parametrize(("numbers", "at_once"), [(64 * 7, 7), (63, 1), (2**21, 40)])
def test_large_images_are_measured_in_smaller_batches(monkeypatch, digits, numbers, at_once):
    monkeypatch.setattr(measure, "NUMBERS", numbers)
    taken = []
    take = type(digits.x).take

    def counting(samples, rows):
        taken.append(len(rows))
        return take(samples, rows)

    monkeypatch.setattr(type(digits.x), "take", counting)
    model = build(NETWORKS["plain"], digits.shape.input_shape, 10)
    measure.Gauge(model, digits, FORTY)
    assert set(taken) == {at_once}


def test_a_gauge_follows_the_models_weights(digits):
    model = build(NETWORKS["plain"], digits.shape.input_shape, 10)
    gauge = measure.Gauge(model, digits, FORTY)
    gauge.measure()
    model.set_weights([np.zeros_like(weights) for weights in model.get_weights()])
    assert gauge.measure().losses == pytest.approx(np.log(10), rel=1e-5)
