"""AS301: the network learned nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.not_converged import NotConverged
from archsearch.diagnosis.rules.rule import Measured, Threshold, found
from archsearch.diagnosis.values import Outcome
from archsearch.diagnosis.wording import loss, percent


@dataclass(frozen=True, slots=True)
class NotLearning:
    """The losses ended where predicting the class frequencies would have put them.

    Where that loss is not known, the losses are held against their own start: a network that learned nothing
    never left it. A network that learned all it would within its first epoch looks the same, so that such
    a verdict is less certain.

    Attributes
    ----------
    skill : float
        1 − loss / prior entropy, the share of the uncertainty about the class that is gone. 5 %: less than
        what a network with one useful feature gains; class frequencies alone gain 0.
    convergence : NotConverged
        A loss that has just begun to fall is not one that never will.
    """

    code: ClassVar[str] = "AS301"
    title: ClassVar[str] = "No better than the class frequencies"
    flag: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ("prior_entropy",)
    skill: Threshold = 0.05
    convergence: NotConverged = field(default_factory=NotConverged)

    def measure(self, reading: Reading) -> Measured:
        """Fault if neither loss beats the prior entropy, or else its own start, and nothing falls."""
        prior = reading.context.prior_entropy
        if prior is None or prior <= 0:
            return self._against_start(reading)
        val_skill = 1 - reading.val_level / prior
        train_skill = 1 - reading.train_level / prior
        # A train loss measured with dropout on understates the skill: then validation alone decides.
        best_skill = np.maximum(val_skill, train_skill) if reading.train_is_eval else val_skill
        fault = (best_skill < self.skill) & ~self.convergence.falls(reading)
        return found(fault, val_skill=val_skill, train_skill=train_skill, prior_entropy=prior)

    def nothing_at(self, reading: Reading, index: int) -> bool:
        """Whether the weights of one epoch know no more of validation samples than the class frequencies."""
        prior = reading.context.prior_entropy
        return prior is not None and bool(1 - reading.val_trend[..., index] / prior < self.skill)

    def _against_start(self, reading: Reading) -> Measured:
        # Of both losses, as the train loss of a first epoch may begin anywhere.
        first = reading.val[..., 0]
        val_fall, train_fall = first - reading.lowest_val, first - reading.train_trend.min(axis=-1)
        start = np.maximum(np.abs(first), np.finfo(float).tiny)
        fallen = np.maximum(val_fall, train_fall) / start
        fault = (fallen < self.skill) & ~self.convergence.falls(reading)
        return found(fault, val_fall=val_fall / start, train_fall=train_fall / start)

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:
        """Where the validation loss ended, and what no knowledge at all would have given."""
        level = loss(float(reading.val_level))
        if "prior_entropy" not in evidence:
            without = "Without prior_entropy the losses are held against their start"
            if outcome == "fault":
                return f"{without}: neither fell clearly below it, and validation loss ended at {level}."
            return f"{without}, and they fell clearly below it."
        if outcome == "fault":
            prior = loss(evidence["prior_entropy"])
            return (
                f"Validation loss ended at {level}, where predicting the class frequencies gives {prior}: "
                "nothing was learned."
            )
        if evidence["val_skill"] >= self.skill:
            return (
                f"Validation loss ended {percent(evidence['val_skill'])} below that of the class frequencies."
            )
        return "Validation loss is no better than class frequencies, but train loss is or still falls."
