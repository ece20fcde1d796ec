"""A search as it stands at one moment, read from its record without getting into its way."""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archsearch.commands.bounds import Bounds
from archsearch.ranking import leader
from archsearch.records import TrainingRun, TrialResult
from archsearch.study import Place, Record, Session
from archsearch.study.holding import holder_of
from archsearch.study.steering import Mailbox

LAST_ENDED = 5
"""Trials shown that ended last."""

LATELY_SECONDS = 60.0
"""Over so long the epochs per second are counted."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A search at one moment.

    Attributes
    ----------
    id : str
    status : str
        As `SearchSnapshot.status`.
    by : str
        Which process runs it; empty where none does.
    workers : int
        Trainings that may run at once.
    total, ended : int
        Trials, those added by hand included.
    added : int
        Architectures added by hand that no process has taken up; 0 where one runs.
    queued : tuple of TrialResult
        In the order in which they are to start.
    running : tuple of TrialResult
        With their trainings, by worker.
    last : tuple of TrialResult
        Those that ended last, with their trainings, the last one first.
    best : TrialResult or None
    epochs_per_second : float or None
        Over the last minute; None where nothing runs.
    training_share : float or None
        Share of the workers' time since the process began that went into epochs; likewise.
    seconds_left : float or None
        Until all trials have ended, or a bound of the search or of its present start is reached; None where
        it is not known.
    """

    id: str
    status: str
    by: str
    workers: int
    total: int
    ended: int
    added: int
    queued: tuple[TrialResult, ...]
    running: tuple[TrialResult, ...]
    last: tuple[TrialResult, ...]
    best: TrialResult | None
    epochs_per_second: float | None
    training_share: float | None
    seconds_left: float | None

    @property
    def is_running(self) -> bool:
        """Whether a process works on it."""
        return self.status == "running"


class Watcher:
    """Looks at a search again and again, and reads each time only what has changed.

    Parameters
    ----------
    place : Place
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._revision: int | None = None
        self._trials: dict[int, TrialResult] = {}
        self._best: TrialResult | None = None
        # Of the trials that are shown.
        self._runs: dict[int, tuple[TrainingRun, ...]] = {}
        self._last: deque[int] = deque(maxlen=LAST_ENDED)
        self._pace = _Pace(0.0)

    def look(self) -> Watched:
        """The search as it stands now.

        Raises
        ------
        StoreError
            If the record can't be read; whether it is intact is found out at the first look.
        """
        is_first = self._revision is None
        with Record.open(self._place.record, read_only=True, check=is_first) as record:
            changed = self._read(record)
            space, sessions = record.header().space, record.sessions()
            queued, total = record.queued(), record.total()
            status = self._place.standing(sessions[-1].status if sessions else "interrupted")
            is_running = status == "running"
            holder = holder_of(self._place.folder) if is_running else None
            if holder:  # which may have given a sign of life since it wrote into the record
                sessions[-1] = replace(sessions[-1], seen_at=max(sessions[-1].seen_at, holder.at))
            speed, share = self._measure(record, sessions[-1], changed) if is_running else (None, None)
        running = [self._with_runs(trial) for trial in self._trials.values() if not trial.status.has_ended]
        ended = len(self._trials) - len(running)
        total += sum(trial.by_hand for trial in (*self._trials.values(), *queued))
        return Watched(
            id=self._place.id,
            status=status,
            by=str(holder) if holder else "",
            workers=sessions[-1].workers if sessions else 0,
            total=total,
            ended=ended,
            added=0 if is_running else len(Mailbox(self._place.requests, read_only=True).added()),
            queued=queued,
            running=tuple(sorted(running, key=lambda trial: (trial.worker or "", trial.number))),
            last=tuple(self._with_runs(self._trials[number]) for number in reversed(self._last)),
            best=self._best,
            epochs_per_second=speed,
            training_share=share,
            seconds_left=_seconds_left(ended, running, total, sessions, space) if is_running else None,
        )

    def _read(self, record: Record) -> list[int]:
        """Take in what has changed; the numbers of trials that have."""
        changed, self._revision = record.trials(self._revision or 0, with_runs=False)
        ended = [trial.number for trial in changed if trial.status.has_ended]
        new = [number for number in ended if number not in self._trials or self._is_open(number)]
        self._trials |= {trial.number: trial for trial in changed}
        if ended:  # or judged again
            self._best = leader(self._trials.values())
        self._last.extend(new)
        # Those of a trial that has ended stay as they are.
        known = {number: runs for number, runs in self._runs.items() if number in self._last}
        known = {number: runs for number, runs in known.items() if number not in new}
        shown = {*self._last, *(number for number in self._trials if self._is_open(number))}
        self._runs = known | record.trainings(sorted(shown - known.keys()))
        return [trial.number for trial in changed]

    def _measure(self, record: Record, session: Session, changed: Iterable[int]) -> tuple[float, float]:
        if session.started_at != self._pace.since:  # another process has taken it up
            self._pace, changed = _Pace(session.started_at), self._trials
        return self._pace.measure(record, session, changed)

    def _is_open(self, number: int) -> bool:
        return not self._trials[number].status.has_ended

    def _with_runs(self, trial: TrialResult) -> TrialResult:
        return replace(trial, runs=self._runs[trial.number])


class _Pace:
    """Epochs lately, and the time that went into epochs, of the session that began at a time."""

    def __init__(self, since: float) -> None:
        self.since = since
        self._seconds: dict[int, float] = {}
        # Trials with an epoch of the last minute.
        self._brisk: set[int] = set()

    def measure(self, record: Record, session: Session, changed: Iterable[int]) -> tuple[float, float]:
        """Epochs per second lately, and the share of the workers' time that went into epochs."""
        lately = max(self.since, session.seen_at - LATELY_SECONDS)
        found = record.pace(self._brisk.union(changed), self.since, lately)
        self._seconds |= {trial: seconds for trial, (seconds, _) in found.items()}
        self._brisk = {trial for trial, (_, count) in found.items() if count}
        count = sum(count for _, count in found.values())
        spent = max(1.0, session.seconds) * max(1, session.workers)
        return count / max(1.0, session.seen_at - lately), min(1.0, sum(self._seconds.values()) / spent)


def _seconds_left(
    ended: int,
    running: Sequence[TrialResult],
    total: int,
    sessions: Sequence[Session],
    space: Mapping[str, Any],
) -> float | None:
    """From what a trial has taken of the workers' time so far, idle time included; within the bounds."""
    if not ended:
        return None
    last = sessions[-1]
    seeds = space.get("training", {}).get("seeds", 1)
    done = ended + sum(_share_done(trial, seeds) for trial in running)
    spent = sum(session.seconds * max(1, session.workers) for session in sessions)
    seconds: float = spent / done * max(0.0, total - done) / max(1, last.workers)
    search = space.get("search", {})
    bounds = Bounds(search.get("hours"), search.get("gpu_hours"))
    of_start = math.inf if last.ends_by is None else last.ends_by - last.seen_at
    return max(0.0, min(seconds, bounds.seconds_left(sessions, last.gpus), of_start))


def _share_done(trial: TrialResult, seeds: int) -> float:
    return min(1.0, sum(len(run.epochs) for run in trial.runs) / (trial.recipe.epochs * seeds))
