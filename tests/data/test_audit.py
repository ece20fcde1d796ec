from pathlib import Path

import numpy as np
import pytest
from audited_data import dataset, reencoded, resized, textures
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from archsearch.data.audit import (
    IMBALANCE,
    LEAST_VALIDATION,
    SHIFT,
    SHIFT_ERRORS,
    audit,
    require_clean,
    wilson,
)
from archsearch.data.findings import Kind
from archsearch.data.near_duplicates import LEAST_CORRELATION, MOST_BITS
from archsearch.errors import DataError

PARTS = ["train"] * 240 + ["val"] * 120


@pytest.fixture(scope="module")
def images():
    return textures(360)


def found(audited, kind):
    """The finding of a kind."""
    return next(finding for finding in audited.findings if finding.kind == kind)


def kinds(audited):
    return {finding.kind for finding in audited.findings}


def test_data_without_a_fault_have_no_finding(images):
    assert audit(dataset(images, PARTS)).findings == ()


def test_counts_are_of_every_class_in_every_split(images):
    labels = [0] * 100 + [1] * 260
    parts = ["train"] * 90 + ["test"] * 30 + ["val"] * 240
    audited = audit(dataset(images, parts, labels))
    assert audited.rows == [("cat", 90, 0, 10), ("dog", 0, 240, 20), ("all", 90, 240, 30)]


def test_ten_exact_copies_in_another_split_are_each_named_and_an_error(images):
    leaky = images.copy()
    leaky[240:250] = images[0:10]
    audited = audit(dataset(leaky, PARTS))
    leak = found(audited, Kind.EXACT_LEAK)
    assert audited.errors == (leak,)
    assert leak.samples == tuple((f"{i:04d}.png (train)", f"{i + 240:04d}.png (val)") for i in range(10))
    assert leak.sentence.startswith("10 pairs of identical images across splits: 0000.png (train) = 0240.png")
    assert leak.sentence.endswith("; and 5 more.")
    assert kinds(audited) == {Kind.EXACT_LEAK}


def test_leaks_that_are_allowed_are_warnings(images):
    leaky = images.copy()
    leaky[240] = images[0]
    groups = np.array(["g"] + [""] * 239 + ["g"] + [""] * 119)
    audited = audit(dataset(leaky, PARTS, groups=groups), allow_leaks=True)
    assert audited.errors == ()
    assert kinds(audited) == {Kind.EXACT_LEAK, Kind.GROUP_LEAK}
    assert len(audited.warnings) == 2
    require_clean(audited)


def test_data_with_errors_are_refused_with_every_error_and_what_to_do(images):
    leaky = images.copy()
    leaky[240] = images[0]
    groups = np.array(["p7"] * 2 + [""] * 238 + ["p7"] + [""] * 119)
    with pytest.raises(DataError) as refused:
        require_clean(audit(dataset(leaky, PARTS, groups=groups)))
    text = str(refused.value)
    assert "0000.png (train) = 0240.png (val)" in text
    assert "1 group is in more than one split: p7 (2 in train, 1 in val)." in text
    assert "Remove the copies from one side." in text
    assert "across: [train, val]" in text
    assert "allow_leaks: true" in text


def test_exact_copies_within_a_split_are_a_warning_that_says_when_labels_contradict(images):
    doubled = images.copy()
    doubled[10], doubled[21] = images[0], images[20]  # labels alternate: 20 and 21 differ
    audited = audit(dataset(doubled, PARTS))
    duplicate = found(audited, Kind.EXACT_DUPLICATE)
    assert not duplicate.is_error
    assert duplicate.sentence == (
        "2 pairs of identical images within a split, 1 of them with labels that contradict each other: "
        "0020.png (train) [cat] = 0021.png (train) [dog]; 0000.png (train) = 0010.png (train)."
    )


def test_many_identical_images_are_one_set(images):
    same = images.copy()
    same[50:290] = images[0]
    audited = audit(dataset(same, PARTS))
    leak = found(audited, Kind.EXACT_LEAK)
    assert len(leak.samples) == 1
    assert len(leak.samples[0]) == 241
    assert (
        "0000.png (train) [cat] = 0240.png (val) [cat] = 0050.png (train) [cat] = 238 more." in leak.sentence
    )
    assert kinds(audited) == {Kind.EXACT_LEAK}


