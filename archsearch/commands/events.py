"""What happens in a search as JSON lines, for programs that watch over it."""

from typing import Any

from archsearch.commands.lines import INTERRUPTED, JsonLines
from archsearch.commands.progress import Tally, delivered_losses
from archsearch.commands.result import SearchResult
from archsearch.errors import ExitCode
from archsearch.records import EpochRecord, TrialResult
from archsearch.study import (
    EpochMeasured,
    Remark,
    SearchEvent,
    SearchFound,
    SearchStarted,
    TrialEnded,
    TrialStarted,
)


class Events:
    """A `Notify` that writes a line for each event.

    Parameters
    ----------
    lines : JsonLines
    quiet : bool
        Write none: notes, errors and the end are said by others.
    """

    def __init__(self, lines: JsonLines, *, quiet: bool) -> None:
        self._lines, self._quiet = lines, quiet
        self._tally = Tally(0)

    def __call__(self, event: SearchEvent) -> None:
        """Write what has happened."""
        if isinstance(event, SearchFound):
            self._lines.search = event.search
        elif not self._quiet:
            self._write(event)

    def _write(self, event: SearchEvent) -> None:
        match event:
            case SearchStarted():
                self._tally = Tally.at_start(event)
                self._lines.event("search_started", **self._standing())
            case TrialStarted(trial):
                self._tally.start(trial)
                self._lines.event("trial_started", **_trial(trial), worker=trial.worker)
            case EpochMeasured(trial, epoch, seed):
                self._lines.event("epoch", trial=trial.number, seed=seed, **_epoch(trial, epoch))
            case TrialEnded(trial):
                self._tally.add(trial)
                self._lines.event("trial_finished", **_trial(trial), **_ending(trial), **self._standing())
            case Remark(text):
                self._lines.event("note", message=text)

    def _standing(self) -> dict[str, Any]:
        tally = self._tally
        return {
            "ended": tally.ended,
            "total": tally.total,
            "best": _best(tally.best),
            "seconds_left": tally.seconds_left,
        }


OPENINGS = {
    "finished": "the search is complete",
    "nothing_to_do": "nothing is left to train",
    "interrupted": INTERRUPTED,
    "all_failed": "every trial failed",
    "given_up": "the search gave up",
}
"""How a run has ended, in words; of one that a bound has ended, its notes say which."""


def say_stopped(lines: JsonLines, result: SearchResult, exit_code: ExitCode) -> None:
    """Write the last line of a run: why it has stopped, and what was found."""
    first = result.judged.ranked[0].trial if result.judged.ranked else None
    lines.stopped(
        result.status,
        "; ".join(filter(None, (OPENINGS.get(result.status), *result.notes))),
        exit_code,
        bound=result.bound,
        trials=result.counts,
        best=_best(first),
    )


def _trial(trial: TrialResult) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "family": trial.family,
        "name": trial.name,
        "architecture": trial.architecture.notation,
        "parameters": trial.parameters,
        "epochs": trial.recipe.epochs,
        "by_hand": trial.by_hand,
    }


def _epoch(trial: TrialResult, epoch: EpochRecord) -> dict[str, Any]:
    return {
        "epoch": epoch.epoch,
        "epochs": trial.recipe.epochs,
        "train_loss": epoch.train_loss,
        "train_loss_eval": epoch.train_loss_eval,
        "val_loss": epoch.val_loss,
        "accuracy": epoch.accuracy,
        "val_accuracy": epoch.val_accuracy,
        "learning_rate": epoch.learning_rate,
        "seconds": epoch.seconds,
    }


def _ending(trial: TrialResult) -> dict[str, Any]:
    """How a trial has ended; losses are means over its seeds at their delivered epochs."""
    val_loss, gap = delivered_losses(trial) or (None, None)
    return {
        "status": str(trial.status),
        "reason": trial.runs[-1].reason or None,
        "verdict": trial.verdict,
        "confidence": trial.confidence,
        "agreement": trial.agreement,
        "score": trial.score,
        "val_loss": val_loss,
        "gap": gap,
        "epochs_trained": sum(len(run.epochs) for run in trial.runs),
        "seconds": trial.seconds,
    }


def _best(trial: TrialResult | None) -> dict[str, Any] | None:
    if trial is None:
        return None
    return {
        "trial": trial.number,
        "architecture": trial.label,
        "verdict": trial.verdict,
        "score": trial.score,
    }
