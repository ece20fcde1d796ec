"""The end of a run, whatever ends it: record, MLflow, ranking and report in order."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from archsearch.commands.bounds import Bound, Bounds, RunBounds
from archsearch.commands.judging import judged_and_kept
from archsearch.commands.options import Options
from archsearch.commands.result import FAILURES, NOTHING_TO_DO, Judged, SearchResult, judge
from archsearch.errors import ArchsearchError, SearchLocked, StoreError, TrackingError
from archsearch.ranking import best_run
from archsearch.report import write_report
from archsearch.study import Mirrored, Outcome, Place, Record
from archsearch.tracking import Artifacts, Closing, Following, Tracking, check_answers, first_line

# Who interrupts a process may kill it seconds later: MLflow gets no more than this of them.
INTERRUPTED_CLOSING_SECONDS = 2.0
CLOSING_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Work:
    """What the end of a run needs, however it ends."""

    place: Place
    record: Record
    tracking: Tracking
    options: Options
    bounds: Bounds
    run_bounds: RunBounds
    gpus: int

    def bounds_from_now(self) -> tuple[Bound, ...]:
        """The bounds of the search, and of this run of it, were its trainings to begin now."""
        of_search = self.bounds.each(self.record.sessions(), self.gpus)
        return (*of_search, *self.run_bounds.each(self.gpus))

    @property
    def report_path(self) -> Path:
        """Where the report goes."""
        return self.options.reports.absolute() / f"{self.record.header().name}.html"

    def settle(self, nothing_left: str, total: int, reason: str) -> None:
        """Have the record say how the search stands and why, where its last process could not."""
        trials = self.record.trials(with_runs=False)[0]
        last = next(reversed(self.record.sessions()), None)
        succeeded = any(not trial.status.is_failure for trial in trials)
        outcome = Outcome.FINISHED if succeeded else Outcome.ALL_FAILED
        if nothing_left == Outcome.HOURS_REACHED:
            outcome = Outcome.HOURS_REACHED
        elif last and last.status == Outcome.GIVEN_UP:
            outcome = Outcome.GIVEN_UP
        total = max(total, sum(not trial.by_hand for trial in trials))
        stands = (outcome, total, last.reason if last and not reason else reason)
        if last and (last.status, self.record.total(), last.reason) == stands:
            return
        self.record.begin_session(self.options.command, 0, total)
        self.record.end_session(outcome, 0.0, reason)
        mirrored = self.record.mirrored()
        if mirrored:
            self.record.set_mirrored(replace(mirrored, is_closed=False))

    def start_mirror(self, stops: Callable[[], bool] = lambda: False) -> Following:
        """Start mirroring the record as it stands and grows.

        Raises
        ------
        OpeningStopped
            If `stops` says so before MLflow is ready.
        """
        return Following(self.tracking, self.record.snapshot(), self.place.record, stops)

    def end_mirror(self, mirror: Following, closing: Closing, timeout: float) -> str | None:
        """Bring MLflow into line with the record; what to tell the user if that failed."""
        is_closed = mirror.finish(closing, timeout)
        self.record.set_mirrored(
            Mirrored(self.tracking.uri, mirror.experiment_id, mirror.revision, is_closed)
        )
        if is_closed:
            return None
        why = mirror.fault or f"no answer within {timeout:g} s"
        return f"MLflow at {self.tracking.uri} is behind ({why}); the same command brings it into line"

    def abandon(self, mirror: Following | None, fault: BaseException) -> None:
        """Leave after a fault, such as a full disk, or a signal, as tidily as it allows."""
        if isinstance(fault, SearchLocked):
            return  # all of it is another process's by now
        if self.record.is_working:
            with suppress(ArchsearchError):
                reason = first_line(fault) if isinstance(fault, ArchsearchError) else ""
                self.record.end_session(Outcome.INTERRUPTED, 0.0, reason)
        if mirror:
            mirror.finish(Closing(Outcome.INTERRUPTED, None, Artifacts()), INTERRUPTED_CLOSING_SECONDS)

    def result(
        self, judged: Judged, status: str, report: Path | None, notes: list[str], bound: str | None = None
    ) -> SearchResult:
        """The run's result."""
        mirrored = self.record.mirrored()
        is_there = mirrored is not None and mirrored.uri == self.tracking.uri
        return SearchResult(
            judged=judged,
            status=status,
            report=report,
            models=self.place.models,
            tracking_uri=self.tracking.uri,
            experiment_id=mirrored.experiment_id if mirrored and is_there else None,
            notes=tuple(notes),
            bound=bound,
        )


def interrupted(work: Work, mirror: Following | None) -> SearchResult:
    """Leave quickly: what is recorded is safe, ranking and report can be had any time."""
    judged = judge(work.record.snapshot(), work.record.judgements(), anew=False)
    best = judged.ranked[0].trial if judged.ranked else None
    notes = []
    if mirror:
        closing = Closing(Outcome.INTERRUPTED, best, Artifacts())
        note = work.end_mirror(mirror, closing, INTERRUPTED_CLOSING_SECONDS)
        notes = [note] if note else []
    return work.result(judged, Outcome.INTERRUPTED, None, notes)


def conclude(
    work: Work,
    status: str,
    mirror: Following | None = None,
    notes: Sequence[str] = (),
    bound: str | None = None,
) -> SearchResult:
    """Judge all trials against each other, write the report, bring MLflow into line.

    `notes` say why the search has ended as it did, where that is not plain; `bound` is the name of the one
    that ended it.
    """
    judged = judged_and_kept(work.record)
    if status == NOTHING_TO_DO and judged.snapshot.status in FAILURES:
        status = judged.snapshot.status
    report, notes = None, list(notes)
    if judged.ranked and best_run(judged.ranked[0].trial.runs).model is None:
        notes.append(
            f"trial {judged.ranked[0].trial.number} is the first only now that all are judged, and its "
            "weights were no longer kept; a larger execution.keep keeps more"
        )
    try:
        report = write_report(
            judged.snapshot,
            judged.diagnoses,
            judged.ranked,
            work.report_path,
            tracking_link=work.tracking.uri,
        )
    except StoreError as error:
        notes.append(f"no report: {error}")
    note = _bring_into_line(work, mirror, work.result(judged, status, report, []))
    return work.result(judged, status, report, [*notes, note] if note else notes, bound)


def _bring_into_line(work: Work, mirror: Following | None, result: SearchResult) -> str | None:
    mirrored = work.record.mirrored()
    now = (work.tracking.uri, work.record.revision(), True)
    if mirror is None and mirrored and (mirrored.uri, mirrored.revision, mirrored.is_closed) == now:
        return None
    if mirror is None and not mirrored and not sum(result.counts.values()):
        return None  # there is nothing to show, and whoever waits has no time left
    ranked = result.judged.ranked
    best = ranked[0].trial if ranked else None
    closing = Closing(
        result.judged.snapshot.status, best, Artifacts(report=result.report, model=result.best_model)
    )
    try:
        if mirror is None:
            check_answers(work.tracking)
            mirror = work.start_mirror()
    except TrackingError as error:
        return f"not mirrored to MLflow: {error}"
    return work.end_mirror(mirror, closing, CLOSING_SECONDS)
