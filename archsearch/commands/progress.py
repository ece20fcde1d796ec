"""What a person sees while a search runs: live bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from archsearch.ranking import leader
from archsearch.records import EpochRecord, Status, TrialResult
from archsearch.report.words import confidence, count, duration
from archsearch.study import (
    EpochMeasured,
    Notify,
    Remark,
    SearchEvent,
    SearchStarted,
    TrialEnded,
    TrialStarted,
)

SECONDS_BETWEEN_LINES = 10.0
# Columns of a terminal from which bars don't crowd out the losses beside them.
ROOMY = 110


@dataclass(slots=True)
class Tally:
    """How far a search is: counts, best so far, time left."""

    planned: int
    ended: int = 0
    ended_here: int = 0
    by_hand: set[int] = field(default_factory=set)
    best: TrialResult | None = None
    started_at: float = field(default_factory=time.monotonic)

    @classmethod
    def at_start(cls, event: SearchStarted) -> "Tally":
        """The tally of a search that is taken up."""
        tally = cls(event.total)
        for trial in event.ended:
            tally.take(trial)
        return tally

    @property
    def total(self) -> int:
        """Trials in all: those added by hand come on top of the others."""
        return self.planned + len(self.by_hand)

    def start(self, trial: TrialResult) -> None:
        """Count a trial that starts."""
        if trial.by_hand:
            self.by_hand.add(trial.number)

    def add(self, trial: TrialResult) -> None:
        """Count a trial that has just ended."""
        self.ended_here += 1
        self.take(trial)

    def take(self, trial: TrialResult) -> None:
        """Count a trial that has ended; keep it if it ranks above the best so far."""
        self.start(trial)
        self.ended += 1
        self.best = leader(filter(None, (self.best, trial)))

    @property
    def best_text(self) -> str:
        """The best so far in words."""
        if self.best is None:
            return "best none yet"
        return f"best {self.best.score:.4f} {self.best.verdict} (trial {self.best.number})"

    @property
    def seconds_left(self) -> float | None:
        """The time left, from the pace so far; None where it is not known yet."""
        if self.ended >= self.total:
            return 0.0
        if not self.ended_here:
            return None
        return (time.monotonic() - self.started_at) / self.ended_here * (self.total - self.ended)

    @property
    def left_text(self) -> str:
        """The time left in words; empty when nothing is left to do."""
        if self.ended >= self.total:
            return ""
        seconds = self.seconds_left
        return "time left: not known yet" if seconds is None else f"about {duration(seconds)} left"


@contextmanager
def progress(*, quiet: bool) -> Iterator[Notify]:
    """A `Notify` that shows progress on stderr, or nothing if `quiet`."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _Live() as live:
            yield live
    else:
        yield _Lines()


class _Lines:
    """Plain lines on stderr: one as each trial ends, and one every ten seconds in between."""

    def __init__(self) -> None:
        self._tally = Tally(0)
        self._last_line = 0.0

    def __call__(self, event: SearchEvent) -> None:
        match event:
            case SearchStarted():
                self._tally = Tally.at_start(event)
                self._say(f"{self._tally.ended} of {self._tally.total} trials done; the workers are starting")
            case TrialStarted(trial):
                self._tally.start(trial)
            case TrialEnded(trial):
                self._tally.add(trial)
                line = f"[{self._tally.ended}/{self._tally.total}] trial {trial.number} {trial.label}"
                standing = [ending(trial), self._tally.best_text, self._tally.left_text]
                self._say(f"{line}: {'; '.join(filter(None, standing))}")
            case Remark(text):
                self._say(text)
            case EpochMeasured(trial, epoch) if self._is_quiet_for_long():
                progress = f"epoch {epoch.epoch}/{trial.recipe.epochs}, {losses(epoch)}"
                self._say(f"trial {trial.number} {trial.label}: {progress}")

    def _is_quiet_for_long(self) -> bool:
        return time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES

    def _say(self, line: str) -> None:
        self._last_line = time.monotonic()
        print(line, file=sys.stderr, flush=True)


