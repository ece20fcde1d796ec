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
    # Of each class one sample is measured at least, and one is not.
    assert abs(len(parts.train_eval) - expected) < 4


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


GROUPED = np.array([f"person{number // 3}" for number in range(len(LABELS))])


@few
@given(st.floats(0.1, 0.4), st.floats(0.1, 0.4), st.integers(0, 100))
def test_no_group_is_on_two_sides_of_a_split(validation, test, seed):
    parts = split(LABELS, validation, test, seed, groups=GROUPED)
    assert np.array_equal(np.sort(np.concatenate(parts[:3])), np.arange(len(LABELS)))
    sides = [set(GROUPED[part]) for part in parts[:3]]
    assert sum(map(len, sides)) == len(set().union(*sides))


@few
@given(st.floats(0.1, 0.4), st.floats(0.1, 0.4), st.integers(0, 100))
def test_parts_of_whole_groups_are_about_as_large_as_asked_in_every_class(validation, test, seed):
    parts = split(LABELS, validation, test, seed, groups=GROUPED)
    for share, part in ((validation, parts.val), (test, parts.test)):
        assert len(part) / len(LABELS) == pytest.approx(share, abs=0.03)
        assert shares(part) == pytest.approx(np.bincount(LABELS) / len(LABELS), abs=0.08)


def test_groups_of_very_different_sizes_still_give_parts_as_large_as_asked():
    sizes = np.random.default_rng(0).geometric(0.02, 300)
    groups = np.repeat([f"g{number}" for number in range(300)], sizes)
    labels = np.repeat(np.arange(300) % 2, sizes)
    parts = split(labels, 0.2, 0.2, 0, groups=groups)
    assert [len(part) / len(labels) for part in parts[1:3]] == pytest.approx([0.2, 0.2], abs=0.01)


def test_the_halves_of_validation_keep_groups_whole_where_that_gives_halves():
    parts = split(LABELS, 0.4, 0.1, 0, groups=GROUPED)
    groups = GROUPED[parts.val]
    assert not set(groups[parts.val_half]) & set(groups[~parts.val_half])
    assert parts.val_half.mean() == pytest.approx(0.5, abs=0.1)


def test_the_halves_of_validation_split_groups_that_are_too_large_for_halves():
    groups = np.where(np.arange(len(LABELS)) % 3 == 0, "val", GROUPED)
    given_parts = {"train": np.flatnonzero(groups != "val"), "val": np.flatnonzero(groups == "val")}
    parts = split(LABELS, 0.2, None, 0, given_parts, groups)
    assert parts.val_half.mean() == pytest.approx(0.5, abs=0.02)


def test_samples_without_a_group_are_groups_of_their_own():
    nobody = np.full(len(LABELS), "")
    nobody[:2] = "person1"
    parts = split(LABELS, 0.2, 0.2, 0, groups=nobody)
    assert len(parts.val) == pytest.approx(50, abs=4)


def test_groups_that_leave_a_part_without_a_class_are_refused():
    groups = np.array([f"site{label}" for label in LABELS])
    with pytest.raises(ValueError, match=r"class number 0 has too few groups \(1\)"):
        split(LABELS, 0.2, 0.2, 0, groups=groups)


def test_given_splits_stay_and_those_that_are_missing_are_split_off_training():
    train, test = np.arange(0, 200), np.arange(200, 250)
    parts = split(LABELS[::-1], 0.25, 0.2, 0, {"train": train, "test": test})
    assert np.array_equal(parts.test, test)
    assert np.array_equal(np.sort(np.concatenate([parts.train, parts.val])), train)
    assert len(parts.val) == 50


def test_a_space_may_go_without_a_test_set():
    parts = split(LABELS, 0.2, None, 0)
    assert len(parts.test) == 0
    assert len(parts.train) + len(parts.val) == len(LABELS)


def test_a_given_validation_set_of_one_sample_a_class_still_has_two_halves():
    labels = np.array([0, 1] * 20 + [0, 1])
    parts = split(labels, 0.2, None, 0, {"train": np.arange(40), "val": np.array([40, 41])})
    assert parts.val_half.sum() == 1
    assert set(labels[parts.train_eval]) == {0, 1}


@few
@given(
    st.lists(st.integers(1, 12), min_size=2, max_size=4), st.lists(st.integers(1, 12), min_size=4, max_size=4)
)
def test_any_given_splits_with_every_class_can_be_measured(train_counts, val_counts):
    classes = len(train_counts)
    labels = np.concatenate(
        [np.repeat(np.arange(classes), counts) for counts in (train_counts, val_counts[:classes])]
    )
    train = np.arange(sum(train_counts))
    parts = split(labels, 0.2, None, 0, {"train": train, "val": np.arange(len(train), len(labels))})
    assert set(parts.train_eval) <= set(train)
    assert set(labels[parts.train_eval]) == set(range(classes))
    assert 0 < parts.val_half.sum() < len(parts.val)
    assert abs(2 * parts.val_half.sum() - len(parts.val)) <= 1


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


@pytest.mark.parametrize("seed", range(5))
def test_every_part_has_a_sample_of_a_class_of_three(seed):
    labels = np.arange(3_000) % 2
    labels[:3] = 2
    for validation, test in ((0.2, 0.2), (0.05, 0.05), (0.1, 0.45), (0.45, 0.1)):
        parts = split(labels, validation, test, seed)
        assert [np.bincount(labels[part], minlength=3)[2] for part in parts[:3]] == [1, 1, 1]


def test_every_part_gets_a_group_of_a_class_of_as_many_large_groups():
    labels = np.repeat([0, 1], (40, 200))
    groups = np.concatenate([np.repeat(["a", "b"], 20), [f"c{number // 4}" for number in range(200)]])
    parts = split(labels, 0.2, None, 0, groups=groups)
    assert [len(set(groups[part]) & {"a", "b"}) for part in parts[:2]] == [1, 1]
    labels = np.repeat([0, 1], (104, 200))
    groups = np.concatenate([np.repeat(["a", "b", "c"], (100, 2, 2)), groups[40:]])
    for seed in range(10):
        parts = split(labels, 0.2, 0.2, seed, groups=groups)
        assert [len(set(groups[part]) & {"a", "b", "c"}) for part in parts[:3]] == [1, 1, 1]
    with pytest.raises(ValueError, match=r"class number 0 has too few groups \(2\)"):
        split(labels, 0.2, 0.2, 0, groups=np.where(groups == "b", "c", groups))
