"""What a run of a search gives back: to Python as a value, to scripts as JSON, to schedulers as exit code."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsearch.diagnosis import (
    Diagnosis,
    Judgements,
    Verdict,
    diagnosis_of,
    judge_trials,
    with_diagnosis,
)
from archsearch.errors import ExitCode
from archsearch.ranking import Ranked, best_run, rank, table, why_first
from archsearch.records import SearchSnapshot, Status, linear_model_of

if TYPE_CHECKING:
    import pandas as pd

NOTHING_TO_DO = "nothing_to_do"
LOCKED = "locked"
FAILURES = ("all_failed", "given_up")


@dataclass(frozen=True, slots=True)
class Judged:
    """A search with its trials judged and ranked.

    Attributes
    ----------
    snapshot : SearchSnapshot
        Its trials carry their verdicts.
    judgements : mapping of (trial, seed) to Judgement
        Of all trainings.
    diagnoses : dict of int to Diagnosis
        By trial number.
    ranked : tuple of Ranked
    """

    snapshot: SearchSnapshot
    judgements: Judgements
    diagnoses: dict[int, Diagnosis]
    ranked: tuple[Ranked, ...]


def judge(snapshot: SearchSnapshot, stored: Judgements, *, anew: bool = True) -> Judged:
    """Judge the trials of a search, each against all others, and rank them.

    Parameters
    ----------
    snapshot : SearchSnapshot
    stored : mapping of (trial, seed) to Judgement
        Made before: only what no longer holds is computed.
    anew : bool
        False takes all that is stored as it is, for those in a hurry.
    """
    linear = linear_model_of(snapshot.references)
    judgements = judge_trials(snapshot.trials, snapshot.data, linear, stored, anew=anew)
    ended = [trial for trial in snapshot.trials if trial.status.has_ended]
    diagnoses = {trial.number: diagnosis_of(trial, judgements) for trial in ended}
    trials = tuple(
        with_diagnosis(trial, diagnoses[trial.number]) if trial.number in diagnoses else trial
        for trial in snapshot.trials
    )
    return Judged(replace(snapshot, trials=trials), judgements, diagnoses, rank(trials, diagnoses))


@dataclass(frozen=True, slots=True, repr=False)
class SearchResult:
    """A search after a run of it.

    Attributes
    ----------
    judged : Judged
    status : str
        ``"finished"``, ``"nothing_to_do"``, ``"hours_reached"``, ``"interrupted"``, ``"all_failed"`` or
        ``"given_up"``.
    report : Path or None
        The HTML report; None where the run was interrupted.
    models : Path
        Folder of the delivered models.
    tracking_uri : str
    experiment_id : str or None
        In MLflow; None where the search has not been mirrored.
    notes : tuple of str
        What the user should know besides.
    bound : str or None
        Which bound ended the run, such as ``"search.hours"`` or ``"--until"``; None where none did.
    """

    judged: Judged
    status: str
    report: Path | None
    models: Path
    tracking_uri: str
    experiment_id: str | None
    notes: tuple[str, ...] = ()
    bound: str | None = None

    def __repr__(self) -> str:
        first = self.judged.ranked[0] if self.judged.ranked else None
        best = (
            f"{first.trial.label} ({first.diagnosis.verdict}, score {first.score:.4g})" if first else "none"
        )
        return f"<SearchResult {self.search}: {self.status}; {self.counts_text}; best: {best}>"

    @property
    def search(self) -> str:
        """The search's id."""
        return self.judged.snapshot.id

    @property
    def ranking(self) -> "pd.DataFrame":
        """One row per completed trial, the best first."""
        return table(self.judged.ranked)

    @property
    def best_model(self) -> Path | None:
        """The ``.keras`` file of the first in the ranking; of several seeds the one with the lowest score."""
        if not self.judged.ranked:
            return None
        model = best_run(self.judged.ranked[0].trial.runs).model
        return self.models / model if model else None

    @property
    def why(self) -> str:
        """Why the first of the ranking is first."""
        return why_first(self.judged.ranked, self.judged.snapshot.references)

    @property
    def counts(self) -> dict[str, int]:
        """Trials completed, stopped, pruned, skipped and failed."""
        statuses = [trial.status for trial in self.judged.snapshot.trials]
        return {
            "completed": statuses.count(Status.COMPLETED),
            "stopped": statuses.count(Status.STOPPED),
            "pruned": statuses.count(Status.PRUNED),
            "skipped": statuses.count(Status.SKIPPED),
            "failed": sum(status.is_failure for status in statuses),
        }

    @property
    def counts_text(self) -> str:
        """The counts in words; that none was stopped or skipped goes without saying."""
        seldom = ("stopped", "skipped")
        counts = {word: count for word, count in self.counts.items() if count or word not in seldom}
        return ", ".join(f"{count} {word}" for word, count in counts.items())

    def exit_code(self, *, require_good: bool = False) -> ExitCode:
        """What the process tells its caller."""
        if self.status == "interrupted":
            return ExitCode.INTERRUPTED
        if self.status in FAILURES:
            return ExitCode.ALL_FAILED
        is_good = any(ranked.diagnosis.verdict == Verdict.GOOD for ranked in self.judged.ranked)
        return ExitCode.NO_GOOD_MODEL if require_good and not is_good else ExitCode.FINISHED

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "search": self.search,
            "status": self.status,
            "trials": self.counts,
            "best": self._best(),
            "ranking": [
                {
                    "rank": ranked.rank,
                    "trial": ranked.trial.number,
                    "architecture": ranked.trial.label,
                    "verdict": str(ranked.diagnosis.verdict),
                    "confidence": ranked.diagnosis.confidence,
                    "agreement": _share(ranked.diagnosis),
                    "score": ranked.score,
                    "reason": ranked.reason,
                }
                for ranked in self.judged.ranked
            ],
            "report": str(self.report) if self.report else None,
            "tracking_uri": self.tracking_uri,
            "experiment_id": self.experiment_id,
        }

    def _best(self) -> dict[str, Any] | None:
        if not self.judged.ranked:
            return None
        first = self.judged.ranked[0]
        return {
            "trial": first.trial.number,
            "architecture": first.trial.label,
            "verdict": str(first.diagnosis.verdict),
            "confidence": first.diagnosis.confidence,
            "agreement": _share(first.diagnosis),
            "val_loss": first.val_loss,
            "gap": first.gap,
            "parameters": first.trial.parameters,
            "model": str(self.best_model) if self.best_model else None,
        }


def locked_json(search: str) -> dict[str, Any]:
    """What ``--json`` prints of a search that is left to another process: nothing is known of it."""
    return {
        "search": search,
        "status": LOCKED,
        "trials": None,
        "best": None,
        "ranking": [],
        "report": None,
        "tracking_uri": None,
        "experiment_id": None,
    }


def _share(diagnosis: Diagnosis) -> float | None:
    return diagnosis.agreement.share if diagnosis.agreement else None
