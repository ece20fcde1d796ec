"""AS301: the network learned nothing."""

from dataclasses import dataclass, field
from typing import ClassVar

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.not_converged import NotConverged
from archsearch.diagnosis.rules.rule import not_applicable
from archsearch.diagnosis.values import Finding
from archsearch.diagnosis.wording import loss, percent


@dataclass(frozen=True, slots=True)
class NotLearning:
    """The losses ended where predicting the class frequencies would have put them.

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
    skill: float = 0.05
    convergence: NotConverged = field(default_factory=NotConverged)

    def judge(self, reading: Reading) -> Finding:
        """Fault if neither loss beats the prior entropy and nothing falls."""
        prior = reading.context.prior_entropy
        if prior is None or prior <= 0:
            purpose = "it can't be said whether the network learned more than the class frequencies"
            return not_applicable(self, "prior_entropy", purpose)
        val_skill = 1 - reading.val_level / prior
        train_skill = 1 - reading.train_level / prior
        evidence = {"val_skill": val_skill, "train_skill": train_skill, "prior_entropy": prior}
        # A train loss measured with dropout on understates the skill: then validation alone decides.
        best_skill = max(val_skill, train_skill) if reading.train_is_eval else val_skill
        if best_skill < self.skill and not self.convergence.falls(reading):
            message = (
                f"Validation loss ended at {loss(reading.val_level)}, where predicting the class frequencies "
                f"gives {loss(prior)}: nothing was learned."
            )
            return Finding(self.code, self.title, "fault", evidence, message)
        if val_skill >= self.skill:
            message = f"Validation loss ended {percent(val_skill)} below that of the class frequencies."
        else:
            message = "Validation loss is no better than class frequencies, but train loss is or still falls."
        return Finding(self.code, self.title, "ok", evidence, message)
