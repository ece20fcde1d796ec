"""``archsearch skip``: end one training of a running search."""

from archsearch.commands.tables import console
from archsearch.errors import Refused
from archsearch.records import Status, TrialResult
from archsearch.study import Place, Record
from archsearch.study.steering import Mailbox, Skip


def skip_trial(place: Place, number: int) -> None:
    """Ask whoever runs a search to end a trial, which is then recorded as skipped.

    Parameters
    ----------
    place : Place
    number : int
        Of a trial that is trained or waits for a worker.

    Raises
    ------
    Refused
        If there is no such trial, it has ended, or no process runs the search.
    StoreError
        If the search's folder can't be read or written.
    """
    with Record.open(place.record, read_only=True) as record:
        begun, queued, sessions = record.trials(with_runs=False)[0], record.queued(), record.sessions()
    trials = {trial.number: trial for trial in (*begun, *queued)}
    if number not in trials:
        raise Refused(f"search {place.id} has no trial {number}: {_numbers(trials)}")
    trial = trials[number]
    if trial.status.has_ended:
        raise Refused(f"trial {number} of search {place.id} has ended already: {_how(trial)}")
    if place.standing(sessions[-1].status if sessions else "interrupted") != "running":
        raise Refused(f"search {place.id} is not running: no trial can be skipped")
    Mailbox(place.requests).send(Skip(number))
    happens = (
        "waits for a worker, and is not trained"
        if trial.status is Status.QUEUED
        else "ends at its epoch's end"
    )
    console().print(f"trial {number} of search {place.id} {happens}: {trial.label}", soft_wrap=True)


def unended_trials(place: Place) -> list[int]:
    """The numbers of trials that are trained or wait for a worker."""
    with Record.open(place.record, read_only=True) as record:
        trials = (*record.trials(with_runs=False)[0], *record.queued())
    return sorted(trial.number for trial in trials if not trial.status.has_ended)


def _numbers(trials: dict[int, TrialResult]) -> str:
    if not trials:
        return "it has none yet"
    return "there is trial 0" if len(trials) == 1 else f"there are trials {min(trials)} to {max(trials)}"


def _how(trial: TrialResult) -> str:
    how = trial.status.replace("_", " ")
    is_judged = trial.verdict and trial.status.has_result
    return (
        f"{how}, with the verdict {trial.verdict.replace('_', ' ')}" if is_judged and trial.verdict else how
    )
