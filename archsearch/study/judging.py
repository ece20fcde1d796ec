"""The verdicts of a running search: each trial is judged when it ends, against those before it."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from archsearch.diagnosis import Judgements, diagnosis_of, judge_trial, judge_trials, with_diagnosis
from archsearch.ranking import trial_score
from archsearch.records import DataSummary, Reference, Status, TrialResult, linear_model_of
from archsearch.study.record import Record


class Judging:
    """What was judged so far, and the judge.

    Parameters
    ----------
    record : Record
        Open for writing.
    """

    def __init__(self, record: Record) -> None:
        header = record.header()
        self._record = record
        self._data: DataSummary = header.data
        self._linear: Reference | None = linear_model_of(header.references)
        self._judgements: Judgements = record.judgements()

    def judge_stale(self, trials: Collection[TrialResult]) -> Mapping[int, TrialResult]:
        """Judge once what older rules or none have judged, instead of whenever a trial ends.

        The trials whose verdict that changed, by number.
        """
        ended = [trial for trial in trials if trial.status.has_ended]
        judgements = judge_trials(ended, self._data, self._linear, self._judgements, anew=False)
        changed = {key: each for key, each in judgements.items() if each is not self._judgements.get(key)}
        if not changed:
            return {}
        numbers = {number for number, _ in changed}
        judged = [
            with_diagnosis(trial, diagnosis_of(trial, judgements))
            for trial in ended
            if trial.number in numbers
        ]
        self._record.put_judgements(judged, changed)
        self._judgements = judgements
        return {trial.number: trial for trial in judged}

    def judge(self, trial: TrialResult, others: Collection[TrialResult]) -> tuple[TrialResult, Judgements]:
        """A trial that has ended with its status, score and verdict, and the judgements of its trainings."""
        status = overall(trial)
        score = trial_score(trial.runs) if status.has_result else None
        trial = replace(trial, status=status, score=score)
        judgements = judge_trial(trial, list(others), self._data, self._linear, self._judgements)
        self._judgements = {**self._judgements, **judgements}
        return with_diagnosis(trial, diagnosis_of(trial, judgements)), judgements


def overall(trial: TrialResult) -> Status:
    """A trial is what its first training without a result is; else stopped if one was, or completed."""
    statuses = [run.status for run in trial.runs]
    without = [status for status in statuses if not status.has_result]
    return without[0] if without else Status.STOPPED if Status.STOPPED in statuses else Status.COMPLETED
