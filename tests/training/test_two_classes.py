import keras
import numpy as np
import pytest

from archsearch.architecture import Architecture, ConvBlock, DenseBlock
from archsearch.models import build
from archsearch.records import Status
from archsearch.training import measure

pytestmark = pytest.mark.slow

NETWORK = Architecture("cnn", (DenseBlock(16, 0.3, l2=1e-3),), (ConvBlock(8, batch_norm=True),))


@pytest.fixture(scope="module")
def trained(parity, trained_once, tmp_path_factory):
    """A training on two classes, and its saved model as Keras loads it."""
    folder = tmp_path_factory.mktemp("parity")
    run = trained_once(NETWORK, parity, folder)
    assert run.status is Status.COMPLETED, run.reason
    return run, keras.saving.load_model(folder / run.model)


def evaluated(model, dataset, samples):
    """Keras' own mean loss, penalties taken off."""
    model.compile(loss="binary_crossentropy", metrics=["accuracy", keras.metrics.AUC()], jit_compile=False)
    loss, accuracy, auc = model.evaluate(dataset.x.take(samples), dataset.y[samples], verbose=0)
    return loss - sum(float(penalty) for penalty in model.losses), accuracy, auc


def test_losses_of_two_classes_equal_keras_evaluate(trained, parity):
    run, model = trained
    loss, accuracy, auc = evaluated(model, parity, parity.split.val)
    assert run.delivered.val_loss == pytest.approx(loss, rel=1e-5)
    assert run.delivered.val_accuracy == pytest.approx(accuracy, abs=1e-6)
    assert run.delivered.auc == pytest.approx(auc, abs=0.01)  # Keras takes 200 thresholds, not all
    loss, accuracy, _ = evaluated(model, parity, parity.split.train_eval)
    assert run.delivered.train_loss_eval == pytest.approx(loss, rel=1e-5)
    assert run.delivered.accuracy == pytest.approx(accuracy, abs=1e-6)


def test_probabilities_of_both_classes_come_from_the_one_output(trained, parity):
    run, model = trained
    assert model.output.shape == (None, 1)
    assert run.probabilities.shape == (len(parity.split.val), 2)
    assert run.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-6)
    predicted = model.predict(parity.x.take(parity.split.val), verbose=0)[:, 0]
    assert run.probabilities[:, 1] == pytest.approx(predicted, abs=1e-5)


@pytest.mark.parametrize("logit", [-60.0, -20.0, 20.0, 60.0])
def test_a_saturated_sigmoid_loses_what_keras_evaluate_says(parity, logit):
    model = build(Architecture("dense"), parity.shape.input_shape, 2)
    kernel, bias = model.get_weights()
    model.set_weights([np.zeros_like(kernel), np.full_like(bias, logit)])
    samples = parity.split.val
    losses = measure.Gauge(model, parity, samples).measure().losses
    assert losses.mean() == pytest.approx(evaluated(model, parity, samples)[0], rel=1e-5)
    if keras.backend.backend() == "tensorflow":  # it looks behind the sigmoid; others clip it
        assert losses.max() == pytest.approx(abs(logit), rel=1e-5)


def test_a_model_with_a_softmax_over_two_classes_is_measured_as_such(parity):
    inputs = keras.Input(parity.shape.input_shape)
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(inputs))
    found = measure.Gauge(keras.Model(inputs, outputs), parity, parity.split.val).measure()
    chosen = found.probabilities[np.arange(len(found.labels)), found.labels]
    assert found.losses == pytest.approx(-np.log(chosen), rel=1e-4)
