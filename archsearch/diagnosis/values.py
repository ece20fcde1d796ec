"""What goes into a diagnosis and what comes out, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

Outcome = Literal["ok", "fault", "flag", "not_applicable"]


class Verdict(StrEnum):
    """What the loss curves say about one training.

    ``inconclusive`` says that something is missing, ``not_judged`` that the training was pruned or
    skipped.
    """

    GOOD = "good"
    OVERFIT = "overfit"
    UNDERFIT = "underfit"
    NOT_CONVERGED = "not_converged"
    UNSTABLE = "unstable"
    DIVERGED = "diverged"
    NOT_LEARNING = "not_learning"
    INCONCLUSIVE = "inconclusive"
    NOT_JUDGED = "not_judged"


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Loss per epoch, in any unit; NaN where not measured.

    Attributes
    ----------
    train_loss : array, shape (epochs,)
        As reported in training, possibly with dropout on.
    val_loss : array, shape (epochs,)
    train_loss_eval : array, shape (epochs,), or None
        Train loss in inference mode; judged in place of `train_loss` where present.
    learning_rate : array, shape (epochs,), or None
    val_accuracy : array, shape (epochs,), or None
        Share of the validation samples that are classified correctly.
    """

    train_loss: "ArrayLike"
    val_loss: "ArrayLike"
    train_loss_eval: "ArrayLike | None" = None
    learning_rate: "ArrayLike | None" = None
    val_accuracy: "ArrayLike | None" = None


@dataclass(frozen=True, slots=True)
class Context:
    """What is known besides the curves; what is None makes rules that need it not applicable.

    Attributes
    ----------
    prior_entropy : float or None
        Loss of always predicting the class frequencies, in the unit of the losses.
    class_frequencies : tuple of float or None
        Share of each class in the validation data, in any order; stands in for a missing prior entropy.
    classes_predicted : int or None
        Number of classes that the delivered weights predict for at least one validation sample.
    n_val : int or None
        Validation samples.
    val_loss_spread : float or None
        Standard deviation over validation samples of their loss.
    reference_loss : float or None
        Lowest train loss, in inference mode, of other converged runs that are not overfit on the same data,
        or that of a linear model.
    best_val_loss : float or None
        Lowest known validation loss of any run on the same data.
    early_stopped : bool or None
        Whether training ended because the validation loss had stopped falling.
    planned_epochs : int or None
    dropout : bool or None
        Whether the architecture has any dropout.
    delivered_epoch : int or None
        Epoch whose weights are delivered, counted from 1; None means that of the lowest validation loss.
    """

    prior_entropy: float | None = None
    class_frequencies: tuple[float, ...] | None = None
    classes_predicted: int | None = None
    n_val: int | None = None
    val_loss_spread: float | None = None
    reference_loss: float | None = None
    best_val_loss: float | None = None
    early_stopped: bool | None = None
    planned_epochs: int | None = None
    dropout: bool | None = None
    delivered_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found.

    Attributes
    ----------
    code : str
        Stable, for example ``"AS201"``.
    title : str
        What the rule looks for, in a few words.
    outcome : str
        ``"ok"``, ``"fault"`` (decides the verdict), ``"flag"`` (worth knowing), ``"not_applicable"``.
    evidence : mapping of str to float
        The numbers it rests on.
    message : str
        One sentence for people.
    flag : str
        Name of the flag it raises; empty for none.
    """

    code: str
    title: str
    outcome: Outcome
    evidence: Mapping[str, float]
    message: str
    flag: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the trainings of one trial, alike but for their seeds, agree.

    Attributes
    ----------
    verdicts : tuple of Verdict
        Of each training, in the order of the seeds.
    share : float
        Of the trainings, those that have the majority's verdict; in (0, 1].
    val_losses : tuple of float
        Validation loss at each training's delivered epoch; NaN where there is none.
    spread : float
        Standard deviation of `val_losses`, with n − 1 in its denominator; NaN below two.
    """

    verdicts: tuple[Verdict, ...]
    share: float
    val_losses: tuple[float, ...]
    spread: float

    @property
    def words(self) -> str:
        """For example ``"2 of 3"``."""
        seeds = len(self.verdicts)
        return f"{round(self.share * seeds)} of {seeds}"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The verdict on one training, or on one trial's trainings, with its grounds.

    Attributes
    ----------
    verdict : Verdict
        Of the whole run.
    delivered : Verdict
        Of the delivered weights: a run that overfits after its best epoch may deliver good ones.
    flags : tuple of str
        Names of what is worth knowing and no fault.
    findings : tuple of Finding
        One per rule, the deciding one first.
    rules_version : int
        Of the rules that judged.
    missing : tuple of str
        Inputs that some rule would have needed, sorted.
    confidence : float or None
        Probability that `verdict` is right, in [0, 1]; None where it was not asked for.
    agreement : Agreement or None
        Of a trial with several seeds; None for a single training.
    """

    verdict: Verdict
    delivered: Verdict
    flags: tuple[str, ...]
    findings: tuple[Finding, ...]
    rules_version: int
    missing: tuple[str, ...]
    confidence: float | None = None
    agreement: Agreement | None = None


def as_losses(losses: "ArrayLike") -> "NDArray[np.float64]":
    """One-dimensional float array; what is no number becomes NaN."""
    import numpy as np  # takes 0.1 s, which whoever only reads verdicts should not wait

    try:
        return np.atleast_1d(np.asarray(losses, dtype=np.float64)).ravel()
    except (TypeError, ValueError):
        return np.array([_as_number(loss) for loss in np.ravel(np.asarray(losses, dtype=object))])


def _as_number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")
