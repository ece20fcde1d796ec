"""When a running training is ended because its verdict is settled."""

from collections.abc import Sequence

from archsearch.architecture import HyperModelArchitecture
from archsearch.diagnosis import Context, curves_of, settled
from archsearch.records import DataSummary, Ending, EpochRecord, Status, TrainingRun, TrialResult

NEGLIGIBLE_RATE = 0.01
"""Share of the first learning rate at which ``plateau`` has done its work: two of the usual drops to a tenth
(He et al. 2016, "Deep residual learning for image recognition")."""


def stopped(trial: TrialResult, epochs: Sequence[EpochRecord], data: DataSummary) -> Ending | None:
    """How a training ends with the last of `epochs`; None where it goes on.

    It follows from what is recorded of this training alone, so a search that goes on decides as before.

    Parameters
    ----------
    trial : TrialResult
        Its architecture and recipe are used.
    epochs : sequence of EpochRecord
        Of one seed, from the first.
    data : DataSummary
    """
    curves = curves_of(TrainingRun(seed=0, status=Status.RUNNING, epochs=tuple(epochs)))
    context = Context(prior_entropy=data.prior_entropy, n_val=data.n_val, planned_epochs=trial.recipe.epochs)
    finding = settled(curves, context, rate_may_drop=rate_may_drop(trial, epochs[-1]))
    if finding is None:
        return None
    return Ending(Status.STOPPED, finding.message[0].lower() + finding.message[1:].rstrip("."))


def rate_may_drop(trial: TrialResult, epoch: EpochRecord) -> bool:
    """Whether the learning rate may still be lowered after an epoch.

    A user's HyperModel may bring a schedule or callbacks of its own, which are not known: it may.
    """
    if isinstance(trial.architecture, HyperModelArchitecture) or trial.recipe.schedule == "cosine":
        return True
    started = trial.recipe.learning_rate
    return trial.recipe.schedule == "plateau" and epoch.learning_rate > NEGLIGIBLE_RATE * started
