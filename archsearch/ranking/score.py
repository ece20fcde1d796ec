"""The one score of a trial, from its own curves only."""

import math
from collections.abc import Sequence

from archsearch.records import EpochRecord, TrainingRun


def score(epochs: Sequence[EpochRecord]) -> float | None:
    """Validation loss at the best epoch, without the luck of having chosen it.

    The epoch of the lowest loss on one half of the validation data is chosen and the other half's loss is
    read there, and the reverse; the score is the mean of the two. The lowest validation loss itself is
    flattered by the choice among epochs; read on samples that took no part in the choice, a lucky dip earns
    nothing.

    Parameters
    ----------
    epochs : sequence of EpochRecord
        Of one training. Epochs where a half's loss is not finite are ignored.

    Returns
    -------
    float or None
        Mean cross-entropy per sample in nats, lower is better; None if no epoch is finite.
    """
    import numpy as np  # takes 0.1 s, which whoever only reads scores should not wait

    halves = np.array([record.val_loss_halves for record in epochs], dtype=np.float64).reshape(-1, 2)
    halves = halves[np.isfinite(halves).all(axis=1)]
    if not len(halves):
        return None
    best_first, best_second = halves.argmin(axis=0)
    return float((halves[best_first, 1] + halves[best_second, 0]) / 2)


def trial_score(runs: Sequence[TrainingRun]) -> float | None:
    """Mean of the runs' scores; None without runs or if one of them has none.

    A seed that never gave a finite loss is not averaged away.
    """
    scores = [score(run.epochs) for run in runs]
    finite = [value for value in scores if value is not None and math.isfinite(value)]
    if not scores or len(finite) < len(scores):
        return None
    return sum(finite) / len(finite)


def best_run(runs: Sequence[TrainingRun]) -> TrainingRun:
    """The run whose model stands for the trial: the one with the lowest score.

    Parameters
    ----------
    runs : sequence of TrainingRun
        At least one.
    """
    scores = [score(run.epochs) for run in runs]
    return min(zip(scores, runs, strict=True), key=lambda pair: math.inf if pair[0] is None else pair[0])[1]
