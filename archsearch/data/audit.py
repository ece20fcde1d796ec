"""What is wrong with a data set before anything is trained on it.

A leak between train and validation makes every curve look good and means nothing; so leaks are errors, and
the rest are warnings. `audit` is a pure function of the data set; its findings don't depend on the order of
samples.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from archsearch.data.dataset import Dataset
from archsearch.data.findings import DataFinding, Kind, examples, number
from archsearch.data.leaks import Places, crossing_groups, duplicates
from archsearch.data.references import class_frequencies
from archsearch.diagnosis.rules import SmallValidationSet
from archsearch.diagnosis.wording import percent
from archsearch.errors import DataError
from archsearch.records import Reference
from archsearch.space.data_words import PARTS

Counts = Mapping[str, tuple[int, ...]]  # of each class, by split

LEAST_VALIDATION = SmallValidationSet().least
"""Validation sets below are too small to judge by: the number of rule AS703, for its reason."""

IMBALANCE = 2.0
"""Largest class : smallest class in train from which accuracy is a poor guide: of two classes, always
predicting the larger is right two times in three."""

SHIFT = 0.1
"""Largest difference of a class's share between train and val or test. What always predicting it scores
differs by as much: 10 percentage points are more than most architectures differ by."""

SHIFT_ERRORS = 3.0
"""Of a share in val or test, which a difference must exceed too: chance alone does so 1 time in 370."""

EXAMPLE_ACCURACY = 0.8  # whose interval says how far a validation set can be trusted

NORMAL_95 = 1.959964  # two-sided quantile of the normal distribution

REMEDIES = {
    Kind.EXACT_LEAK: "Remove the copies from one side.",
    Kind.GROUP_LEAK: "Move each group to one side; if numbering restarts in a split, say which splits share "
    "numbers: `groups: {pattern: …, across: [train, val]}`.",
}


@dataclass(frozen=True, slots=True)
class Audit:
    """A data set's counts and faults.

    Attributes
    ----------
    classes : tuple of str
    counts : mapping of str to tuple of int
        Samples of each class in ``"train"``, ``"val"`` and ``"test"``.
    findings : tuple of DataFinding
        Errors first.
    baseline : Reference
        Always predicting train's class frequencies: its validation accuracy is what always predicting the
        largest class scores, its loss the cross-entropy of the frequencies.
    noise : str
        How far an accuracy on the validation set can be trusted, a sentence.
    notes : tuple of str
        What was converted while loading.
    """

    classes: tuple[str, ...]
    counts: Counts
    findings: tuple[DataFinding, ...]
    baseline: Reference
    noise: str
    notes: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[DataFinding, ...]:
        """What forbids a search."""
        return tuple(finding for finding in self.findings if finding.is_error)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The other findings as sentences, for the report and for MLflow."""
        return tuple(finding.sentence for finding in self.findings if not finding.is_error)

    @property
    def rows(self) -> list[tuple[str, int, int, int]]:
        """Class, train, val, test; the last row is their sum, named ``"all"``."""
        train, val, test = (self.counts[part] for part in PARTS)
        rows = list(zip(self.classes, train, val, test, strict=True))
        return [*rows, ("all", sum(train), sum(val), sum(test))]


def audit(dataset: Dataset, *, allow_leaks: bool = False) -> Audit:
    """Look for faults in `dataset`.

    Parameters
    ----------
    dataset : Dataset
        With at least one training and one validation sample.
    allow_leaks : bool
        Make exact leaks and crossing groups warnings rather than errors.
    """
    counts = _counts(dataset)
    places = Places.of(dataset)
    baseline = class_frequencies(dataset)
    findings = [
        *_unreadable(dataset),
        *duplicates(places, dataset, allow_leaks),
        *crossing_groups(places, dataset, allow_leaks),
        *_small_validation(sum(counts["val"])),
        *_missing_classes(dataset.shape.classes, counts),
        *_imbalance(dataset.shape.classes, counts["train"], baseline),
        *_shifts(dataset.shape.classes, counts),
    ]
    order = list(Kind)
    findings.sort(key=lambda finding: (not finding.is_error, order.index(finding.kind)))
    noise = noise_floor(sum(counts["val"]))
    return Audit(dataset.shape.classes, counts, tuple(findings), baseline, noise, dataset.notes)


