"""AS702: the validation samples are easier than the training samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import Measured, Threshold, found, unknown
from archsearch.diagnosis.values import Outcome
from archsearch.diagnosis.wording import percent


@dataclass(frozen=True, slots=True)
class ValidationEasier:
    """In inference mode the train loss ended above the validation loss.

    A network can't do better on samples it never saw unless they are easier, or chance makes them so.

    Attributes
    ----------
    excess : float
        5 % of the best validation loss: curves nearer than that lie over each other.
    certainty : float
        2 standard errors of the validation loss for its number of samples, the usual 5 %.
    """

    code: ClassVar[str] = "AS702"
    title: ClassVar[str] = "Validation samples easier than training samples"
    flag: ClassVar[str] = "validation_easier_than_train"
    needs: ClassVar[tuple[str, ...]] = ("n_val", "train_loss_eval")
    excess: Threshold = 0.05
    certainty: Threshold = 2.0

    def measure(self, reading: Reading) -> Measured:
        """Flag if the train loss in inference mode is above the validation loss beyond chance."""
        error = reading.sampling_error
        if not reading.train_is_eval or error is None:
            return unknown(reading)
        excess, error = (reading.train_level - reading.val_level) / reading.scale, error / reading.scale
        above = excess >= np.maximum(self.excess, self.certainty * error)
        return found(False, above, excess=excess, sampling_error=error)

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:
        """By how much the train loss is above."""
        if outcome == "not_applicable":
            if not reading.train_is_eval:
                return "Without train_loss_eval dropout could be the cause of any difference."
            return "Without n_val any difference could be chance."
        if outcome == "ok":
            return "Train loss in inference mode is not above validation loss beyond chance."
        return (
            f"Train loss in inference mode ended {percent(evidence['excess'])} above validation loss, more "
            "than chance: the validation samples are easier."
        )
