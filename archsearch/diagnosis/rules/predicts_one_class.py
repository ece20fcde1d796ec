"""AS707: the network predicts one and the same class for every sample."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import Measured, found, unknown
from archsearch.diagnosis.values import Outcome
from archsearch.diagnosis.wording import percent


@dataclass(frozen=True, slots=True)
class PredictsOneClass:
    """Every validation sample gets the same class.

    Known from the predictions; else from an accuracy that is, at the end, the share of one class to within
    half a sample.
    """

    code: ClassVar[str] = "AS707"
    title: ClassVar[str] = "Predicts one class"
    flag: ClassVar[str] = "predicts_one_class"
    needs: ClassVar[tuple[str, ...]] = ("classes_predicted",)

    def measure(self, reading: Reading) -> Measured:
        """Flag if one class is all that is predicted."""
        context = reading.context
        if context.classes_predicted is not None:
            return found(False, context.classes_predicted == 1, classes_predicted=context.classes_predicted)
        if reading.val_accuracy is None or context.class_frequencies is None or not context.n_val:
            return unknown(reading)
        last = reading.val_accuracy[-min(reading.epochs, 3) :]
        off = np.abs(last[:, None] - np.asarray(context.class_frequencies)).max(axis=0).min()
        return found(False, off <= 0.5 / context.n_val, val_accuracy=last[-1])

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:  # noqa: ARG002
        """What shows it."""
        if outcome == "not_applicable":
            return "Without the predictions it can't be said whether they are all of one class."
        if outcome == "ok":
            return "More than one class is predicted."
        if "val_accuracy" in evidence:
            return f"Accuracy stays at {percent(evidence['val_accuracy'])}, the share of one class."
        return "Every validation sample is predicted to be of the same class."
