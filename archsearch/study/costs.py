"""What a trial will cost, from those that the record has."""

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, median_low

from archsearch.records import Status, TrialResult

NEIGHBOURS = 3
"""Trials of about the same size by which another is measured: one alone may have shared its processor."""


@dataclass(frozen=True, slots=True)
class _Cost:
    """What a trial took: seconds of an epoch, and of all else, such as building and tracing."""

    epoch: float
    overhead: float


def expected_seconds(trial: TrialResult, ended: Iterable[TrialResult], seeds: int) -> float | None:
    """Expect what a trial that has not started will take of its worker's time.

    ``overhead + seeds · epochs · share · epoch``: its planned epochs, of which the trials of its family have
    trained a `share` on average (some were pruned, or stopped early); the seconds of an epoch are the median
    of the `NEIGHBOURS` trials that are nearest by parameters, of its family and with its batch size where
    there are any (regression by nearest neighbours, Altman 1992, "An introduction to kernel and
    nearest-neighbor nonparametric regression"). Sizes that were never seen are expected to take no more than
    they must: an epoch takes longer with more parameters and more batches, but at most in proportion. So a
    larger network is taken to be as quick as its neighbour, a smaller one to be quicker by the ratio of their
    parameters, and the same holds for batches.

    Trials that broke off, or that a person skipped, say nothing of others.

    Parameters
    ----------
    trial : TrialResult
        Its architecture, parameters and recipe are used.
    ended : iterable of TrialResult
        Others of the same record, with their trainings.
    seeds : int
        Trainings that are left to do.

    Returns
    -------
    float or None
        Seconds; None where no trial of its family has trained an epoch.
    """
    known = [
        other
        for other in ended
        if other.family == trial.family
        and (other.status.has_result or other.status in (Status.PRUNED, Status.DIVERGED))
        and any(run.epochs for run in other.runs)
    ]
    if not known:
        return None
    share = sum(_trained(other, seeds) for other in known) / len(known)
    batch = trial.recipe.batch_size
    alike = [other for other in known if other.recipe.batch_size == batch]
    nearest = heapq.nsmallest(NEIGHBOURS, alike or known, key=lambda other: _distance(trial, other))
    costs = [_cost(other, trial) for other in nearest]
    epoch = median(cost.epoch for cost in costs)
    overhead = median(cost.overhead for cost in costs)
    return overhead + seeds * trial.recipe.epochs * share * epoch


def _trained(trial: TrialResult, seeds: int) -> float:
    """The share of its planned epochs that a trial has trained."""
    planned = trial.recipe.epochs * max(seeds, len(trial.runs))
    return sum(len(run.epochs) for run in trial.runs) / planned


def _distance(one: TrialResult, other: TrialResult) -> float:
    return abs(math.log(max(1, one.parameters) / max(1, other.parameters)))


def _cost(known: TrialResult, trial: TrialResult) -> _Cost:
    """What `trial` takes if it takes no more than it must, measured by one that is known."""
    # The first epoch may hold the tracing of the train step, so of two the quicker one counts.
    typical = median_low(epoch.seconds for run in known.runs for epoch in run.epochs)
    overhead = known.seconds - typical * sum(len(run.epochs) for run in known.runs)
    size = trial.parameters / max(1, known.parameters)
    batches = known.recipe.batch_size / trial.recipe.batch_size
    return _Cost(typical * min(1.0, size) * min(1.0, batches), max(0.0, overhead))
