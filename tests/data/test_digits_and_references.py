from dataclasses import replace
from unittest import mock

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from sklearn.linear_model import LogisticRegression

from archsearch.data.dataset import Dataset, Samples
from archsearch.data.references import BATCH, _averaging, class_frequencies, linear_model, summarise
from archsearch.data.shapes import DataShape, data_shape
from archsearch.data.sources import load
from archsearch.data.splits import split
from archsearch.errors import DataError
from archsearch.space.data_words import Data

FIT = LogisticRegression.fit


@pytest.fixture(scope="module")
def digits():
    return load(Data(source="digits"))


def everything(dataset):
    return dataset.x.take(np.arange(len(dataset.x)))


def test_digits_are_images_between_0_and_1_of_the_shape_known_beforehand(digits):
    assert digits.shape == data_shape(Data(source="digits"))
    x = everything(digits)
    assert x.shape == (1797, *digits.shape.input_shape)
    assert x.dtype == np.float32
    assert (x.min(), x.max()) == (0, 1)
    assert set(digits.y) == set(range(len(digits.shape.classes)))


def test_data_have_one_fingerprint_that_changes_with_their_split(digits):
    assert load(Data(source="digits")).fingerprint == digits.fingerprint
    assert load(Data(source="digits", split_seed=1)).fingerprint != digits.fingerprint


def test_the_digits_of_earlier_versions_are_the_digits_of_this_one(digits):
    assert digits.fingerprint == "938a4cf22583b2f4"


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
    flat, split = everything(digits).reshape(len(digits.x), -1), digits.split
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


@pytest.mark.parametrize(("weights", "balanced"), [("balanced", True), ({"8": 3}, False), (None, False)])
def test_a_summary_knows_whether_the_data_weigh_classes_equally(weights, balanced):
    assert summarise(load(Data(source="digits", class_weights=weights)), "digits").balanced is balanced


def test_a_summary_says_what_loading_noted_what_was_unreadable_and_what_the_audit_found(digits):
    told = replace(digits, notes=("3 images were resized",), unreadable=("a.png: broken",))
    assert summarise(told, "x", ("a leak",)).warnings == (
        "3 images were resized", "1 file could not be read and was left out: a.png: broken", "a leak",
    )  # fmt: skip
    many = replace(digits, unreadable=tuple(f"{letter}.png: broken" for letter in "abcde"))
    assert summarise(many, "x").warnings == (
        "5 files could not be read and were left out: a.png: broken; b.png: broken; c.png: broken; "
        "and 2 more",
    )


def made_up(images, labels):
    parts = split(labels, 0.25, 0.25, 0)
    shape = DataShape(images.shape[1:], tuple(map(str, np.unique(labels))))
    return Dataset(shape, Samples(images, 1 / 255), labels, parts, "made up")


@pytest.mark.parametrize(("shape", "inputs"), [((64, 48, 1), 32 * 32), ((40, 50, 3), 18 * 18 * 3)])
def test_the_linear_model_sees_large_images_shrunk_to_1024_numbers(shape, inputs):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)
    images = rng.integers(0, 100, (120, *shape), np.uint8)
    images[labels == 1, : shape[0] // 2] += 100
    reference = linear_model(made_up(images, labels))
    assert reference.parameters == inputs + 1
    assert reference.val_accuracy == 1


@given(st.integers(1, 200), st.integers(1, 32))
def test_shrinking_averages_the_area_that_each_pixel_covers(side, pixels):
    weights = _averaging(side, min(side, pixels))
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert weights.sum(axis=0) == pytest.approx(min(side, pixels) / side, abs=1e-5)


def test_the_linear_model_never_asks_for_all_samples_at_once(digits):
    asked = []

    class Watched(Samples):
        def take(self, indices):
            asked.append(len(indices))
            return Samples.take(self, indices)

    linear_model(replace(digits, x=Watched(digits.x.stored)))
    assert max(asked) == BATCH


def test_the_linear_model_draws_20000_of_more_training_samples_with_every_class():
    labels = np.arange(50_000) % 2
    features = np.random.default_rng(0).normal(size=(50_000, 2)).astype(np.float32) + labels[:, None]
    shape = DataShape((2,), ("0", "1"))
    dataset = Dataset(shape, Samples(features), labels, split(labels, 0.2, 0.2, 0), "made up")
    fitted = []
    with mock.patch.object(LogisticRegression, "fit", autospec=True) as fit:
        fit.side_effect = lambda model, x, y: (fitted.append(len(y)), FIT(model, x, y))[1]
        linear_model(dataset)
    assert fitted == [20_000]


def test_the_linear_model_knows_every_class_of_many_samples():
    labels = np.arange(200_000) % 2 * 2
    labels[:3] = 1
    features = np.random.default_rng(0).normal(size=(200_000, 2)).astype(np.float32) + labels[:, None]
    shape = DataShape((2,), ("0", "1", "2"))
    fitted = []
    with mock.patch.object(LogisticRegression, "fit", autospec=True) as fit:
        fit.side_effect = lambda model, x, y: (fitted.append(set(y)), FIT(model, x, y))[1]
        reference = linear_model(
            Dataset(shape, Samples(features), labels, split(labels, 0.2, 0.2, 0), "made")
        )
    assert fitted == [{0, 1, 2}]
    assert reference.val_accuracy > 0.8


def test_a_class_that_the_linear_model_does_not_know_has_no_probability():
    labels = np.repeat([0, 1, 2], 40)
    features = labels[:, None].astype(np.float32)
    parts = split(labels, 0.25, 0.25, 0)
    without = parts._replace(train=parts.train[labels[parts.train] != 1])
    reference = linear_model(Dataset(DataShape((1,), tuple("012")), Samples(features), labels, without, "x"))
    assert reference.val_accuracy == pytest.approx(2 / 3, abs=0.01)


def test_the_linear_model_takes_images_of_very_many_channels():
    labels = np.repeat([0, 1], 30)
    images = np.random.default_rng(0).integers(0, 100, (60, 2, 2, 1100), np.uint8)
    assert linear_model(made_up(images, labels)).parameters == 1101