@pytest.mark.parametrize(
    "copied",
    [
        lambda image: reencoded(image, 60),
        lambda image: reencoded(image, 85),
        lambda image: resized(image, 0.8),
        lambda image: image[:, ::-1],
        lambda image: reencoded(image[:, ::-1], 75),
    ],
    ids=["quality 60", "quality 85", "80 % of the size", "mirrored", "mirrored at quality 75"],
)
def test_copies_that_were_changed_are_each_named_as_near_duplicates(images, copied):
    leaky = images.copy()
    for number in range(10):
        leaky[240 + number] = copied(images[number])
        leaky[100 + number] = copied(images[20 + number])
    audited = audit(dataset(leaky, PARTS))
    across = [(f"{i:04d}.png (train)", f"{i + 240:04d}.png (val)") for i in range(10)]
    within = [(f"{i + 20:04d}.png (train)", f"{i + 100:04d}.png (train)") for i in range(10)]
    assert found(audited, Kind.NEAR_LEAK).samples == tuple(across)
    assert found(audited, Kind.NEAR_DUPLICATE).samples == tuple(within)
    assert kinds(audited) == {Kind.NEAR_LEAK, Kind.NEAR_DUPLICATE}
    assert audited.errors == ()


def test_colour_images_are_compared_too():
    colour = np.concatenate([textures(360, seed=seed) for seed in range(3)], axis=3)
    colour[240] = colour[0, :, ::-1]
    audited = audit(dataset(colour, PARTS))
    assert found(audited, Kind.NEAR_LEAK).samples == (("0000.png (train)", "0240.png (val)"),)


def test_an_exact_copy_is_not_listed_as_near_again_and_a_near_set_has_one_of_each_exact_set(images):
    doubled = images.copy()
    doubled[1] = images[0]
    doubled[241] = images[0]
    doubled[2] = reencoded(images[0], 70)
    audited = audit(dataset(doubled, PARTS))
    assert found(audited, Kind.EXACT_LEAK).samples == (
        ("0000.png (train)", "0241.png (val)", "0001.png (train)"),
    )
    # The copy that shows that the near ones, too, are on two sides.
    assert found(audited, Kind.NEAR_LEAK).samples == (("0002.png (train)", "0241.png (val)"),)


def test_images_of_one_grey_are_not_near_duplicates(images):
    grey = images.copy()
    grey[:20] = np.arange(20, dtype=np.uint8)[:, np.newaxis, np.newaxis, np.newaxis] * 10
    assert audit(dataset(grey, PARTS)).findings == ()


def test_digits_have_no_near_duplicates():
    digits = load_digits()
    parts = ["train"] * 1200 + ["val"] * 597
    audited = audit(dataset(digits.images[..., np.newaxis] / 16, parts, digits.target, tuple("0123456789")))
    assert audited.findings == ()


def test_small_images_are_found_when_they_are_mirrored():
    small = textures(360, side=20)
    small[240] = small[0, :, ::-1]
    audited = audit(dataset(small, PARTS))
    assert found(audited, Kind.NEAR_LEAK).samples == (("0000.png (train)", "0240.png (val)"),)


def test_rows_of_a_table_are_compared_exactly():
    rows = np.random.default_rng(0).normal(size=(360, 7)).astype(np.float32)
    rows[240] = rows[0]
    rows[241] = rows[1] * 1.0001
    audited = audit(dataset(rows, PARTS, names=[f"row {number}" for number in range(1, 361)]))
    assert found(audited, Kind.EXACT_LEAK).samples == (("row 1 (train)", "row 241 (val)"),)
    assert "1 pair of identical rows across splits" in audited.errors[0].sentence
    assert kinds(audited) == {Kind.EXACT_LEAK}


def test_samples_without_names_are_numbered():
    rows = np.zeros((200, 2), np.float32)
    rows[:, 0] = np.arange(200)
    rows[150] = rows[3]
    audited = audit(dataset(rows, ["train"] * 100 + ["val"] * 100, names=()))
    assert audited.errors[0].samples == (("sample 3 (train)", "sample 150 (val)"),)


def test_a_group_in_two_splits_is_an_error_and_an_empty_one_is_none(images):
    groups = np.array([f"person{number // 2}" for number in range(360)])
    groups[5] = "person121"
    groups[[7, 250]] = ""
    audited = audit(dataset(images, PARTS, groups=groups))
    crossing = found(audited, Kind.GROUP_LEAK)
    assert audited.errors == (crossing,)
    assert crossing.samples == (("0005.png (train)", "0242.png (val)", "0243.png (val)"),)
    assert crossing.sentence == "1 group is in more than one split: person121 (1 in train, 2 in val)."


