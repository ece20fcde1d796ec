"""What a search knows of one training, as the rules take it."""

import numpy as np

from archsearch.architecture import AnyArchitecture, HyperModelArchitecture
from archsearch.diagnosis.values import Context, Curves
from archsearch.records import DataSummary, TrainingRun, TrialResult


def curves_of(run: TrainingRun) -> Curves:
    """The curves of one training."""
    return Curves(
        train_loss=[record.train_loss for record in run.epochs],
        val_loss=[record.val_loss for record in run.epochs],
        train_loss_eval=[record.train_loss_eval for record in run.epochs],
        learning_rate=[record.learning_rate for record in run.epochs],
        val_accuracy=[record.val_accuracy for record in run.epochs],
    )


def context_of(trial: TrialResult, run: TrainingRun, data: DataSummary) -> Context:
    """What a search knows of one training besides its curves and the other trainings."""
    return Context(
        prior_entropy=data.prior_entropy,
        classes_predicted=_classes_predicted(run),
        n_val=data.n_val,
        val_loss_spread=run.val_loss_spread,
        early_stopped=run.early_stopped,
        planned_epochs=trial.recipe.epochs,
        dropout=_has_dropout(trial.architecture),
        delivered_epoch=run.delivered_epoch,
    )


def _classes_predicted(run: TrainingRun) -> int | None:
    """How many classes are some validation sample's most probable one."""
    if run.probabilities is None or not np.isfinite(run.probabilities).all():
        return None
    return len(np.unique(run.probabilities.argmax(axis=1)))


def _has_dropout(architecture: AnyArchitecture) -> bool:
    if isinstance(architecture, HyperModelArchitecture):
        # What its code does is not known; its users call a dropout rate by that name.
        return any("dropout" in name.lower() and bool(value) for name, value in architecture.values)
    rates = [block.dropout for block in architecture.conv] + [block.dropout for block in architecture.dense]
    return any(rate > 0 for rate in rates)
