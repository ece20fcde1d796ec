"""Which trained weights a search keeps, so that disks don't fill."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from archsearch.ranking import Rankable, by_rank
from archsearch.records import TrialResult


def superfluous(trials: Sequence[TrialResult], keep: int) -> list[int]:
    """The ended trials whose weights need not be kept.

    The `keep` best in the ranking as it stands are kept. A verdict may still change, because it rests on what
    other trials reach; a score does not. So the `keep` best by their scores alone are kept as well.

    Parameters
    ----------
    trials : sequence of TrialResult
        With their trainings.
    keep : int

    Returns
    -------
    list of int
        Numbers of trials that have weights on disk, in the order of `trials`.
    """
    by_score = sorted(
        (trial for trial in trials if trial.score is not None),
        key=lambda trial: (trial.score, trial.number),
    )
    kept = {trial.number for trial in (*by_rank(trials)[:keep], *by_score[:keep])}
    return [
        trial.number
        for trial in trials
        if trial.status.has_ended and trial.number not in kept and any(run.model for run in trial.runs)
    ]


def best(trials: Iterable[Rankable], keep: int) -> set[int]:
    """Numbers of the `keep` best in the ranking as it stands.

    Where fewer were judged, those with the lowest scores come after them.
    """
    scored = [trial for trial in trials if trial.score is not None]
    judged = by_rank(scored)
    placed = {trial.number for trial in judged}
    others = sorted(
        (trial for trial in scored if trial.number not in placed),
        key=lambda trial: (trial.score, trial.number),
    )
    return {trial.number for trial in (*judged, *others)[:keep]}


def remove(models: Path, trial: TrialResult) -> None:
    """Delete the weights of a trial; what is missing, or can't be deleted, is passed over.

    Parameters
    ----------
    models : Path
        Folder of the delivered models.
    trial : TrialResult
        As it was while it had them.
    """
    for run in trial.runs:
        if run.model:
            with contextlib.suppress(OSError):
                (models / run.model).unlink()