def require_clean(found: Audit) -> None:
    """Refuse data with errors.

    Raises
    ------
    DataError
        Naming every error and what to do about it.
    """
    if found.errors:
        lines = "\n".join(f"- {finding.sentence} {REMEDIES[finding.kind]}" for finding in found.errors)
        raise DataError(
            "data: the splits share samples or groups, so that what is measured would mean nothing:\n"
            f"{lines}\nOr write `allow_leaks: true` under `data` to search all the same."
        )


def noise_floor(samples: int) -> str:
    """How far an accuracy on `samples` can be trusted, in words."""
    low, high = wilson(EXAMPLE_ACCURACY, samples)
    return (
        f"{number(samples, 'validation sample')}: an accuracy of {EXAMPLE_ACCURACY:.2f} on them says that "
        f"the true one lies between {low:.2f} and {high:.2f} (95 %)."
    )


def wilson(share: float, samples: int) -> tuple[float, float]:
    """95 % confidence interval of a share seen in `samples`.

    Wilson's (1927, J. Am. Stat. Assoc. 22(158)). Unlike ``share ± 1.96 √(share (1 - share) / samples)`` it
    stays within 0 and 1 and covers what it promises in small samples too.
    """
    weight = NORMAL_95**2 / samples
    centre = (share + weight / 2) / (1 + weight)
    reach = NORMAL_95 * math.sqrt(share * (1 - share) / samples + weight / (4 * samples)) / (1 + weight)
    return centre - reach, centre + reach


def _counts(dataset: Dataset) -> Counts:
    size = len(dataset.shape.classes)
    labels = {part: dataset.y[getattr(dataset.split, part)] for part in PARTS}
    return {part: tuple(np.bincount(y, minlength=size).tolist()) for part, y in labels.items()}


def _unreadable(dataset: Dataset) -> list[DataFinding]:
    files = sorted(dataset.unreadable)
    if not files:
        return []
    verb = "was" if len(files) == 1 else "were"
    sentence = f"{number(len(files), 'file')} could not be read and {verb} left out: {examples(files)}."
    return [DataFinding(Kind.UNREADABLE, sentence, samples=tuple((file,) for file in files))]


def _small_validation(samples: int) -> list[DataFinding]:
    if samples >= LEAST_VALIDATION:
        return []
    small = f"The validation set is too small to judge by (fewer than {LEAST_VALIDATION})."
    return [DataFinding(Kind.SMALL_VALIDATION, f"{small} {noise_floor(samples)}")]


def _missing_classes(classes: Sequence[str], counts: Counts) -> list[DataFinding]:
    missing = [
        f"{name} in {part}"
        for part in PARTS
        for name, count in zip(classes, counts[part], strict=True)
        # A test set may be missing altogether.
        if count == 0 and sum(counts[part]) > 0
    ]
    return [DataFinding(Kind.MISSING_CLASS, f"No sample of {examples(missing)}.")] if missing else []


def _imbalance(classes: Sequence[str], counts: Sequence[int], baseline: Reference) -> list[DataFinding]:
    largest, smallest = int(np.argmax(counts)), int(np.argmin(counts))
    if not counts[smallest] or counts[largest] < IMBALANCE * counts[smallest]:
        return []
    sentence = (
        f"Classes differ in size: train has {counts[largest]} samples of {classes[largest]} and "
        f"{counts[smallest]} of {classes[smallest]} ({counts[largest] / counts[smallest]:.1f} : 1); "
        f"always predicting {classes[largest]} has a validation accuracy of {baseline.val_accuracy:.3f}."
    )
    return [DataFinding(Kind.IMBALANCE, sentence)]


def _shifts(classes: Sequence[str], counts: Counts) -> list[DataFinding]:
    total = sum(counts["train"])
    shifted = []
    for part in PARTS[1:]:
        size = sum(counts[part])
        for name, expected, seen in zip(classes, counts["train"], counts[part], strict=True):
            if size and _is_shifted(expected / total, seen / size, size):
                before, here = percent(expected / total), percent(seen / size)
                shifted.append(f"{name} is {before} of train and {here} of {part}")
    if not shifted:
        return []
    return [DataFinding(Kind.SHIFT, f"Class shares differ between splits: {examples(shifted)}.")]


def _is_shifted(expected: float, seen: float, size: int) -> bool:
    error = math.sqrt(expected * (1 - expected) / size)
    return abs(seen - expected) > max(SHIFT, SHIFT_ERRORS * error)
