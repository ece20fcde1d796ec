"""AS701: the train loss is above the validation loss."""

from dataclasses import dataclass
from typing import ClassVar

from archsearch.diagnosis import features
from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.values import Finding
from archsearch.diagnosis.wording import percent


@dataclass(frozen=True, slots=True)
class TrainAboveValidation:
    """Train loss, as reported in training, ended above the validation loss.

    Often read as underfitting. Mostly it is dropout, which is on while the train loss is measured and off
    for the validation loss; so it is a flag and never a verdict.

    Attributes
    ----------
    excess : float
        5 % of the best validation loss: curves nearer than that lie over each other.
    """

    code: ClassVar[str] = "AS701"
    title: ClassVar[str] = "Train loss above validation loss"
    excess: float = 0.05

    def judge(self, reading: Reading) -> Finding:
        """Flag with its explanation, as far as there is one."""
        reported = float(features.level(reading.raw_train, reading.width))
        excess = (reported - reading.val_level) / reading.scale
        evidence = {"excess": excess}
        if excess < self.excess:
            message = "Train loss did not end above validation loss."
            return Finding(self.code, self.title, "ok", evidence, message)
        if reading.train_is_eval:
            evidence["excess_eval"] = (reading.train_level - reading.val_level) / reading.scale
        message = f"Train loss ended {percent(excess)} above validation loss: {_why(reading, self.excess)}"
        return Finding(self.code, self.title, "flag", evidence, message)


def _why(reading: Reading, excess: float) -> str:
    gone = reading.train_is_eval and reading.train_level - reading.val_level < excess * reading.scale
    if gone:
        cause = "dropout" if reading.context.dropout else "how it is measured in training"
        return f"that is {cause}, since in inference mode it is not above."
    if reading.train_is_eval:
        return "it is above in inference mode too, so dropout does not explain it."
    if reading.context.dropout:
        return "dropout, which is on when train loss is measured, explains that."
    if reading.context.dropout is False:
        return "the architecture has no dropout to explain it."
    return "whether dropout explains it is not known."