def test_names_below_a_split_folder_do_not_say_the_split_twice(images):
    leaky = images.copy()
    leaky[240] = images[0]
    names = [f"{part}/cat/{number}.png" for number, part in enumerate(PARTS)]
    leak = audit(dataset(leaky, PARTS, names=names)).errors[0]
    assert leak.samples == (("train/cat/0.png", "val/cat/240.png"),)


def test_files_that_could_not_be_read_are_named(images):
    broken = ("b.png: truncated", "a.png: not an image")
    audited = audit(dataset(images, PARTS, unreadable=broken))
    assert audited.warnings == (
        "2 files could not be read and were left out: a.png: not an image, b.png: truncated.",
    )


def test_sixteen_validation_images_are_too_small_to_judge_by_and_the_noise_is_said_in_words(images):
    audited = audit(dataset(images, ["train"] * 344 + ["val"] * 16))
    assert audited.noise == (
        "16 validation samples: an accuracy of 0.80 on them says that the true one lies between "
        "0.56 and 0.93 (95 %)."
    )
    assert audited.warnings == (
        f"The validation set is too small to judge by (fewer than 100). {audited.noise}",
    )


def test_the_interval_is_wilsons():
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81 of 263.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@given(st.floats(0, 1), st.integers(1, 10**6))
def test_the_interval_holds_the_share_and_stays_within_0_and_1(share, samples):
    low, high = wilson(share, samples)
    assert -1e-9 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1 + 1e-9


def test_imbalance_says_what_always_predicting_the_largest_class_scores(images):
    labels = [0] * 60 + [1] * 180 + [0] * 30 + [1] * 90
    audited = audit(dataset(images, PARTS, labels))
    assert audited.warnings == (
        "Classes differ in size: train has 180 samples of dog and 60 of cat (3.0 : 1); "
        "always predicting dog has a validation accuracy of 0.750.",
    )
    assert audited.baseline.val_accuracy == 0.75
    assert audited.baseline.val_loss == pytest.approx(-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)))


def test_class_shares_that_differ_between_splits_are_told(images):
    labels = [0] * 120 + [1] * 120 + [0] * 90 + [1] * 30
    audited = audit(dataset(images, PARTS, labels))
    assert kinds(audited) == {Kind.SHIFT}
    assert "cat is 50 % of train and 75 % of val" in audited.warnings[0]


def test_a_class_that_a_split_lacks_is_told(images):
    classes = ("cat", "dog", "eel")
    labels = [number % 3 for number in range(240)] + [number % 2 for number in range(120)]
    assert "No sample of eel in val." in audit(dataset(images, PARTS, labels, classes)).warnings


def test_notes_of_the_loader_are_kept(images):
    assert audit(dataset(images, PARTS, notes=("3 images were converted.",))).notes == (
        "3 images were converted.",
    )


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_change_the_findings(images, random):
    x = images[:120].copy()
    x[60:65] = x[0:5]
    x[65] = x[0]
    x[70:75] = x[10:15, :, ::-1]
    x[75] = reencoded(x[0], 70)
    parts = ["train"] * 62 + ["val"] * 30 + ["test"] * 28
    labels = [number % 5 % 2 for number in range(120)]
    names = [f"{number}.png" for number in range(120)]
    groups = [f"g{number % 50}" if number % 3 else "" for number in range(120)]

    def audited_in(order):
        now = dataset(
            x[order],
            [parts[i] for i in order],
            [labels[i] for i in order],
            names=[names[i] for i in order],
            groups=np.array([groups[i] for i in order]),
        )
        return audit(now)

    audited, shuffled = audited_in(list(range(120))), audited_in(random.sample(range(120), 120))
    assert len(audited.errors) == 2
    assert shuffled.findings == audited.findings
    assert shuffled.counts == audited.counts


def test_the_page_of_the_audit_names_every_kind_and_threshold():
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    assert all(f"| `{kind}` |" in page for kind in Kind)
    (side, least), (smallest, least_of_small) = LEAST_CORRELATION
    for words in (
        f"**{MOST_BITS} bits**",
        f"**{least}**",
        f"**{least_of_small}**",
        f"than\n   {side} pixels a side",
        f"Below {smallest} pixels a side",
        f"**{LEAST_VALIDATION} validation samples**",
        f"**{IMBALANCE:.0f} : 1**",
        f"**{100 * SHIFT:.0f} percentage points**",
        f"**{SHIFT_ERRORS:.0f} standard errors**",
    ):
        assert words in page, words
