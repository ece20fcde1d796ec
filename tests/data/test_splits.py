import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from archsearch.data.splits import split

LABELS = np.repeat(np.arange(4), (100, 60, 60, 30))


few = settings(max_examples=30, deadline=None)


def shares(indices):
    return np.bincount(LABELS[indices], minlength=4) / len(indices)


@few
@given(st.floats(0.1, 0.45), st.floats(0.1, 0.4), st.integers(0, 100))
def test_every_sample_serves_exactly_one_of_training_validation_and_test(validation, test, seed):
    parts = split(LABELS, validation, test, seed)
    assert np.array_equal(np.sort(np.concatenate(parts[:3])), np.arange(len(LABELS)))


@few
@given(st.floats(0.1, 0.45), st.floats(0.1, 0.4), st.integers(0, 100))
def test_parts_are_as_large_as_asked(validation, test, seed):
    parts = split(LABELS, validation, test, seed)
    assert len(parts.val) == round(validation * len(LABELS))
    assert len(parts.test) == round(test * len(LABELS))


@few
@given(st.floats(0.1, 0.45), st.floats(0.1, 0.4), st.integers(0, 100))
def test_the_measured_part_of_training_lies_in_it_and_is_about_as_large_as_validation(validation, test, seed):
    parts = split(LABELS, validation, test, seed)
    assert set(parts.train_eval) <= set(parts.train)
    expected = min(len(parts.val), len(parts.train))
    assert expected <= len(parts.train_eval) < expected + 4


@few
@given(st.integers(0, 100))
def test_classes_keep_their_shares_in_every_part(seed):
    parts = split(LABELS, 0.2, 0.2, seed)
    for indices in (parts.train, parts.val, parts.test, parts.train_eval):
        assert shares(indices) == pytest.approx(np.bincount(LABELS) / len(LABELS), abs=0.02)


@few
@given(st.floats(0.1, 0.45), st.integers(0, 100))
def test_the_halves_of_validation_are_of_one_size_and_alike(validation, seed):
    parts = split(LABELS, validation, 0.2, seed)
    first, second = parts.val[parts.val_half], parts.val[~parts.val_half]
    assert abs(len(first) - len(second)) <= 1
    assert np.abs(np.bincount(LABELS[first]) - np.bincount(LABELS[second])).max() <= 2


def test_a_seed_gives_its_split_again_and_another_seed_another():
    first, again, other = (split(LABELS, 0.2, 0.2, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.val, other.val)


@pytest.mark.parametrize(
    ("labels", "validation"), [([0, 0, 0, 1], 0.25), ([0, 1] * 3, 0.2), ([0, 1] * 10, 0.01)]
)
def test_too_few_samples_of_a_class_are_refused(labels, validation):
    with pytest.raises(ValueError, match=r"class|size"):
        split(np.array(labels), validation, 0.2, 0)
