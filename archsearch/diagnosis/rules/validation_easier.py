"""AS702: the validation samples are easier than the training samples."""

from dataclasses import dataclass
from typing import ClassVar

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import not_applicable
from archsearch.diagnosis.values import Finding
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
    excess: float = 0.05
    certainty: float = 2.0

    def judge(self, reading: Reading) -> Finding:
        """Flag if the train loss in inference mode is above the validation loss beyond chance."""
        if not reading.train_is_eval:
            return not_applicable(self, "train_loss_eval", "dropout could be the cause of any difference")
        error = reading.sampling_error
        if error is None:
            return not_applicable(self, "n_val", "any difference could be chance")
        difference = reading.train_level - reading.val_level
        evidence = {"excess": difference / reading.scale, "sampling_error": error / reading.scale}
        if difference < max(self.excess * reading.scale, self.certainty * error):
            message = "Train loss in inference mode is not above validation loss beyond chance."
            return Finding(self.code, self.title, "ok", evidence, message)
        message = (
            f"Train loss in inference mode ended {percent(evidence['excess'])} above validation loss, more "
            "than chance: the validation samples are easier."
        )
        return Finding(self.code, self.title, "flag", evidence, message)
