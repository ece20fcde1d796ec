import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from archsearch.data.references import class_frequencies, linear_model, summarise
from archsearch.data.shapes import data_shape
from archsearch.data.sources import load
from archsearch.errors import DataError
from archsearch.space.schema import Data


@pytest.fixture(scope="module")
def digits():
    return load(Data(source="digits"))


def test_digits_are_images_between_0_and_1_of_the_shape_known_beforehand(digits):
    assert digits.shape == data_shape(Data(source="digits"))
    assert digits.x.shape == (1797, *digits.shape.input_shape)
    assert digits.x.dtype == np.float32
    assert (digits.x.min(), digits.x.max()) == (0, 1)
    assert set(digits.y) == set(range(len(digits.shape.classes)))


def test_data_have_one_fingerprint_that_changes_with_their_split(digits):
    assert load(Data(source="digits")).fingerprint == digits.fingerprint
    assert load(Data(source="digits", split_seed=1)).fingerprint != digits.fingerprint


@pytest.mark.parametrize(
    "words", [{"validation": 0.001}, {"test": 0.001}, {"validation": 0.499, "test": 0.499}]
)
def test_parts_too_small_for_every_class_are_refused(words):
    with pytest.raises(DataError, match=r"^data: digits can't be split as asked: "):
        load(Data(source="digits", **words))


@pytest.mark.parametrize("validation", [0.397, 0.398, 0.4, 0.41])
def test_validation_may_be_about_as_large_as_training(validation):
    parts = load(Data(source="digits", validation=validation)).split
    assert len(parts.train_eval) == pytest.approx(min(len(parts.val), len(parts.train)), abs=10)


def test_class_frequencies_lose_what_they_must(digits):
    train, val = digits.y[digits.split.train], digits.y[digits.split.val]
    frequencies = np.array([np.mean(train == digit) for digit in range(10)])
    reference = class_frequencies(digits)
    assert reference.val_loss == pytest.approx(np.mean([-np.log(frequencies[label]) for label in val]))
    assert reference.val_accuracy == pytest.approx(np.mean(val == frequencies.argmax()))
    assert reference.gap == pytest.approx(reference.val_loss - reference.train_loss_eval)


def test_the_linear_model_is_logistic_regression_measured_on_the_networks_samples(digits):
    flat, split = digits.x.reshape(len(digits.x), -1), digits.split
    fitted = LogisticRegression(max_iter=1_000).fit(flat[split.train], digits.y[split.train])
    reference = linear_model(digits)

    def loss(part):
        return -fitted.predict_log_proba(flat[part])[np.arange(len(part)), digits.y[part]].mean()

    assert reference.val_loss == pytest.approx(loss(split.val))
    assert reference.train_loss_eval == pytest.approx(loss(split.train_eval))
    assert reference.val_accuracy == pytest.approx(fitted.score(flat[split.val], digits.y[split.val]))
    assert reference.parameters == 64 * 10 + 10


def test_a_summary_counts_the_split_and_knows_the_entropy_of_the_classes(digits):
    summary = summarise(digits, "digits")
    assert (summary.n_train, summary.n_val, summary.n_test) == (1079, 359, 359)
    assert summary.n_train_eval == 359
    assert summary.prior_entropy == pytest.approx(np.log(10), abs=0.01)
    assert summary.fingerprint == digits.fingerprint