class _Live:
    """Bars on a terminal: one for the search, one for each training."""

    def __init__(self) -> None:
        self._tally = Tally(0)
        self._console = Console(stderr=True, emoji=False)
        self._bars = Progress(
            TextColumn("{task.fields[title]}", markup=False),
            BarColumn(bar_width=24 if self._console.width >= ROOMY else 8),
            TextColumn("{task.fields[count]}", markup=False),
            TextColumn("{task.fields[text]}", markup=False),
            console=self._console,
            transient=True,
        )
        self._trainings: dict[int, TaskID] = {}
        self._search = self._bars.add_task("", total=None, title="search", count="", text="starting …")

    def __enter__(self) -> "_Live":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, event: SearchEvent) -> None:
        match event:
            case SearchStarted():
                self._tally = Tally.at_start(event)
            case TrialStarted(trial):
                self._tally.start(trial)
                self._trainings[trial.number] = self._bars.add_task(
                    "", total=trial.recipe.epochs, title=self._title(trial), count="", text=trial.label
                )
            case EpochMeasured(trial, epoch):
                self._bars.update(
                    self._trainings[trial.number],
                    completed=epoch.epoch,
                    count=f"epoch {epoch.epoch}/{trial.recipe.epochs}",
                    text=f"{losses(epoch)}  {trial.label}",
                )
            case TrialEnded(trial):
                self._remove_bar(trial.number)
                self._tally.add(trial)
                line = f"trial {trial.number:>3}  {ending(trial)}  {trial.label}"
                self._console.print(line, markup=False, soft_wrap=True)  # in one piece, to be copied
        self._bars.update(
            self._search,
            total=self._tally.total,
            completed=self._tally.ended,
            count=f"{self._tally.ended}/{self._tally.total} trials",
            text=", ".join(filter(None, (self._tally.best_text, self._tally.left_text))),
        )

    def _remove_bar(self, trial: int) -> None:
        if trial in self._trainings:  # one that was skipped while it waited never had any
            self._bars.remove_task(self._trainings.pop(trial))

    def _title(self, trial: TrialResult) -> str:
        is_told = trial.worker and self._console.width >= ROOMY
        return f"{trial.worker}  trial {trial.number}" if is_told else f"trial {trial.number}"


def losses(epoch: EpochRecord) -> str:
    """Train and validation loss in inference mode, as in ``train 0.1234 val 0.2345``."""
    return f"train {epoch.train_loss_eval:.4f} val {epoch.val_loss:.4f}"


def ending(trial: TrialResult) -> str:
    """How a trial has ended: verdict and losses, or why it has none; and how long it took."""
    took = duration(trial.seconds)
    last = trial.runs[-1]  # the seed that ended the trial: after a failed one no other is trained
    if last.epochs and trial.status in (Status.PRUNED, Status.SKIPPED):
        return f"{trial.status} after {count(len(last.epochs), 'epoch')} ({took})"
    delivered = delivered_losses(trial)
    if trial.status.is_failure or delivered is None:
        return f"{trial.status.replace('_', ' ')}: {last.reason} ({took})"
    val_loss, gap = delivered
    seeds = sum(run.delivered is not None for run in trial.runs)
    mean = f", mean of {seeds} seeds" if seeds > 1 else ""
    return f"{_verdict(trial)}, val loss {val_loss:.4f}, gap {gap:z.4f}{mean} ({took})"


def delivered_losses(trial: TrialResult) -> tuple[float, float] | None:
    """Validation loss and generalization gap at the delivered epoch, means over the seeds that have one."""
    delivered = [run.delivered for run in trial.runs if run.delivered is not None]
    if not delivered:
        return None
    val_loss = sum(epoch.val_loss for epoch in delivered) / len(delivered)
    return val_loss, val_loss - sum(epoch.train_loss_eval for epoch in delivered) / len(delivered)


def _verdict(trial: TrialResult) -> str:
    """The verdict, how sure it is, and how many seeds agree on it."""
    sure = [] if trial.confidence is None else [f"confidence {confidence(trial.confidence)}"]
    if trial.agreement is not None:
        sure.append(f"{round(trial.agreement * len(trial.runs))} of {len(trial.runs)} seeds agree")
    return f"{trial.verdict} ({', '.join(sure)})" if sure else str(trial.verdict)
